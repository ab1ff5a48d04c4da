"""Accepted requests continue only as far as the current policy allows, also after a pause and a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.outcome import Party
from bot.domain.request import Approval, BrokenGlass, Origin, Request, State
from bot.ledger.acceptance import Accepted
from bot.ledger.database import open_database
from bot.ledger.entries import Entry
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID
from bot.policy.kinds import (
    Approvers,
    Decided,
    Deny,
    Effect,
    GroupUnreadable,
    Owner,
    Person,
    Policy,
    Rule,
    Unreadable,
)
from bot.runtime.clock import Runtime
from bot.workflow.batches import AT_ONCE
from bot.workflow.brake import BrakeVerdict, brake_verdict
from bot.workflow.judge import Asker, Decisions
from tests import asking
from tests.conftest import (
    ENV,
    RELEASES,
    REQUESTER,
    Change,
    Clock,
    appids,
    calls_of,
    request_of,
    rows,
    soon,
)
from tests.databases import ledger_of
from tests.rig import ALLOW, APPROVE, APPROVER, DENY, SECOND, Rig, for_platform_team, history_of
from tests.said import CALLED_TWICE, PAUSED_IN_DOUBT
from tests.workflow.test_batches import answer_to_all, line, shared

BY_GROUP = for_platform_team(ALLOW)
BEGUN = "SELECT appid FROM requests WHERE batch IS NOT NULL AND begun AND state = 'queued'"

# The decision.

OWNER = "wx0123456789abcdef"
ONE, TWO = "wx0000000000000001", "wx0000000000000002"
APPROVERS = Approvers(frozenset({"U2"}), frozenset(), "C2", timedelta(hours=3))
PLAIN = Rule("plain", Effect.ALLOW)
SURE = Rule("sure", Effect.ALLOW, confirm=True)
FOUR = Rule("four eyes", Effect.APPROVE, approvers=APPROVERS)
SIX = replace(FOUR, name="six eyes")
NO = Rule("no", Effect.DENY)
FOR_ONE = replace(PLAIN, name="one", appids=(ONE,))
FOUR_FOR_ONE = replace(FOUR, appids=(ONE,))
NOT_ONE = replace(NO, appids=(ONE,))
BY_GROUP_ONLY = replace(PLAIN, groups=frozenset({"S1"}))
REQUEST = Request(
    id="r1",
    origin=Origin(
        team_id="T1",
        user_id="U1",
        channel_id="C1",
        channel_name="x",
        trigger_id="1.1",
        response_url="",
    ),
    appid="",
    env="prod-1",
    owner=OWNER,
    rule="plain",
    appids=(ONE, TWO),
)
ASKED = Entry(REQUEST, State.PLACED, 1, 0.0)
CONFIRMED = replace(ASKED, decided=1.0)
APPROVED = replace(CONFIRMED, request=replace(REQUEST, rule="four eyes", approval=Approval("U2")))
BROKEN = replace(
    CONFIRMED, request=replace(REQUEST, rule="four eyes", approval=BrokenGlass("U1", "it is down"))
)
GLASS = replace(FOUR, break_glass=Party(groups=frozenset({"S1"})))
KNOWN = Person("T1", "U1")
ON_CALL = replace(KNOWN, groups=frozenset({"S1"}))
GONE = replace(KNOWN, unreadable={"S1": Unreadable.NOT_FOUND})
IN_DOUBT = Person("T1", "U1", unreadable={"S1": Unreadable.RATE_LIMITED})


def decisions(policy: Policy, person: Person | Unreadable) -> Decisions:
    """Return the decisions on the batch, asked for by this person."""
    trouble = person if isinstance(person, Unreadable) else None
    asker = Asker(policy, asking.at(KNOWN if isinstance(person, Unreadable) else person), trouble)
    return asker.decisions(REQUEST.appids, REQUEST.env, REQUEST.reason)


@pytest.mark.parametrize(
    ("entry", "rules", "person", "expected"),
    [
        (ASKED, [PLAIN], KNOWN, BrakeVerdict.GO),
        (ASKED, [NO, PLAIN], KNOWN, BrakeVerdict.STOP),
        (ASKED, [], KNOWN, BrakeVerdict.STOP),
        (ASKED, [NOT_ONE, PLAIN], KNOWN, BrakeVerdict.STOP),
        (ASKED, [FOR_ONE, PLAIN], KNOWN, BrakeVerdict.STOP),  # two rules now
        (ASKED, [SURE], KNOWN, BrakeVerdict.STOP),
        (ASKED, [replace(PLAIN, require_reason=True)], KNOWN, BrakeVerdict.STOP),  # it has none
        (CONFIRMED, [SURE], KNOWN, BrakeVerdict.GO),
        (APPROVED, [SURE], KNOWN, BrakeVerdict.GO),
        (ASKED, [FOUR], KNOWN, BrakeVerdict.STOP),
        (CONFIRMED, [FOUR], KNOWN, BrakeVerdict.STOP),
        (CONFIRMED, [replace(FOUR, name=REQUEST.rule)], KNOWN, BrakeVerdict.STOP),
        (APPROVED, [FOUR], KNOWN, BrakeVerdict.GO),
        (APPROVED, [replace(FOUR, confirm=True)], KNOWN, BrakeVerdict.GO),
        (APPROVED, [PLAIN], KNOWN, BrakeVerdict.GO),
        (APPROVED, [SIX], KNOWN, BrakeVerdict.STOP),  # others should have approved it
        (APPROVED, [NO], KNOWN, BrakeVerdict.STOP),
        (BROKEN, [GLASS], ON_CALL, BrakeVerdict.GO),
        (BROKEN, [GLASS], KNOWN, BrakeVerdict.STOP),  # left the group
        (BROKEN, [FOUR], ON_CALL, BrakeVerdict.STOP),
        (BROKEN, [replace(GLASS, name="six eyes")], ON_CALL, BrakeVerdict.STOP),
        (BROKEN, [GLASS], IN_DOUBT, BrakeVerdict.IN_DOUBT),
        (BROKEN, [GLASS], GONE, BrakeVerdict.STOP),
        (BROKEN, [NO], ON_CALL, BrakeVerdict.STOP),
        (APPROVED, [GLASS], KNOWN, BrakeVerdict.GO),
        (APPROVED, [GLASS], IN_DOUBT, BrakeVerdict.GO),
        (ASKED, [PLAIN], Unreadable.SLACK_DOWN, BrakeVerdict.IN_DOUBT),
        (ASKED, [PLAIN], Unreadable.MISSING_SCOPE, BrakeVerdict.IN_DOUBT),
        (ASKED, [BY_GROUP_ONLY], IN_DOUBT, BrakeVerdict.IN_DOUBT),
        (ASKED, [NOT_ONE, BY_GROUP_ONLY], IN_DOUBT, BrakeVerdict.STOP),  # of one there is no doubt
        (ASKED, [FOUR_FOR_ONE, BY_GROUP_ONLY], IN_DOUBT, BrakeVerdict.STOP),  # nobody approved it
    ],
)
def test_earlier_confirmations_and_approvals_count_as_the_current_policy_requires(
    entry: Entry, rules: list[Rule], person: Person | Unreadable, expected: BrakeVerdict
) -> None:
    policy = Policy(tuple(rules), default_owner=OWNER)
    assert brake_verdict(entry, decisions(policy, person)) is expected


@pytest.mark.parametrize("person", [KNOWN, Unreadable.SLACK_DOWN])
def test_a_request_is_stopped_if_its_env_has_another_owner_now(person: Person | Unreadable) -> None:
    policy = Policy((PLAIN,), (Owner("wx00000000000000ff", ("prod-*",)),), default_owner=OWNER)
    assert brake_verdict(ASKED, decisions(policy, person)) is BrakeVerdict.STOP


def test_a_batch_without_open_items_is_not_stopped() -> None:
    nothing = Decisions(Policy((NO,), default_owner=OWNER), REQUEST.env, ())
    assert brake_verdict(ASKED, nothing) is BrakeVerdict.GO


# Batches.


@asynccontextmanager
async def running(rig: Rig, wechat: LocalWeChat, count: int = 100) -> AsyncIterator[None]:
    """Request a batch that starts running when the context is left."""
    wechat.latency = 0.3
    with wechat.thinking():
        await rig.ask(line(count))
        if rig.column("state") == State.WAITING.value:
            await rig.decide(APPROVER, "approve")
        await wechat.until(lambda wechat: wechat.in_flight >= 10)
        yield


async def test_a_denying_rule_stops_a_running_batch(
    rig: Rig, change: Change, wechat: LocalWeChat
) -> None:
    rig.runtime = replace(rig.runtime, brake_every=0.05)
    async with rig.bot(ALLOW):
        async with running(rig, wechat):
            await change(DENY)
        answer = await answer_to_all(rig)
        told = await history_of(rig.slack, REQUESTER)
    done = len(wechat.calls)
    assert 10 <= done < 100
    assert sorted(call.appid for call in wechat.calls) == shared(rig)
    assert f"{done} shared, {100 - done} stopped by the policy" in rig.parent()
    assert answer.text.startswith(
        f"❌ *{done} shared, {100 - done} stopped by the policy*, of 100."
    )
    assert "`/share-env why wx" in answer.text
    assert f"{100 - done} stopped by the policy" in told
    outcomes = rows(rig.database, "SELECT outcome FROM requests WHERE batch IS NOT NULL")
    assert sorted(outcomes) == [("shared",)] * done + [("stopped",)] * (100 - done)
    events = "SELECT count(*), count(DISTINCT appid) FROM events WHERE outcome = 'stopped'"
    assert rows(rig.database, events) == [(100 - done, 100 - done)]


@pytest.mark.parametrize("waiting", [0, AT_ONCE], ids=["all have begun", "some wait"])
async def test_a_denying_rule_stops_the_retries_of_a_running_batch_too(
    rig: Rig, change: Change, wechat: LocalWeChat, waiting: int
) -> None:
    rig.runtime = replace(rig.runtime, brake_every=0.01)
    wechat.fail("shareenv", Code(-1), times=None)
    async with rig.bot(ALLOW):
        async with running(rig, wechat, AT_ONCE + waiting):
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
            await change(DENY)
        answer = await answer_to_all(rig)
    assert len(wechat.calls) == AT_ONCE
    assert f"{AT_ONCE} unknown" in answer.text
    assert (f"{AT_ONCE} stopped by the policy" in answer.text) is bool(waiting)


async def test_a_batch_ends_only_once_it_is_recorded_what_the_policy_stopped(
    rig: Rig, change: Change, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    def tries() -> int:
        return caplog.messages.count("the ledger does not take a step")

    refuse = "BEGIN SELECT raise(ABORT, 'made up'); END"
    rig.runtime = replace(rig.runtime, brake_every=0.05)
    async with rig.bot(ALLOW):
        async with running(rig, wechat, 100):
            when = "CREATE TRIGGER no BEFORE INSERT ON events WHEN NEW.outcome = 'stopped'"
            rows(rig.database, f"{when} {refuse}")
            await change(DENY)
        await soon(lambda: tries() > AT_ONCE)
        assert rows(rig.database, "SELECT 1 FROM events WHERE outcome = 'stopped'") == []
        rows(rig.database, "DROP TRIGGER no")
        answer = await answer_to_all(rig)
    assert "stopped by the policy" in answer.text


async def test_a_rule_that_denies_only_what_has_begun_does_not_stop_the_rest(
    rig: Rig, change: Change, wechat: LocalWeChat
) -> None:
    rig.runtime = replace(rig.runtime, brake_every=0.05)
    async with rig.bot(ALLOW):
        async with running(rig, wechat, 60):
            await change(f'{DENY}appids = ["{appids(60)[0]}"]\n{ALLOW}')
        answer = await answer_to_all(rig)
    assert answer.text.startswith("✅ *All 60 shared.*")


async def test_the_approvers_see_that_the_policy_stopped_the_request(
    rig: Rig, change: Change, wechat: LocalWeChat
) -> None:
    rig.runtime = replace(rig.runtime, brake_every=0.05)
    async with rig.bot(APPROVE):
        async with running(rig, wechat, 60):
            await change(DENY)
        await answer_to_all(rig)
        left = 60 - len(wechat.calls)
        await soon(lambda: f"{left} stopped by the policy." in question(rig.slack))


def question(slack: LocalSlack) -> str:
    return slack.parents("C0APPROVALS")[-1].text


async def test_a_batch_is_stopped_at_its_start_if_the_requester_has_left_the_group(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    async with rig.bot(BY_GROUP):
        async with running(rig, wechat, 40):
            await rig.ask(line(3, env="test-1"))
            group = slack.groups["S0PLATFORM"]
            slack.groups["S0PLATFORM"] = replace(group, members=group.members - {REQUESTER})
        await answer_to_all(rig)
        assert (
            "*3 stopped by the policy*, of 3."
            in slack.thread(RELEASES, slack.parents(RELEASES)[-1].ts)[-1].text
        )
    assert len(wechat.calls) == 40


async def in_doubt(rig: Rig, count: int, reads: int = 1) -> None:
    """Request a batch at whose start Slack does not return the group."""
    await rig.ask("whoami")  # the group is cached
    rig.slack.fail("usergroups.list", *[Status(503)] * reads)
    await rig.ask(line(count))
    await soon(lambda: rig.slack.parents(RELEASES) and PAUSED_IN_DOUBT in rig.parent())


async def test_a_batch_pauses_and_says_so_while_slack_does_not_return_the_group(
    rig: Rig, wechat: LocalWeChat, people_clock: Clock
) -> None:
    rig.runtime = replace(rig.runtime, clock=people_clock)
    async with rig.bot(BY_GROUP):
        await in_doubt(rig, 5)
        assert wechat.calls == []
        people_clock.now += 60  # the error is no longer cached
        answer = await answer_to_all(rig)
    assert answer.text.startswith("✅ *All 5 shared.*")


async def test_while_slack_does_not_return_the_group_of_a_running_batch_no_item_begins(
    rig: Rig,
    slack: LocalSlack,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    people_clock: Clock,
) -> None:
    rig.runtime = replace(rig.runtime, clock=people_clock, brake_every=0.01)
    async with rig.bot(BY_GROUP):
        with wechat.thinking():
            await rig.ask(line(AT_ONCE + 5))
            await wechat.until(lambda wechat: wechat.in_flight == AT_ONCE)
            slack.fail("usergroups.list", Status(503), times=None)
            people_clock.now += 60  # the group is no longer cached
            await soon(lambda: PAUSED_IN_DOUBT in rig.parent())
        await soon(lambda: f"{AT_ONCE} of {AT_ONCE + 5}" in rig.parent())
        await soon(lambda: "a batch pauses: " in caplog.text)  # no read is under way any more
        assert len(wechat.calls) == AT_ONCE
        slack.clear("usergroups.list")
        people_clock.now += 60  # the error is no longer cached
        answer = await answer_to_all(rig)
    assert answer.text.startswith(f"✅ *All {AT_ONCE + 5} shared.*")


THEIRS = '[[rule]]\nname = "theirs"\nusers = ["U0SECOND"]\neffect = "allow"\n'


async def test_other_batches_run_while_slack_does_not_return_a_batchs_group(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    rig.runtime = replace(rig.runtime, clock=Clock())  # it stays so
    async with rig.bot(BY_GROUP + THEIRS):
        await in_doubt(rig, 3, reads=9)
        await rig.ask(line(3, env="test-1"), SECOND)
        await soon(lambda: "3 shared" in slack.parents(RELEASES)[-1].text)
        assert {env for _, env, _ in wechat.shared} == {"test-1"}
        await rig.click(REQUESTER, slack.parents(RELEASES)[0], "cancel")
        await soon(lambda: "3 cancelled" in slack.parents(RELEASES)[0].text)


async def test_after_a_restart_a_denying_rule_stops_all_open_items_without_a_call(
    rig: Rig, wechat: LocalWeChat
) -> None:
    rig.environ["SHUTDOWN_GRACE"] = "0"
    done = "SELECT 1 FROM requests WHERE outcome = 'shared' AND batch IS NOT NULL"
    wechat.fail("shareenv", *[Slow(0.0)] * 20)
    wechat.fail("shareenv", Slow(), times=None)
    async with rig.bot(ALLOW):
        await rig.ask(line(100))
        await soon(lambda: len(rows(rig.database, done)) == 20 and wechat.in_flight == 20)
    wechat.clear("shareenv")
    await soon(lambda: wechat.in_flight == 0)
    begun, calls = len(rows(rig.database, BEGUN)), len(wechat.calls)
    answered = len(rows(rig.database, done))
    assert begun
    async with rig.bot(DENY):
        answer = await answer_to_all(rig)
    assert len(wechat.calls) == calls
    left = 100 - answered - begun
    counts = f"{answered} shared, {begun} unknown, {left} stopped by the policy"
    assert counts in answer.text
    assert "The policy stopped this midway" in answer.text


# Single requests.


async def left_behind(rig: Rig, *, placed: bool) -> Request:
    """Leave a request in the ledger as a killed bot does."""
    request = request_of(rig.slack, rule="platform team")
    ledger = ledger_of(open_database(f"sqlite:///{rig.database}", Runtime()), "dead")
    await ledger.start()
    found = await ledger.accept(request)
    assert isinstance(found, Accepted)
    if placed:
        assert await ledger.place(found.entry, "private")
    await ledger.close()
    return request


async def test_a_request_that_was_taken_over_is_stopped_if_the_policy_denies_it_now(
    rig: Rig, wechat: LocalWeChat
) -> None:
    await left_behind(rig, placed=False)
    async with rig.bot(DENY):
        await rig.over()
        (told,) = rig.replies()
    assert wechat.calls == []
    assert rig.column("outcome") == "stopped"
    assert told.startswith("🚫 *Stopped by the policy.* Nothing was shared.")
    assert "`/share-env why" in told


async def test_a_request_whose_call_may_have_been_made_is_not_reported_as_stopped_in_time(
    rig: Rig, wechat: LocalWeChat
) -> None:
    await left_behind(rig, placed=True)
    async with rig.bot(DENY):
        await rig.over()
    assert wechat.calls == []
    assert rig.column("outcome") == "unknown"
    assert "The policy stopped this midway" in rig.heard[REQUESTER][-1]
    assert CALLED_TWICE not in rig.heard[REQUESTER][-1]


@pytest.mark.parametrize("shifted", [45.0, 61.0, -3600.0])
async def test_a_request_that_is_carried_out_late_is_stopped_if_its_requester_has_just_left_the_group(
    rig: Rig, wechat: LocalWeChat, shifted: float
) -> None:
    now, shift = rig.runtime.now, Clock()
    rig.runtime = replace(rig.runtime, now=lambda: now() + shift(), clock=Clock())
    rig.slack.fail("chat.postMessage", Slow())
    async with rig.bot(BY_GROUP):
        await rig.ask()
        await rig.slack.until(lambda slack: calls_of(slack, "chat.postMessage") > 0)
        group = rig.slack.groups["S0PLATFORM"]  # which stays cached
        rig.slack.groups["S0PLATFORM"] = replace(group, members=frozenset())
        shift.now += shifted
        rig.slack.clear("chat.postMessage")
        await rig.over()
    assert rig.column("outcome") == ("shared" if abs(shifted) < 60 else "stopped")
    assert len(wechat.calls) == (1 if abs(shifted) < 60 else 0)


async def test_a_request_waits_while_slack_does_not_return_its_requester(
    rig: Rig,
    slack: LocalSlack,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    people_clock: Clock,
) -> None:
    await left_behind(rig, placed=False)
    rig.runtime = replace(rig.runtime, clock=people_clock)
    slack.fail("users.info", Status(503))
    async with rig.bot(ALLOW):
        await soon(lambda: "a request waits: " in caplog.text)
        assert wechat.calls == []
        people_clock.now += 60  # the error is no longer cached
        await rig.over()
    assert rig.column("outcome") == "shared"
    assert len(wechat.calls) == 1


@pytest.mark.parametrize("placed", [False, True])
async def test_a_request_ends_if_slack_does_not_return_its_requester_for_an_hour(
    rig: Rig,
    slack: LocalSlack,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    placed: bool,
) -> None:
    await left_behind(rig, placed=placed)
    now, shift = rig.runtime.now, Clock()
    rig.runtime = replace(rig.runtime, clock=Clock(), now=lambda: now() + shift())
    slack.fail("users.info", Code("missing_scope"))
    async with rig.bot(ALLOW):
        await soon(lambda: "a request waits: " in caplog.text)
        assert rig.column("outcome") is None
        shift.now += 3600
        await rig.over()
    assert rig.column("outcome") == ("unknown" if placed else "failed")
    assert '"unchecked"' in str(rig.column("ending"))
    assert wechat.calls == []


async def test_a_stop_does_not_wait_for_a_request_that_waits_for_slack(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    await left_behind(rig, placed=False)
    rig.runtime = replace(rig.runtime, clock=Clock())  # the error stays cached
    rig.environ["SHUTDOWN_GRACE"] = "600"
    slack.fail("users.info", Status(503))
    async with asyncio.timeout(90), rig.bot(ALLOW):
        await soon(lambda: "a request waits: " in caplog.text)
    assert wechat.calls == []


@pytest.mark.parametrize("trouble", Unreadable)
def test_a_deleted_group_stops_a_request_and_a_group_that_slack_does_not_return_now_does_not(
    trouble: Unreadable,
) -> None:
    rule = Rule("platform team", Effect.ALLOW, groups=frozenset({"S0PLATFORM"}))
    origin = Origin(
        team_id="T1",
        user_id="U1",
        channel_id="C1",
        channel_name="releases",
        trigger_id="1.1",
        response_url="",
    )
    request = Request(id="r1", origin=origin, appid=APPID, env=ENV, owner=OWNER, rule=rule.name)
    entry = Entry(request, State.PLACED, 1, 0.0)
    ask = asking.ask(Person("T1", "U1"), "C1", APPID, ENV)
    denied = Deny(GroupUnreadable(rule, trouble))
    gone = trouble in {Unreadable.NOT_FOUND, Unreadable.PAID_PLAN}
    policy = Policy((rule,), default_owner=OWNER)
    verdict = brake_verdict(entry, Decisions(policy, ENV, (Decided(ask, denied),)))
    assert verdict is (BrakeVerdict.STOP if gone else BrakeVerdict.IN_DOUBT)
