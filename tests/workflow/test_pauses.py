"""Interrupted batches: WeChat's limits, the queue, cancellation, a ledger that is down, restarts."""

import asyncio
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bot.guidance import Trouble
from bot.playground.faults import Code, RateLimited, Slow, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.clock import Runtime
from bot.workflow.batches import AT_ONCE
from bot.workflow.worker import MOST_TAKE_OVERS
from tests.conftest import (
    RELEASES,
    REQUESTER,
    Change,
    Clock,
    Sleep,
    appids,
    calls_of,
    rows,
    soon,
)
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, DENY, SECOND, Rig, for_platform_team
from tests.said import CALLED_TWICE, PAUSED_AT_LIMIT, PAUSED_IN_DOUBT, RECEIVER_OFF
from tests.workflow.test_batches import answer_to_all, line, shared

pytestmark = pytest.mark.no_cover  # runs the same lines many times

NOT_ENABLED, PER_MINUTE, PER_DAY = 85088, 45011, 45009
NOW = 1_800_000_000.0
IN_A_MINUTE, IN_AN_HOUR = 1_800_000_060, 1_800_003_600
LIMITS = pytest.mark.parametrize(
    ("code", "until"), [(PER_MINUTE, IN_A_MINUTE), (PER_DAY, IN_AN_HOUR)], ids=["minute", "day"]
)
QUEUED = "SELECT appid FROM requests WHERE batch IS NOT NULL AND state = 'queued'"


class ManualClock(Sleep):
    """A short sleep, and a clock, in Unix seconds, that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW

    def time(self) -> float:
        """Return the time."""
        return self.now

    async def sleeps(self, count: int = 50) -> None:
        """Wait until the bot has slept this many times."""
        enough = len(self.naps) + count
        await soon(lambda: len(self.naps) >= enough)


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rig(
    slack: LocalSlack,
    wechat: LocalWeChat,
    database: Path,
    environ: dict[str, str],
    runtime: Runtime,
    time: ManualClock,
) -> Rig:
    return Rig(slack, wechat, database, environ, replace(runtime, now=time.time, sleep=time))


def first(rig: Rig) -> PostedMessage:
    """Return the message of the first batch."""
    return rig.slack.parents(RELEASES)[0]


def last(rig: Rig) -> PostedMessage:
    """Return the message of the last batch."""
    return rig.slack.parents(RELEASES)[-1]


async def paused(rig: Rig, until: int) -> None:
    """Wait until the first batch says that it pauses until then, and no call is in progress."""
    said = f"{PAUSED_AT_LIMIT} <!date^{until}^"
    await soon(lambda: rig.slack.parents(RELEASES) and said in first(rig).text)
    begun = f"{QUEUED} AND begun"
    await soon(lambda: rows(rig.database, begun) == [] and rig.wechat.in_flight == 0)


async def at_a_limit(rig: Rig, size: int, code: int = PER_MINUTE) -> None:
    """Request a batch that runs into a limit of WeChat."""
    rig.wechat.fail("shareenv", Code(code), times=None)
    await rig.ask(line(size))
    await paused(rig, IN_A_MINUTE if code == PER_MINUTE else IN_AN_HOUR)
    rig.wechat.clear("shareenv")


async def slack_in_doubt(rig: Rig, clock: Clock) -> None:
    """Let Slack return no groups until the first batch says so; `clock` is the caches'."""
    rig.slack.fail("usergroups.list", Status(503), times=None)
    clock.now += 60  # the group is no longer cached
    await soon(lambda: PAUSED_IN_DOUBT in first(rig).text)


async def answer_at_last(time: ManualClock, wechat: LocalWeChat) -> None:
    """Let WeChat answer once the bot, which is being stopped, has slept for long."""
    await time.sleeps()
    wechat.clear("shareenv")


def codes(wechat: LocalWeChat) -> Counter[int | None]:
    return Counter(call.errcode for call in wechat.calls)


