"""What the bot tells of its policy: strangers nothing but whom to ask, members what concerns themselves."""

import pytest

from bot.messages.words import Words
from bot.playground.faults import Code, Status
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, opened
from tests.languages import CHINESE, ENGLISH
from tests.rig import APPROVE, APPROVER, CONFIRM, SECOND, SECRET, Rig
from tests.said import NOT_AN_APPROVER

GUEST, GONE, ELSEWHERE, MEI = "U0GUEST", "U0GONE", "U0ELSEWHERE", "U0CHINESE"
STRANGERS = pytest.mark.parametrize("user", [GUEST, ELSEWHERE, GONE, REQUESTER])
BATCH = f"{APPID} wx00000000000000aa"
RULES = f"""
[[rule]]
name = "no freezer"
users = ["U0APPROVER2"]
groups = ["S0APPROVERS"]
envs = ["foo-merger-*"]
effect = "deny"
[[rule]]
name = "acquisition of Foo (confidential)"
users = ["{MEI}"]
groups = ["S0PLATFORM"]
channels = ["{SECRET}"]
appids = ["wx5fe*"]
envs = ["foo-merger-*"]
effect = "allow"
[[rule]]
name = "auditors"
users = ["{SECOND}"]
channels = ["{SECRET}", "C0LOUNGE"]
envs = ["foo-merger-*"]
effect = "approve"
approvers = {{ groups = ["S0APPROVERS"], channel = "C0APPROVALS" }}
[[rule]]
name = "elsewhere"
users = ["{APPROVER}"]
envs = ["bar-*"]
effect = "allow"
[[rule]]
name = "all stop"
users = ["*"]
envs = ["off-*"]
effect = "deny"
"""
NAMES = ("freezer", "acquisition", "auditors", "elsewhere", "all stop")
PATTERNS = ("foo-merger-*", "bar-*", "off-*", "wx5fe*")
IDS = ("APPROVER", "SECOND", "CHINESE", "S0PLATFORM", "S0APPROVERS", "C0SECRET", "C0LOUNGE")
COVERED, DENIED, UNCOVERED = "foo-merger-prod-1", "off-merger-prod-1", "nix-merger-prod-1"


def secrets_in(said: str) -> list[str]:
    """Return the names, patterns, people, groups and channels of the policy that a text has."""
    return [each for each in (*NAMES, *PATTERNS, *IDS) if each in said]


def look_ups_fail(rig: Rig, user: str) -> None:
    """Let Slack tell nothing of this person, if it is the one whom it would call a member."""
    if user == REQUESTER:
        rig.slack.fail("users.info", Status(503), times=None)


# Strangers.


@STRANGERS
async def test_a_stranger_learns_whom_to_ask_and_nothing_of_the_policy(rig: Rig, user: str) -> None:
    look_ups_fail(rig, user)
    asks = (f"why {APPID} ENV", f"{APPID} ENV", f"{APPID} ENV --dry-run", f"{BATCH} ENV")
    async with rig.bot(RULES):
        for typed in asks:
            (told,) = {  # whether a rule covers the env or not
                (await rig.ask(typed.replace("ENV", env), user)).replace(env, "ENV")
                for env in (COVERED, DENIED, UNCOVERED)
            }
            assert secrets_in(told) == []
            assert "the platform team" in told
            assert ("No rule lets you do that." in told) is (user != REQUESTER)
            assert ("I could not find out who you are" in told) is (user == REQUESTER)
        for typed in ("whoami", "help", "history", f"history {COVERED}"):
            assert secrets_in(await rig.ask(typed, user)) == []


async def test_a_guests_form_and_home_tell_nothing_of_the_policy(rig: Rig) -> None:
    async with rig.bot(RULES.replace("foo-merger-*", COVERED)):
        await rig.slack.command(GUEST, RELEASES, "")
        form = await opened(rig.slack, GUEST)
        assert await rig.slack.options(GUEST, form, "env") == []
        assert secrets_in(await rig.open_home(GUEST)) == []


