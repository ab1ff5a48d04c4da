from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bot.domain.finding import Level
from bot.ops.doctor.run import examine
from tests.ops.doctors import (
    A,
    B,
    complaints,
    finding_of,
    findings_of,
    judged,
    level_of,
    rule,
    with_policy,
)

APPROVE = """
[[rule]]
name = "core"
users = ["{user}"]
envs = ["core-*"]
effect = "approve"
approvers = {{ {who}, channel = "{channel}" }}
"""
TEST = '[[test]]\nuser = "U0REQUESTER"\nappid = "{appid}"\nenv = "{env}"\nexpect = "allow"\n'


Under = Callable[[str], dict[str, str]]


@pytest.fixture
def under(environ: dict[str, str], tmp_path: Path) -> Under:
    """A function that returns the environment of a bot with this policy file."""
    return partial(with_policy, environ, tmp_path)


def approve(
    who: str = 'groups = ["S0APPROVERS"]', channel: str = "C0APPROVALS", user: str = "U0REQUESTER"
) -> str:
    return APPROVE.format(who=who, channel=channel, user=user)


async def test_the_policys_failing_tests_are_named_and_the_other_checks_run(under: Under) -> None:
    good, bad = TEST.format(appid=B, env="prod-1"), TEST.format(appid=B, env="other")
    denied = "[[rule]]\nname = 'Dr. House team'\nenvs = ['other']\neffect = 'deny'\n"
    failing = under(rule() + denied + good + bad)
    found = await finding_of(failing, "policy-tests")
    assert found.level == "wrong"
    assert "test 2: U0REQUESTER" in found.found
    assert found.found.endswith("gets “deny” (rule “Dr. House team”)")
    assert found.fix == "Correct the rules or the test."
    assert await level_of(failing, "slack-people") == await level_of(failing, "wechat") == "ok"
    assert await level_of(failing, "settings") == "ok"
    passing = under(rule() + good)
    assert (await finding_of(passing, "policy-tests")).found == "all pass: 1"


async def test_a_channel_of_several_rules_is_reported_once(under: Under) -> None:
    gone = approve(channel="C0ARCHIVED")
    another = gone.replace('name = "', 'name = "another ')
    (found,) = await findings_of(under(gone + another), "policy-approvers")
    assert found.found == "the approvers' channel C0ARCHIVED is archived"


async def test_a_rule_behind_one_that_always_decides_is_named(under: Under) -> None:
    text = rule("all", env="prod-*") + rule("narrow", env="prod-1")
    assert await judged(under(text), "policy-reach") == (
        "warning",
        "“narrow” never decides: “all”, which comes first, always does",
    )
    text = rule("narrow", env="prod-1") + rule("all", env="prod-*")
    assert await level_of(under(text), "policy-reach") == "ok"


DENY = '[[rule]]\nname = "freeze"\neffect = "deny"\n'


@pytest.mark.parametrize("text", [DENY, DENY + rule("r")], ids=["alone", "before one that allows"])
async def test_a_policy_that_allows_nothing_is_reported(under: Under, text: str) -> None:
    found, *_ = await findings_of(under(text), "policy-reach")
    assert found.level == "warning"
    assert found.found.startswith(
        "nobody may share anything: every rule that decides anything denies"
    )
    assert found.fix == "Add a [[rule]] with another effect, or move one up."


async def test_a_rule_for_deactivated_people_only_is_reported(under: Under) -> None:
    found = await finding_of(under(rule("old", "U0GONE")), "policy-reach")
    assert found.level == "warning"
    assert found.found.startswith("“old” is for nobody")


async def test_no_rule_is_reported_as_unreachable_if_slack_does_not_answer(
    environ: dict[str, str],
) -> None:
    environ["SLACK_BOT_TOKEN"] = "xoxb-other"
    assert await level_of(environ, "policy-reach") == "ok"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (approve('users = ["U0GONE", "U0GUEST"]'), "none of its approvers exists"),
        (
            approve('approvals = 9, groups = ["S0APPROVERS"]'),
            "asks for more approvals than there are people",
        ),
        (
            approve('approvals = 2, users = ["U0REQUESTER", "U0APPROVER"]'),
            "asks for more approvals than there are people: 1 missing",
        ),
        (approve('groups = ["S0NONE"]'), "none of its approvers exists"),
        (approve('users = ["U0REQUESTER"]'), "its only approver is the only one who may ask"),
        (
            approve(channel="C0SECRET"),
            "the bot is not in the approvers' channel C0SECRET, or there",
        ),
        (
            approve(channel="C0PARTNERS"),
            "the approvers' channel C0PARTNERS is shared with another organisation",
        ),
        (approve(channel="C0ARCHIVED"), "the approvers' channel C0ARCHIVED is archived"),
        (approve(channel="C0LOUNGE"), "the bot is not in the approvers' channel C0LOUNGE"),
    ],
)
async def test_a_rule_that_nobody_can_approve_is_named(under: Under, text: str, found: str) -> None:
    finding = await finding_of(under(text), "policy-approvers")
    assert finding.level == "wrong"
    assert found in finding.found