# WeChat's limits.


@LIMITS
async def test_at_a_limit_no_item_begins_until_it_is_over_and_none_fails(
    rig: Rig,
    time: ManualClock,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    code: int,
    until: int,
) -> None:
    wechat.fail("shareenv", *[Code(code)] * 3)
    async with rig.bot(ALLOW):
        with wechat.thinking():
            await rig.ask(line(60))
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
        await paused(rig, until)
        calls = len(wechat.calls)
        assert calls <= 2 * AT_ONCE
        await time.sleeps()
        time.now = until - 1
        await time.sleeps()
        assert len(wechat.calls) == calls
        time.now = until
        answer = await answer_to_all(rig)
    assert answer.text.startswith("✅ *All 60 shared.*")
    assert shared(rig) == appids(60)
    assert codes(wechat) == {0: 60, code: 3}
    recorded = "SELECT errcode FROM events WHERE kind = 'call'"
    assert Counter(rows(rig.database, recorded)) == {(None,): 60, (code,): 3}
    logged = "a batch pauses: WeChat takes no more calls for now"
    assert caplog.messages.count(logged) == 1


async def test_the_message_of_a_paused_batch_is_not_edited_while_nothing_changes(
    rig: Rig, time: ManualClock
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 30)
        await time.sleeps()
        before = calls_of(rig.slack, "chat.update")
        await time.sleeps()
        assert calls_of(rig.slack, "chat.update") == before


@LIMITS
async def test_a_pause_outlasts_no_clock_that_is_set_back(
    rig: Rig, time: ManualClock, code: int, until: int
) -> None:
    back = 2 * 86_400
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 5, code)
        time.now -= back
        await paused(rig, until - back)
        time.now = until - back
        await answer_to_all(rig)
    assert shared(rig) == appids(5)


async def test_at_the_daily_limit_a_batch_tries_once_an_hour(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2, PER_DAY)
        for hour in range(1, 4):
            calls = len(wechat.calls)
            wechat.fail("shareenv", Code(PER_DAY), times=None)
            time.now = NOW + hour * 3600
            await paused(rig, int(NOW) + (hour + 1) * 3600)
            assert calls < len(wechat.calls) <= calls + 2
        wechat.clear("shareenv")
        time.now = NOW + 4 * 3600
        answer = await answer_to_all(rig)
    assert answer.text.startswith("✅ *All 2 shared.*")


@LIMITS
async def test_after_a_pause_nothing_more_is_shared_if_the_policy_says_no_by_now(
    rig: Rig, time: ManualClock, change: Change, wechat: LocalWeChat, code: int, until: int
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 60, code)
        calls = len(wechat.calls)
        await change(DENY)
        time.now = until
        answer = await answer_to_all(rig)
    assert "*60 stopped by the policy*, of 60." in answer.text
    assert len(wechat.calls) == calls


async def test_a_batch_that_slack_leaves_in_doubt_after_the_daily_limit_goes_on_in_its_turn(
    rig: Rig,
    time: ManualClock,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    people_clock: Clock,
) -> None:
    rig.runtime = replace(rig.runtime, clock=people_clock)
    async with rig.bot(for_platform_team(ALLOW)):
        await at_a_limit(rig, 2, PER_DAY)
        rig.slack.fail("usergroups.list", Status(503))
        time.now = IN_AN_HOUR
        in_doubt = "a batch pauses: Slack does not tell who asked for it"
        await soon(lambda: in_doubt in caplog.messages)
        with wechat.thinking():
            people_clock.now += 60  # the error is no longer cached
            await wechat.until(lambda wechat: wechat.in_flight == 2)
            assert rows(rig.database, "SELECT 1 FROM requests WHERE lane IS NOT NULL")
        await answer_to_all(rig)


