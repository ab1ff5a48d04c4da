"""Freezes and hours: looked at when somebody asks, at each click, and when a request is carried out."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.outcome import Denied, Ground
from bot.playground.faults import Slow
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import ENV, REQUESTER, Change, Clock, calls_of, rows
from tests.rig import ALLOW, APPROVE, APPROVER, BOTH, CONFIRM, SECOND, Rig, approved_by, history_of
from tests.said import (
    NEEDS_APPROVAL,
    NOT_AN_APPROVER,
    YOU_APPROVED,
    YOU_REJECTED,
    answer_to,
    late_answer,
)
from tests.workflow.test_batches import answer_to_all
from tests.workflow.test_brake import running
from tests.workflow.test_policy_changes import BATCH, OF_OTHERS

EVENING = datetime(2026, 12, 3, 18, tzinfo=UTC).timestamp()
BEFORE = EVENING - 300
MORNING = EVENING + 12 * 3600
REASON = "end of the year"
FREEZE = f"""
[[freeze]]
from = 2026-12-03T18:00:00Z
until = 2026-12-04T06:00:00Z
reason = "{REASON}"
except = {{ users = ["U0SECOND"] }}
"""
ENDS = "2026-12-04 06:00 UTC"
BY_DAY = 'hours = "Mon-Fri 09:00-18:00 UTC"\n'
NOT_BY_NIGHT = '[[rule]]\nname = "night"\neffect = "deny"\nhours = "18:00-06:00 UTC"\n'
FROZEN = Denied(Ground.FROZEN, MORNING)


@pytest.fixture
def time(rig: Rig, runtime: Runtime) -> Clock:
    """Return the time of the bot, at first five minutes before a freeze, and the end of hours."""
    time = Clock()
    time.now = BEFORE
    rig.runtime = replace(runtime, now=time)
    return time


async def test_during_a_freeze_a_share_is_denied_with_the_reason_and_its_end(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(ALLOW + FREEZE):
        assert (await rig.ask()).startswith("On it")
        await rig.over()
        time.now = EVENING
        for asked in (f"{APPID} test-1", f"{APPID} test-1 --dry-run", f"why {APPID} test-1"):
            told = await rig.ask(asked)
            assert f"You may not share `test-1` with `{APPID}` now." in told
            assert "A freeze is on: “end of the year”. It ends" in told
            assert ENDS in told
        assert "request1" in await history_of(rig.slack, "U0CHINESE", ENV)
        assert (await rig.ask(f"{APPID} prod-2", user=SECOND)).startswith("On it")
        await rig.over(2)
        time.now = MORNING
        assert (await rig.ask(f"{APPID} test-1")).startswith("On it")
        await rig.over(3)
    denied = rows(rig.database, "SELECT DISTINCT detail FROM events WHERE kind = 'denied'")
    assert denied == [("Frozen",)]


async def test_an_approval_during_a_freeze_ends_the_request_and_says_why(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(APPROVE + FREEZE):
        await rig.ask(f"{APPID} {ENV}")
        view = await rig.open(APPROVER, "approve")
        time.now = EVENING
        assert NOT_AN_APPROVER in await rig.decide(SECOND, "approve")
        told = await rig.send(APPROVER, view)
        assert late_answer(FROZEN) in told
        assert "A freeze is on: “end of the year”. It ends" in told
        await rig.over()
        (said,) = [reply for reply in rig.replies() if answer_to(FROZEN) in reply]
        assert ENDS in said
        assert REASON not in said
    assert rig.wechat.calls == []
    assert rig.column("ending") == '{"kind": "denied", "ground": "frozen", "until": 1796364000.0}'


async def test_a_confirmation_during_a_freeze_ends_the_request_and_says_why(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(CONFIRM + FREEZE):
        await rig.ask(f"{APPID} {ENV}")
        time.now = EVENING
        assert "“end of the year”" in await rig.click(REQUESTER, rig.shown(), "confirm")
        await rig.over()
    assert rig.wechat.calls == []


async def test_an_approver_can_reject_during_a_freeze(rig: Rig, time: Clock) -> None:
    async with rig.bot(APPROVE + FREEZE):
        await rig.ask(f"{APPID} {ENV}")
        time.now = EVENING
        assert YOU_REJECTED in await rig.decide(APPROVER, "reject")
        await rig.over()
    assert rig.column("outcome") == "rejected"


async def test_approvers_of_a_rule_that_was_renamed_end_a_request_during_a_freeze(
    rig: Rig, time: Clock, change: Change
) -> None:
    async with rig.bot(APPROVE + FREEZE):
        await rig.ask(f"{APPID} {ENV}")
        view = await rig.open(APPROVER, "approve")
        await change(approved_by(APPROVER, name="six eyes") + FREEZE)
        time.now = EVENING
        assert NOT_AN_APPROVER in await rig.decide("U0APPROVER2", "approve")
        assert late_answer(FROZEN) in await rig.send(APPROVER, view)


@pytest.mark.parametrize("rules", [ALLOW + FREEZE, ALLOW + BY_DAY, NOT_BY_NIGHT + ALLOW])
async def test_a_request_is_stopped_if_a_freeze_begins_or_its_hours_end_before_it_is_carried_out(
    rig: Rig, time: Clock, rules: str
) -> None:
    time.now = EVENING - 1
    rig.slack.fail("chat.postMessage", Slow())
    async with rig.bot(rules):
        await rig.ask()
        await rig.slack.until(lambda slack: calls_of(slack, "chat.postMessage") > 0)
        time.now = EVENING
        rig.slack.clear("chat.postMessage")
        await rig.over()
    assert rig.column("outcome") == "stopped"
    assert rig.wechat.calls == []


async def test_a_freeze_that_begins_stops_a_running_batch(
    rig: Rig, time: Clock, wechat: LocalWeChat
) -> None:
    rig.runtime = replace(rig.runtime, brake_every=0.05)
    async with rig.bot(ALLOW + FREEZE):
        async with running(rig, wechat):
            time.now = EVENING
        await answer_to_all(rig)
    assert 10 <= len(wechat.calls) < 100
    assert "stopped by the policy" in rig.parent()


async def test_outside_of_the_hours_a_share_is_denied_and_it_is_told_from_when_it_may_be(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(ALLOW + BY_DAY):
        time.now = EVENING
        told = await rig.ask()
        assert f"You may not share `{ENV}` with `{APPID}` now." in told
        assert "it does not apply at this hour, but from" in told
        assert "2026-12-04 09:00 UTC" in told
        assert "at `Mon-Fri 09:00-18:00 UTC`" in await rig.ask("help")


@pytest.mark.parametrize(
    ("rules", "opens"), [(APPROVE + BY_DAY, "09:00"), (NOT_BY_NIGHT + APPROVE, "06:00")]
)
async def test_a_click_outside_of_the_hours_leaves_the_request_open(
    rig: Rig, time: Clock, rules: str, opens: str
) -> None:
    async with rig.bot(rules.replace('"2h"', '"2d"')):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        time.now = EVENING
        assert NOT_AN_APPROVER in await rig.decide(SECOND, "approve")
        told = await rig.send(APPROVER, view)
        assert "The policy does not allow this at the present hour. Nothing was done." in told
        assert "click again from" in told
        assert f"2026-12-04 {opens} UTC" in told
        assert rig.column("state") == "waiting"
        time.now = MORNING + 3 * 3600
        assert YOU_APPROVED in await rig.decide(APPROVER, "approve")
        await rig.over()
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_confirmation_outside_of_the_hours_leaves_the_request_open(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(BOTH + BY_DAY):
        await rig.ask()
        question = rig.shown()
        time.now = EVENING
        assert "not allow this at the present hour" in await rig.click(
            REQUESTER, question, "confirm"
        )
        assert rig.column("state") == "confirming"
        time.now = EVENING - 1
        assert NEEDS_APPROVAL in await rig.click(REQUESTER, question, "confirm")


async def test_an_approver_can_reject_outside_of_the_hours(rig: Rig, time: Clock) -> None:
    async with rig.bot(APPROVE + BY_DAY):
        await rig.ask()
        time.now = EVENING
        assert YOU_REJECTED in await rig.decide(APPROVER, "reject")
        await rig.over()
    assert rig.column("outcome") == "rejected"


NIGHT = approved_by("U0SECOND", name="night shift")


async def test_a_later_rule_decides_outside_of_the_hours_of_the_first(
    rig: Rig, time: Clock
) -> None:
    async with rig.bot(APPROVE + BY_DAY + NIGHT):
        await rig.ask()
        time.now = EVENING
        assert NOT_AN_APPROVER in await rig.decide(APPROVER, "approve")
        assert YOU_APPROVED in await rig.decide(SECOND, "approve")
        await rig.over()
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_batch_that_several_rules_decide_at_this_hour_only_is_left_open(
    rig: Rig, time: Clock
) -> None:
    rest = approved_by(APPROVER, name="rest")
    async with rig.bot(APPROVE + BY_DAY + OF_OTHERS + rest):
        await rig.ask(BATCH)
        time.now = EVENING
        for button in ("approve", "reject"):
            told = await rig.decide(APPROVER, button)
            assert "not allow this at the present hour" in told
        assert rig.column("state") == "waiting"


async def test_a_click_ends_what_the_policy_forbids_at_any_hour(
    rig: Rig, time: Clock, change: Change
) -> None:
    async with rig.bot(APPROVE + BY_DAY):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        time.now = EVENING
        await change(f'[[rule]]\nname = "no"\neffect = "deny"\n{APPROVE}{BY_DAY}')
        assert late_answer(Denied()) in await rig.send(APPROVER, view)
        await rig.over()
    assert rig.column("outcome") == "denied"