async def test_a_guest_who_may_share_learns_only_the_rule_that_lets_them(rig: Rig) -> None:
    lets = f'[[rule]]\nname = "guests"\nusers = ["{GUEST}"]\nguests = true\neffect = "allow"\n'
    async with rig.bot(RULES.replace("off-*", "nix-*") + lets):
        said = await rig.ask(f"why {APPID} {COVERED}", GUEST)
    assert "✅" in said
    assert "Rule “guests” allows it." in said
    assert secrets_in(said) == []


# Members.


async def test_a_member_learns_the_rules_that_cover_this_and_which_of_their_own_conditions_fail(
    rig: Rig,
) -> None:
    async with rig.bot(RULES):
        why = await rig.ask(f"why {APPID} {COVERED}", SECOND)
        no = await rig.ask(f"{APPID} {COVERED}", SECOND)
        dry = await rig.ask(f"{APPID} {COVERED} --dry-run", SECOND)
        other = await rig.ask(f"why wx00000000000000aa {COVERED}", SECOND)
    foo = "“acquisition of Foo (confidential)”: you are not among its users and groups, and it does not apply in this channel"
    auditors = "“auditors”: it does not apply in this channel"
    freezer = "“no freezer”: you are not among its users and groups"
    assert [line for line in why.split("\n") if line.startswith("•")] == [
        f"• {freezer}",
        f"• {foo}",
        f"• {auditors}",
    ]
    assert [line for line in other.split("\n") if line.startswith("•")] == [
        f"• {freezer}",
        f"• {auditors}",
    ]
    for said in (no, dry):
        near = [line for line in said.split("\n") if line.startswith("•")]
        assert near == [f"• rule {foo}", f"• rule {auditors}"]
    for said in (why, no, dry, other):
        assert [each for each in (*PATTERNS, *IDS) if each in said] == []
        assert "elsewhere" not in said
        assert "*Who can grant it:* the platform team." in said


@pytest.mark.parametrize("words", [ENGLISH, CHINESE], ids=["English", "Chinese"])
async def test_a_member_whose_groups_slack_does_not_tell_learns_no_group_by_that(
    rig: Rig, words: Words
) -> None:
    user = SECOND if words is ENGLISH else MEI
    rig.slack.fail("usergroups.list", Code("missing_scope"), times=None)
    async with rig.bot(RULES.replace(f'"{user}"', '"U0GONE"')):
        for typed in ("whoami", f"why {APPID} {COVERED}", f"{APPID} {COVERED}"):
            said = await rig.ask(typed, user)
            assert "usergroups:read" in said
            assert [each for each in (*PATTERNS, "S0PLATFORM", "S0APPROVERS") if each in said] == []


# Clicks.


async def test_who_may_not_decide_is_not_told_who_may(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        said = await rig.decide(SECOND, "approve")
    assert NOT_AN_APPROVER in said
    assert secrets_in(said) == []
    assert "the platform team" in said


async def test_who_clicks_while_slack_tells_no_groups_learns_none(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        rig.slack.fail("usergroups.list", Code("missing_scope"), times=None)
        view = await rig.open(SECOND, "approve", question)
        said = await rig.send(SECOND, view)
    assert "usergroups:read" in said
    assert secrets_in(said) == []


async def test_who_confirms_while_slack_tells_no_groups_learns_none(rig: Rig) -> None:
    rules = CONFIRM.replace(f'users = ["{REQUESTER}"', 'groups = ["S0PLATFORM"]\nusers = ["U0GONE"')
    async with rig.bot(rules):
        await rig.ask()
        rig.slack.fail("usergroups.list", Code("missing_scope"), times=None)
        said = await rig.click(REQUESTER, rig.shown(), "confirm")
    assert "usergroups:read" in said
    assert secrets_in(said) == []