async def test_slacks_rate_limit_after_a_pause_does_not_hold_a_batch_whose_group_was_read_just_now(
    rig: Rig, time: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.bot(for_platform_team(ALLOW)):
        await at_a_limit(rig, 2)
        rig.slack.fail("usergroups.list", RateLimited(30))
        time.now = IN_A_MINUTE
        await answer_to_all(rig)
    assert caplog.messages.count("a batch pauses: Slack does not tell who asked for it") == 1


@LIMITS
async def test_a_batch_in_doubt_that_reaches_a_limit_pauses_until_both_are_over(
    rig: Rig, time: ManualClock, wechat: LocalWeChat, code: int, until: int, people_clock: Clock
) -> None:
    rig.runtime = replace(rig.runtime, clock=people_clock, brake_every=0.01)
    wechat.fail("shareenv", Code(code), times=None)
    async with rig.bot(for_platform_team(ALLOW)):
        with wechat.thinking():
            await rig.ask(line(AT_ONCE + 1))
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
            await slack_in_doubt(rig, people_clock)
        await paused(rig, until)
        wechat.clear("shareenv")
        time.now = until
        await soon(lambda: PAUSED_IN_DOUBT in first(rig).text)
        await time.sleeps()
        assert len(wechat.calls) == AT_ONCE
        rig.slack.clear("usergroups.list")
        people_clock.now += 60
        await answer_to_all(rig)
    assert shared(rig) == appids(AT_ONCE + 1)


async def test_while_a_batch_is_at_a_limit_slack_is_not_asked_who_requested_it(
    rig: Rig, time: ManualClock, people_clock: Clock
) -> None:
    rig.runtime = replace(rig.runtime, clock=people_clock, brake_every=0.001)
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2)
        people_clock.now += 60  # the person is no longer cached
        asked = calls_of(rig.slack, "users.info")
        await time.sleeps()
        assert calls_of(rig.slack, "users.info") == asked
        time.now = IN_A_MINUTE
        await answer_to_all(rig)


async def test_a_batch_whose_turn_comes_is_stopped_if_the_policy_denies_it_by_then(
    rig: Rig, time: ManualClock, change: Change, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2)
        await rig.ask(line(3, env="test-1"), SECOND)
        await soon(lambda: "0 of 3" in last(rig).text)
        await time.sleeps()
        calls = len(wechat.calls)
        await change(DENY)
        time.now = IN_A_MINUTE
        await answer_to_all(rig)
    assert "3 stopped" in last(rig).text
    assert len(wechat.calls) == calls


async def test_a_batch_at_the_daily_limit_outlives_any_number_of_clean_stops(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async def taken_over(times: int) -> None:
        taken = "SELECT 1 FROM events WHERE kind = 'taken over'"
        await soon(lambda: len(rows(rig.database, taken)) == times)

    rig.environ["SHUTDOWN_GRACE"] = "0"
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2, PER_DAY)
    for deploy in range(1, MOST_TAKE_OVERS + 2):
        wechat.fail("shareenv", Code(PER_DAY), times=None)
        async with rig.bot(ALLOW):
            await taken_over(deploy)
    wechat.clear("shareenv")
    async with rig.bot(ALLOW):
        time.now = IN_AN_HOUR
        answer = await answer_to_all(rig)
    assert "2 shared" in answer.text


@LIMITS
async def test_a_stop_does_not_wait_for_a_batch_that_waits(
    rig: Rig, time: ManualClock, wechat: LocalWeChat, code: int, until: int
) -> None:
    rig.environ["SHUTDOWN_GRACE"] = "600"
    async with asyncio.timeout(90), rig.bot(ALLOW):
        await at_a_limit(rig, 2, code)
    wechat.clear("shareenv")
    time.now = until
    async with rig.bot(ALLOW):
        answer = await answer_to_all(rig)
    assert "2 shared" in answer.text