async def test_that_guests_cannot_approve_is_a_cause_of_its_own(under: Under) -> None:
    text = rule("old", "U0GONE") + approve('users = ["U0GUEST"]')
    printed = complaints(await examine(under(text)))
    assert ["policy-approvers"] in [each.names for each in printed]


@pytest.mark.parametrize(
    "text",
    [
        approve(),
        approve('users = ["*"]'),
        approve('users = ["U0REQUESTER"]', user="*"),
        approve('users = ["U0REQUESTER"]') + "self_approval = true\n",
    ],
)
async def test_a_rule_that_somebody_can_approve_is_fine(under: Under, text: str) -> None:
    assert await level_of(under(text), "policy-approvers") == "ok"


@pytest.mark.parametrize(
    ("operators", "level", "found"),
    [
        (
            'users = ["U0GUEST", "U0GONE"]',
            "wrong",
            "all operators are guests, who may not cancel others' requests: U0GUEST",
        ),
        ('users = ["U0GUEST"], groups = ["S0PLATFORM"]', "ok", "no rule asks for approval"),
        ('users = ["U0GONE"]', "ok", "no rule asks for approval"),  # as slack-people says
    ],
)
async def test_operators_who_are_all_guests_are_named(
    under: Under, operators: str, level: Level, found: str
) -> None:
    text = f"operators = {{ {operators} }}\n{rule()}"
    assert await judged(under(text), "policy-approvers") == (level, found)


async def test_an_env_without_an_owner_is_named(under: Under) -> None:
    owner = f'[[owner]]\nappid = "{A}"\nenvs = ["prod-*"]\n'
    text = owner + rule("a") + rule("b", env="lost-1") + rule("c", env="glob-*")
    without_default = under(text)
    assert await level_of(without_default, "policy-owners") == "ok"
    del without_default["WECHAT_AUTHORIZER_APPID"]
    assert await judged(without_default, "policy-owners") == (
        "wrong",
        "no mini program is known to own lost-1, glob-*",
    )


async def test_requesters_do_not_count_among_those_who_can_agree(under: Under) -> None:
    two = approve('approvals = 2, users = ["U0REQUESTER", "U0APPROVER"]')
    some = two.replace('["U0REQUESTER"]', '["U0REQUESTER", "U0SECOND"]', 1)
    found = await finding_of(under(some), "policy-approvers")
    assert (found.level, "if U0REQUESTER ask: 1 missing" in found.found) == ("warning", True)
    enough = some.replace('"U0APPROVER"]', '"U0APPROVER", "U0APPROVER2"]')
    assert await level_of(under(enough), "policy-approvers") == "ok"
    himself = two.replace('effect = "approve"', 'effect = "approve"\nself_approval = true')
    assert await level_of(under(himself), "policy-approvers") == "ok"


async def test_whom_a_rule_escalates_to_and_where_is_checked_too(under: Under) -> None:
    later = (
        'escalate = {{ after = "1h", users = ["{}"], channel = "{}" }}, groups = ["S0APPROVERS"]'
    )
    gone = under(approve(later.format("U0GONE", "C0RELEASES")))
    found = await finding_of(gone, "policy-approvers")
    assert found.level == "warning"
    assert found.found == "“core” escalates to nobody who is an active full member"
    archived = under(approve(later.format("U0APPROVER", "C0ARCHIVED")))
    found = await finding_of(archived, "policy-approvers")
    assert found.found == "the approvers' channel C0ARCHIVED is archived"
    fine = under(approve(later.format("U0APPROVER", "C0RELEASES")))
    assert await level_of(fine, "policy-approvers") == "ok"
