"""The envs that the form offers, and forms that are submitted after a change of the policy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ledger.database import open_database
from bot.ledger.ledger import Ledger
from bot.messages.modals import APPIDS, ENV
from bot.playground.faults import Code, Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.slack.surfaces import View
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import RELEASES, REQUESTER, Clock, kinds, ledger_down, opened, request_of, rows
from tests.databases import ledger_of
from tests.rig import Rig
from tests.said import ACCEPTED, NEEDS_APPROVAL

OTHER_OWNER = "wxfedcba9876543210"
OWNERS = f"""
[[owner]]
appid = "{OTHER_OWNER}"
envs = ["theirs-*", "named-2"]
[[owner]]
appid = "{OWNER}"
envs = ["*"]
"""
ANYTHING = """
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
effect = "allow"
"""
APPROVED = """
[[rule]]
name = "four eyes"
groups = ["S0PLATFORM"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "2h" }
"""
NAMED = """
[[rule]]
name = "named"
users = ["U0REQUESTER"]
envs = ["named-1", "test-*"]
effect = "allow"
"""
NOTHING = """
[[rule]]
name = "frozen"
effect = "deny"
"""


@pytest.fixture(autouse=True)
def clock(rig: Rig) -> Clock:
    """The clock of the bot."""
    clock = Clock()
    rig.runtime = replace(rig.runtime, clock=clock)
    return clock


async def asked(slack: LocalSlack, user: str = REQUESTER) -> View:
    await slack.command(user, RELEASES, "")
    return await opened(slack, user)


async def offered(slack: LocalSlack, view: View, typed: str = "") -> list[str]:
    return [str(each["value"]) for each in await slack.options(view.user, view, ENV, typed)]


@asynccontextmanager
async def ledger_at(database: Path) -> AsyncIterator[Ledger]:
    """Open the ledger before a bot does."""
    ledger = ledger_of(open_database(f"sqlite:///{database}", Runtime()), "before")
    await ledger.start()
    yield ledger
    await ledger.close()


# Offered envs.


async def test_the_form_offers_the_policys_envs_then_past_ones_then_the_owners(
    slack: LocalSlack, rig: Rig
) -> None:
    rig.wechat.envs[OTHER_OWNER] = {
        "theirs-1": "NORMAL",
        "halted": "HALTED",
        "not-theirs": "NORMAL",
    }
    async with ledger_at(rig.database) as ledger:
        for number, env in enumerate(["old-1", "old-2", "old-1"]):
            request = replace(request_of(slack), id=f"past{number}", env=env, again=True)
            await ledger.accept(replace(request, appid=f"wx{number:016x}"))
            rows(rig.database, "UPDATE requests SET state = 'ended', created = substr(id, 5)")
    async with rig.bot(OWNERS + ANYTHING + NAMED):
        view = await asked(slack)
        assert await offered(slack, view) == [
            *("named-1", "named-2", "old-1", "old-2"),
            *("theirs-1", "prod-1", "test-1"),
        ]
        assert await offered(slack, view, "LD-2") == ["old-2", "LD-2"]
        assert await offered(slack, view, "old-1") == ["old-1"]


async def test_the_form_offers_only_envs_that_the_person_may_share(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + NAMED):
        view = await asked(slack)
        assert await offered(slack, view) == ["named-1", "test-1"]
        assert await offered(slack, view, "test-77") == ["test-77"]
        other = await asked(slack, "U0SECOND")
        assert await offered(slack, other) == []


async def test_a_person_who_may_share_no_env_types_one_and_is_told_who_can_grant_it(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + NAMED):
        view = await asked(slack, "U0SECOND")
        assert await offered(slack, view, "prod-1") == ["prod-1"]
        await slack.submit("U0SECOND", view, {ENV: "prod-1", APPIDS: APPID})
        await slack.until(lambda slack: bool(slack.shown_to("U0SECOND")))
    assert "*Who can grant it:* the platform team." in rig.shown("U0SECOND").text


async def test_a_typed_env_is_marked_as_typed(slack: LocalSlack, rig: Rig) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        view = await asked(slack)
        options = await slack.options(REQUESTER, view, ENV, " prod-7，")
        assert [(o["value"], "description" in o) for o in options] == [("prod-7", True)]
        assert await offered(slack, view, "no env!") == []
        assert await offered(slack, view, "prod-1") == ["prod-1"]


async def test_while_wechat_is_silent_only_its_envs_are_missing(
    slack: LocalSlack, rig: Rig
) -> None:
    rig.wechat.fail("getenvinfo", Code(61007), Slow())
    async with rig.bot(OWNERS + ANYTHING + NAMED):
        view = await asked(slack)
        with pytest.MonkeyPatch.context() as hurry:
            hurry.setattr("bot.workflow.form._WECHAT_SECONDS", 0.2)
            assert await offered(slack, view) == ["named-1", "named-2"]
        rig.wechat.clear("getenvinfo")
        assert set(await offered(slack, view)) > {"named-1", "named-2"}


async def test_the_envs_of_owners_are_cached(slack: LocalSlack, rig: Rig, clock: Clock) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        view = await asked(slack)
        for typed in ("", "p", "pr"):
            await offered(slack, view, typed)
        assert rig.wechat.transcript().count(f"getenvinfo of {OWNER}") == 1
        rig.wechat.envs[OWNER]["prod-2"] = "NORMAL"
        clock.now += 301
        assert "prod-2" in await offered(slack, view)


async def test_while_the_ledger_is_silent_only_its_envs_are_missing(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        view = await asked(slack)
        with ledger_down(rig.database):
            assert await offered(slack, view) == ["named-2", "prod-1", "test-1"]


async def test_a_person_who_cannot_be_looked_up_may_type_an_env(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        slack.fail("users.info", *[Slow(8)] * 4)
        view = await asked(slack)
        assert await offered(slack, view) == []
        assert await offered(slack, view, "prod-1") == ["prod-1"]


# The policy at the time of the submission.


async def test_a_form_that_is_submitted_after_a_change_of_the_policy_is_decided_by_the_new_one(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        view = await asked(slack)
        assert "prod-1" in await offered(slack, view)
    async with rig.bot(OWNERS + NOTHING + ANYTHING):
        ack = await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        assert (ack.error, ack.errors, slack.modal(REQUESTER)) == (None, {}, None)
        await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        told = slack.shown_to(REQUESTER)[0].text
        assert "You may not share `prod-1`" in told
        assert "frozen" in told
    assert rig.wechat.calls == []
    assert kinds(rig.database) == ["denied"]


async def test_a_form_that_names_the_owner_as_a_receiver_is_refused(
    slack: LocalSlack, rig: Rig
) -> None:
    async with rig.bot(OWNERS + ANYTHING):
        view = await asked(slack)
        await offered(slack, view)
        await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: f"{APPID} {OWNER}"})
        await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        assert f"`{OWNER}` owns `prod-1`" in slack.shown_to(REQUESTER)[0].text
    assert rig.wechat.calls == []


@pytest.mark.parametrize(
    ("rules", "shown"), [(ANYTHING, "✅"), (APPROVED, "🕓")], ids=["carried out", "waits"]
)
async def test_the_announcement_of_an_answer_never_comes_after_the_answer(
    slack: LocalSlack, rig: Rig, rules: str, shown: str
) -> None:
    async with rig.bot(OWNERS + rules):
        view = await asked(slack)
        await offered(slack, view)
        slack.fail("response_url", Slow(0.2), user=REQUESTER)
        await slack.submit(REQUESTER, view, {ENV: "prod-1", APPIDS: APPID})
        await slack.until(lambda slack: any(m.text.startswith(shown) for m in slack.messages))
    follows = [m.text for m in slack.messages if ACCEPTED in m.text or NEEDS_APPROVAL in m.text]
    assert follows == []