async def test_a_batch_that_a_stop_interrupts_is_free_for_another_replica_before_other_calls_end(
    rig: Rig, wechat: LocalWeChat
) -> None:
    rig.environ["SHUTDOWN_GRACE"] = "600"
    free = "SELECT 1 FROM requests WHERE appids <> '' AND state = 'placed' AND holder IS NULL"

    async def answer_once_free() -> None:
        await soon(lambda: rows(rig.database, free))
        assert wechat.in_flight == 1
        wechat.clear("shareenv")

    async with asyncio.timeout(90), asyncio.TaskGroup() as beside, rig.bot(ALLOW):
        await at_a_limit(rig, 2)
        wechat.fail("shareenv", Slow(after_effect=True), times=None)
        await rig.ask()
        await wechat.until(lambda wechat: wechat.in_flight == 1)
        beside.create_task(answer_once_free())


async def test_a_stop_finishes_the_calls_of_a_batch_and_leaves_the_rest_to_the_next_start(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    rig.environ["SHUTDOWN_GRACE"] = "600"
    wechat.fail("shareenv", Slow(after_effect=True), times=None)
    async with asyncio.timeout(90), asyncio.TaskGroup() as beside, rig.bot(ALLOW):
        await rig.ask(line(3 * AT_ONCE))
        await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
        beside.create_task(answer_at_last(time, wechat))
    assert len(wechat.calls) == len(wechat.shared) == AT_ONCE
    found = Counter(rows(rig.database, "SELECT outcome, begun FROM requests WHERE batch NOTNULL"))
    assert found == {("shared", 1): AT_ONCE, (None, 0): 2 * AT_ONCE}
    async with rig.bot(ALLOW):
        answer = await answer_to_all(rig)
    assert len(wechat.calls) == 3 * AT_ONCE
    assert f"All {3 * AT_ONCE} shared" in answer.text
    assert CALLED_TWICE not in answer.text


async def test_a_pause_is_no_longer_shown_once_it_is_over(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 60)
        with wechat.thinking():
            time.now = IN_A_MINUTE
            await soon(lambda: PAUSED_AT_LIMIT not in first(rig).text)
            assert first(rig).text.startswith("⏳")
        await answer_to_all(rig)


async def test_a_pause_that_slack_does_not_show_at_first_is_shown_later(rig: Rig) -> None:
    rig.slack.fail("chat.update", *[Status(503)] * 5)
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 3)


@LIMITS
async def test_answers_at_the_beginning_of_a_pause_are_recorded_before_its_end(
    rig: Rig, wechat: LocalWeChat, code: int, until: int
) -> None:
    wechat.fail("shareenv", Code(code))
    recorded = "SELECT appid FROM requests WHERE outcome = 'shared' AND batch IS NOT NULL"
    async with rig.bot(ALLOW):
        with wechat.thinking():
            await rig.ask(line(AT_ONCE))
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
        await paused(rig, until)
        assert len(shared(rig)) == AT_ONCE - 1
        await soon(lambda: len(rows(rig.database, recorded)) == AT_ONCE - 1)
        await rig.click(REQUESTER, first(rig), "cancel")
        answer = await answer_to_all(rig)
    assert f"{AT_ONCE - 1} shared, 1 cancelled" in answer.text


# One batch after the other.


async def test_other_batches_run_while_one_is_at_the_daily_limit(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 3, PER_DAY)
        await rig.ask(line(30, env="test-1"))
        await rig.ask(f"{appids(1)[0]} test-2")
        await soon(lambda: len(wechat.shared) == 31)
        assert "prod-1" not in {env for _, env, _ in wechat.shared}
        time.now = IN_AN_HOUR
        await answer_to_all(rig)
    assert Counter(env for _, env, _ in wechat.shared) == {"prod-1": 3, "test-1": 30, "test-2": 1}


async def test_while_a_batch_waits_for_a_minute_single_commands_run_and_other_batches_do_not(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 3)
        await rig.ask(line(3, env="test-1"))
        await rig.ask(f"{appids(1)[0]} test-2")
        await soon(lambda: len(wechat.shared) == 1)
        await time.sleeps()
        time.now = IN_A_MINUTE
        await answer_to_all(rig)
    assert [env for _, env, _ in wechat.shared] == ["test-2", *["prod-1"] * 3, *["test-1"] * 3]


async def test_items_that_wait_in_one_batch_are_skipped_in_the_next(
    rig: Rig, time: ManualClock
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2, PER_DAY)
        said = await rig.ask(f"{appids(2)[1]} prod-1 --again")
        assert "sharing `prod-1` with" in said
        assert "already" in said
        await rig.ask(line(3, "--again"))
        await soon(lambda: "1 shared, 2 skipped" in last(rig).text)
        time.now = IN_AN_HOUR
        await answer_to_all(rig)
    assert shared(rig) == appids(3)


# Cancellation.


@LIMITS
async def test_only_the_requester_can_cancel_a_paused_batch_which_ends_at_once(
    rig: Rig, time: ManualClock, wechat: LocalWeChat, code: int, until: int
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 60, code)
        assert f"^{until}^" in first(rig).text
        calls = len(wechat.calls)
        assert "Nothing was done" in await rig.click(SECOND, first(rig), "cancel")
        await time.sleeps()
        assert first(rig).text.startswith("⏳")
        said = await rig.click(REQUESTER, first(rig), "cancel")
        assert said.startswith("Cancelled 60 ")
        answer = await answer_to_all(rig)
    assert answer.text.startswith("🚫 *60 cancelled*, of 60.")
    assert len(wechat.calls) == calls
    assert time.now == NOW


async def test_an_item_whose_call_may_have_succeeded_before_a_limit_is_unknown_once_it_is_cancelled(
    rig: Rig, wechat: LocalWeChat
) -> None:
    wechat.fail("shareenv", Code(-1), Code(PER_MINUTE), appid=appids(2)[0])
    async with rig.bot(ALLOW):
        await rig.ask(line(2))
        await soon(lambda: len(wechat.calls) == 3 and PAUSED_AT_LIMIT in first(rig).text)
        await rig.click(REQUESTER, first(rig), "cancel")
        answer = await answer_to_all(rig)
    assert len(wechat.calls) == 3
    assert "1 shared, 1 unknown" in answer.text
    assert Trouble.CANCELLED.value.title in answer.text


async def test_a_batch_that_waits_for_another_can_be_cancelled_and_ends_at_once(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2)
        await rig.ask(line(3, env="test-1"))
        await soon(lambda: "0 of 3" in last(rig).text)
        said = await rig.click(REQUESTER, last(rig), "cancel")
        assert said.startswith("Cancelled 3 ")
        await soon(lambda: "3 cancelled" in last(rig).text)
        assert first(rig).text.startswith("⏳")
        time.now = IN_A_MINUTE
        await answer_to_all(rig)
    assert {env for _, env, _ in wechat.shared} == {"prod-1"}


# Failures.


async def stopped_during_a_batch(rig: Rig, rules: str = ALLOW) -> tuple[list[str], list[str]]:
    """Stop a bot without grace during a batch of a hundred; return the items that had begun, and all open ones."""
    rig.environ["SHUTDOWN_GRACE"] = "0"
    rig.wechat.fail("shareenv", *[Slow(0.0)] * AT_ONCE)
    rig.wechat.fail("shareenv", Slow(), times=None)
    done = "SELECT 1 FROM requests WHERE outcome = 'shared' AND batch IS NOT NULL"
    async with rig.bot(rules):
        await rig.ask(line(100))
        if rules == APPROVE:
            await rig.decide(APPROVER, "approve")
        await soon(lambda: len(rows(rig.database, done)) == AT_ONCE)
        await rig.wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
    rig.wechat.clear("shareenv")
    await soon(lambda: rig.wechat.in_flight == 0)
    begun = [appid for (appid,) in rows(rig.database, f"{QUEUED} AND begun")]
    left = [appid for (appid,) in rows(rig.database, QUEUED)]
    assert 0 < len(begun) < len(left) < 100
    return begun, left


def taken_over_before(rig: Rig, times: int) -> None:
    rows(rig.database, f"UPDATE requests SET taken_over = {times}")  # noqa: S608  # a number of the tests


async def test_items_that_were_not_called_again_after_a_restart_are_not_said_to_be(
    rig: Rig, wechat: LocalWeChat
) -> None:
    begun, _ = await stopped_during_a_batch(rig)
    calls = len(wechat.calls)
    rig.environ["WECHAT_TOKEN_SERVER_URL"] = f"http://127.0.0.1:{free_port()}"
    async with rig.bot(ALLOW):
        answer = await answer_to_all(rig)
    assert len(wechat.calls) == calls
    assert f"{len(begun)} unknown" in answer.text
    assert CALLED_TWICE not in answer.text


async def test_the_progress_after_a_restart_counts_each_earlier_answer_once(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    _, left = await stopped_during_a_batch(rig)
    async with rig.bot(ALLOW):
        with wechat.thinking():
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
            await time.sleeps()
            await soon(lambda: f"{100 - len(left)} of 100" in first(rig).text)
            assert wechat.in_flight == AT_ONCE
        await answer_to_all(rig)


async def test_the_progress_of_an_approved_batch_after_a_restart_is_not_covered_by_the_decision(
    rig: Rig,
) -> None:
    await stopped_during_a_batch(rig, APPROVE)
    before = len(rig.slack.calls)
    async with rig.bot(APPROVE):
        await answer_to_all(rig)
    edits = [call.args for call in rig.slack.calls[before:] if call.method == "chat.update"]
    assert any(edit["channel"] == APPROVALS for edit in edits)  # the decision is shown there
    shown = [str(edit["text"]) for edit in edits if edit["channel"] == RELEASES]
    assert shown
    assert [text for text in shown if re.search(r"\b0 of 100", text)] == []


async def test_an_error_after_a_pause_is_a_failure_not_unknown(
    rig: Rig, time: ManualClock, wechat: LocalWeChat
) -> None:
    async with rig.bot(ALLOW):
        await at_a_limit(rig, 2)
        wechat.fail("shareenv", Code(NOT_ENABLED), times=None)
        time.now = IN_A_MINUTE
        answer = await answer_to_all(rig)
    assert answer.text.startswith("❌ *2 not shared*, of 2.")


async def test_a_batch_that_was_taken_over_too_often_is_abandoned_with_all_its_items(
    rig: Rig, wechat: LocalWeChat
) -> None:
    _, left = await stopped_during_a_batch(rig)
    calls = len(wechat.calls)
    taken_over_before(rig, MOST_TAKE_OVERS + 1)
    async with rig.bot(ALLOW):
        answer = await answer_to_all(rig)
        assert f"{100 - len(left)} shared, {len(left)} unknown" in answer.text
        assert len(wechat.calls) == calls
        assert (await rig.click(REQUESTER, answer, "retry")).startswith("On it")
        await soon(lambda: set(shared(rig)) == set(appids(100)))
        await answer_to_all(rig)
    assert sorted(call.appid for call in wechat.calls[calls:]) == sorted(left)


async def test_a_summary_that_was_recorded_but_not_posted_is_complete_after_a_restart(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    wechat.fail("shareenv", Code(NOT_ENABLED))
    async with rig.bot(ALLOW):
        await rig.ask(line(3))
        answer = await answer_to_all(rig)
    slack.delete(answer.ts)
    rows(rig.database, "UPDATE requests SET state = 'answered' WHERE batch IS NULL")
    async with rig.bot(ALLOW):
        again = await answer_to_all(rig)
    assert RECEIVER_OFF in again.text
    assert again.text == answer.text
    assert len(wechat.calls) == 3
