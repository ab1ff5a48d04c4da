"""Accepted requests continue only as far as the current policy allows, also after a pause and a restart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.request import Approval, Origin, Request, State
from bot.ledger import Accepted, Entry, Ledger
from bot.playground.faults import Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID
from bot.policy import (
    Approvers,
    Ask,
    Deny,
    Effect,
    GroupUnreadable,
    Owner,
    Person,
    Policy,
    Rule,
    Unreadable,
)
from bot.workflow.brake import BrakeVerdict, verdict
from bot.workflow.ruling import decide_all
from tests.conftest import ENV, RELEASES, REQUESTER, Change, Clock, request_of, rows, soon
from tests.scenes import ALLOW, APPROVE, APPROVER, CONFIRM, DENY, Scene
from tests.workflow.test_batches import line, shared, through

BY_OTHERS = APPROVE.replace("four eyes", "six eyes")
BY_GROUP = ALLOW.replace(
    'users = ["U0REQUESTER", "U0SECOND", "U0CHINESE"]', 'groups = ["S0PLATFORM"]'
)
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
NOT_ONE = replace(NO, appids=(ONE,))
BY_GROUP_ONLY = replace(PLAIN, groups=frozenset({"S1"}))
REQUEST = Request(
    "r1", Origin("T1", "U1", "C1", "x", "1.1", ""), "", "prod-1", OWNER, "plain", appids=(ONE, TWO)
)
ASKED = Entry(REQUEST, State.PLACED, 1, 0.0)
CONFIRMED = replace(ASKED, decided=1.0)
APPROVED = replace(CONFIRMED, request=replace(REQUEST, rule="four eyes", approval=Approval("U2")))
KNOWN = Person("T1", "U1")
IN_DOUBT = Person("T1", "U1", unreadable={"S1": Unreadable.RATE_LIMITED})


@pytest.mark.parametrize(
    ("entry", "rules", "person", "expected"),
    [
        (ASKED, [PLAIN], KNOWN, BrakeVerdict.GO),
        (ASKED, [NO, PLAIN], KNOWN, BrakeVerdict.STOP),
        (ASKED, [], KNOWN, BrakeVerdict.STOP),
        (ASKED, [NOT_ONE, PLAIN], KNOWN, BrakeVerdict.STOP),
        (ASKED, [FOR_ONE, PLAIN], KNOWN, BrakeVerdict.STOP),  # two rules by now
        (ASKED, [SURE], KNOWN, BrakeVerdict.STOP),
        (CONFIRMED, [SURE], KNOWN, BrakeVerdict.GO),
        (APPROVED, [SURE], KNOWN, BrakeVerdict.GO),
        (ASKED, [FOUR], KNOWN, BrakeVerdict.STOP),
        (CONFIRMED, [FOUR], KNOWN, BrakeVerdict.STOP),
        (APPROVED, [FOUR], KNOWN, BrakeVerdict.GO),
        (APPROVED, [PLAIN], KNOWN, BrakeVerdict.GO),
        (APPROVED, [SIX], KNOWN, BrakeVerdict.STOP),  # others should have approved it
        (APPROVED, [NO], KNOWN, BrakeVerdict.STOP),
        (ASKED, [PLAIN], Unreadable.SLACK_DOWN, BrakeVerdict.IN_DOUBT),
        (ASKED, [BY_GROUP_ONLY], IN_DOUBT, BrakeVerdict.IN_DOUBT),
        (ASKED, [NOT_ONE, BY_GROUP_ONLY], IN_DOUBT, BrakeVerdict.STOP),  # of one there is no doubt
    ],
)
def test_earlier_confirmations_and_approvals_count_as_the_current_policy_requires(
    entry: Entry, rules: list[Rule], person: Person | Unreadable, expected: BrakeVerdict
) -> None:
    policy = Policy(tuple(rules), default_owner=OWNER)
    request = entry.request
    decisions = decide_all(policy, request.origin, person, request.appids, request.env)
    assert verdict(policy, entry, decisions) is expected


@pytest.mark.parametrize("person", [KNOWN, Unreadable.SLACK_DOWN])
def test_a_request_is_stopped_if_its_env_has_another_owner_now(person: Person | Unreadable) -> None:
    policy = Policy((PLAIN,), (Owner("wx00000000000000ff", ("prod-*",)),), default_owner=OWNER)
    decisions = decide_all(policy, REQUEST.origin, person, REQUEST.appids, REQUEST.env)
    assert verdict(policy, ASKED, decisions) is BrakeVerdict.STOP


def test_a_batch_without_open_items_is_not_stopped() -> None:
    assert verdict(Policy((NO,), default_owner=OWNER), ASKED, []) is BrakeVerdict.GO


# Batches.


@asynccontextmanager
async def running(scene: Scene, wechat: LocalWeChat, count: int = 100) -> AsyncIterator[None]:
    """Request a batch that starts running when the context is left."""
    wechat.latency = 0.3
    with wechat.thinking():
        await scene.ask(line(count))
        if scene.column("state") == State.WAITING.value:
            await scene.decide(APPROVER, "approve")
        await wechat.until(lambda wechat: wechat.in_flight >= 10)
        yield


async def test_a_denying_rule_stops_a_running_batch(
    scene: Scene, change: Change, wechat: LocalWeChat
) -> None:
    scene.runtime = replace(scene.runtime, brake=0.05)
    async with scene.bot(ALLOW):
        async with running(scene, wechat):
            await change(DENY)
        answer = await through(scene)
        told = await scene.ask("history")
    done = len(wechat.calls)
    assert 10 <= done < 100
    assert sorted(call.appid for call in wechat.calls) == shared(scene)
    assert f"{done} shared, {100 - done} stopped by the policy" in scene.parent()
    assert answer.text.startswith(
        f"❌ *{done} shared, {100 - done} stopped by the policy*, of 100."
    )
    assert "`/share-env why wx" in answer.text
    assert f"{100 - done} stopped by the policy" in told
    outcomes = rows(scene.database, "SELECT outcome FROM requests WHERE batch IS NOT NULL")
    assert sorted(outcomes) == [("shared",)] * done + [("stopped",)] * (100 - done)
    events = "SELECT count(*), count(DISTINCT appid) FROM events WHERE outcome = 'stopped'"
    assert rows(scene.database, events) == [(100 - done, 100 - done)]
    kind = "SELECT detail FROM events WHERE kind = 'stopped'"
    assert rows(scene.database, kind) == [(f"{100 - done} items",)]


@pytest.mark.parametrize("rules", [APPROVE, CONFIRM], ids=["approval", "confirmation"])
async def test_a_batch_without_approval_is_stopped_if_it_needs_one_now(
    scene: Scene, change: Change, wechat: LocalWeChat, rules: str
) -> None:
    scene.runtime = replace(scene.runtime, brake=0.05)
    async with scene.bot(ALLOW):
        async with running(scene, wechat):
            await change(rules)
        answer = await through(scene)
    assert "stopped by the policy" in answer.text


async def test_an_approved_batch_continues_while_its_rule_requires_that_approval(
    scene: Scene, change: Change, wechat: LocalWeChat
) -> None:
    scene.runtime = replace(scene.runtime, brake=0.05)
    async with scene.bot(APPROVE):
        async with running(scene, wechat, 60):
            await change(f"{APPROVE}confirm = true\n")
        answer = await through(scene)
    assert answer.text.startswith("✅ *All 60 shared.*")


async def test_the_approvers_see_that_the_policy_stopped_the_request(
    scene: Scene, change: Change, wechat: LocalWeChat
) -> None:
    scene.runtime = replace(scene.runtime, brake=0.05)
    async with scene.bot(APPROVE):
        async with running(scene, wechat, 60):
            await change(DENY)
        await through(scene)
        left = 60 - len(wechat.calls)
        await soon(lambda: f"the policy stopped {left} of 60." in question(scene.slack))


def question(slack: LocalSlack) -> str:
    return slack.parents("C0APPROVALS")[-1].text


async def test_a_batch_is_stopped_at_its_start_if_the_requester_has_left_the_group(
    scene: Scene, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    async with scene.bot(BY_GROUP):
        async with running(scene, wechat, 40):
            await scene.ask(line(3).replace("prod-1", "test-1"))
            group = slack.groups["S0PLATFORM"]
            slack.groups["S0PLATFORM"] = replace(group, members=group.members - {REQUESTER})
        await through(scene)
        assert (
            "*3 stopped by the policy*, of 3."
            in slack.thread(RELEASES, slack.parents(RELEASES)[-1].ts)[-1].text
        )
    assert len(wechat.calls) == 40


async def in_doubt(scene: Scene, count: int, reads: int = 1) -> None:
    """Request a batch at whose start Slack does not return the group."""
    await scene.ask("whoami")  # the group is cached
    scene.slack.fail("usergroups.list", *[Status(503)] * reads)
    await scene.ask(line(count))
    await soon(lambda: scene.slack.parents(RELEASES) and "Slack does not tell me" in scene.parent())


async def test_a_batch_pauses_and_says_so_while_slack_does_not_return_the_group(
    scene: Scene, wechat: LocalWeChat
) -> None:
    clock = Clock()
    scene.runtime = replace(scene.runtime, clock=clock)
    async with scene.bot(BY_GROUP):
        await in_doubt(scene, 5)
        assert wechat.calls == []
        clock.now += 60  # the error is no longer cached
        answer = await through(scene)
    assert answer.text.startswith("✅ *All 5 shared.*")


async def test_other_batches_run_while_slack_does_not_return_a_batchs_group(
    scene: Scene, slack: LocalSlack, wechat: LocalWeChat
) -> None:
    theirs = '[[rule]]\nname = "theirs"\nusers = ["U0SECOND"]\neffect = "allow"\n'
    scene.runtime = replace(scene.runtime, clock=Clock())  # it stays so
    async with scene.bot(BY_GROUP + theirs):
        await in_doubt(scene, 3, reads=9)
        await scene.ask(line(3).replace("prod-1", "test-1"), "U0SECOND")
        await soon(lambda: "3 shared" in slack.parents(RELEASES)[-1].text)
        assert {env for _, env, _ in wechat.shared} == {"test-1"}
        await scene.click(REQUESTER, slack.parents(RELEASES)[0], "cancel")
        await soon(lambda: "3 cancelled" in slack.parents(RELEASES)[0].text)


async def test_after_a_restart_a_denying_rule_stops_all_open_items_without_a_call(
    scene: Scene, wechat: LocalWeChat
) -> None:
    scene.environ["SHUTDOWN_GRACE"] = "0"
    done = "SELECT 1 FROM requests WHERE outcome = 'shared' AND batch IS NOT NULL"
    wechat.fail("shareenv", *[Slow(0.0)] * 20)
    wechat.fail("shareenv", Slow(), times=None)
    async with scene.bot(ALLOW):
        await scene.ask(line(100))
        await soon(lambda: len(rows(scene.database, done)) == 20 and wechat.in_flight == 20)
    wechat.clear("shareenv")
    await soon(lambda: wechat.in_flight == 0)
    begun, calls = len(rows(scene.database, BEGUN)), len(wechat.calls)
    answered = len(rows(scene.database, done))
    assert begun
    async with scene.bot(DENY):
        answer = await through(scene)
    assert len(wechat.calls) == calls
    left = 100 - answered - begun
    counts = f"{answered} shared, {begun} unknown, {left} stopped by the policy"
    assert counts in answer.text
    assert "The policy stopped this midway" in answer.text


# Single requests.


async def left_behind(scene: Scene, *, placed: bool) -> Request:
    """Leave a request in the ledger as a killed bot does."""
    request = request_of(scene.slack)
    ledger = Ledger.open(f"sqlite:///{scene.database}", "dead")
    await ledger.start()
    found = await ledger.accept(request)
    assert isinstance(found, Accepted)
    if placed:
        assert await ledger.place(found.entry, "private")
    await ledger.close()
    return request


async def test_a_request_that_was_taken_over_is_stopped_if_the_policy_denies_it_now(
    scene: Scene, wechat: LocalWeChat
) -> None:
    await left_behind(scene, placed=False)
    async with scene.bot(DENY):
        await scene.over()
        (told,) = scene.replies()
    assert wechat.calls == []
    assert scene.column("outcome") == "stopped"
    assert told.startswith("🚫 *Stopped by the policy.* Nothing was shared.")
    assert "`/share-env why" in told


async def test_a_request_whose_call_may_have_been_made_is_not_reported_as_stopped_in_time(
    scene: Scene, wechat: LocalWeChat
) -> None:
    await left_behind(scene, placed=True)
    async with scene.bot(DENY):
        await scene.over()
    assert wechat.calls == []
    assert scene.column("outcome") == "unknown"
    assert "The policy stopped this midway" in scene.heard[REQUESTER][-1]
    assert "asked WeChat once more" not in scene.heard[REQUESTER][-1]


async def test_a_request_that_is_carried_out_late_is_stopped_if_the_policy_denies_it_now(
    scene: Scene, change: Change, wechat: LocalWeChat
) -> None:
    now = scene.runtime.now
    scene.runtime = replace(scene.runtime, now=lambda: now() + 61)
    scene.slack.fail("chat.postMessage", Slow(0.5))
    async with scene.bot(ALLOW):
        await scene.ask()
        await change(DENY)
        await scene.over()
    assert wechat.calls == []


async def test_a_request_waits_while_slack_does_not_return_its_requester(
    scene: Scene, slack: LocalSlack, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    await left_behind(scene, placed=False)
    clock = Clock()
    scene.runtime = replace(scene.runtime, clock=clock)
    slack.fail("users.info", Status(503))
    async with scene.bot(ALLOW):
        await soon(lambda: "a request waits: " in caplog.text)
        assert wechat.calls == []
        clock.now += 60  # the error is no longer cached
        await scene.over()
    assert scene.column("outcome") == "shared"
    assert len(wechat.calls) == 1


async def test_an_approval_counts_only_for_its_rule(
    scene: Scene, change: Change, wechat: LocalWeChat
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(line(3))
        view = await scene.open(APPROVER, "approve")
        await change(BY_OTHERS)
        assert "You approved" in await scene.send(APPROVER, view)
        await through(scene)
    assert len(wechat.calls) == 3


@pytest.mark.parametrize("trouble", Unreadable)
def test_a_deleted_group_stops_a_request_and_a_group_that_slack_does_not_return_now_does_not(
    trouble: Unreadable,
) -> None:
    rule = Rule("platform team", Effect.ALLOW, groups=frozenset({"S0PLATFORM"}))
    origin = Origin("T1", "U1", "C1", "releases", "1.1", "")
    request = Request("r1", origin, APPID, ENV, OWNER, rule.name)
    entry = Entry(request, State.PLACED, 1, 0.0)
    ask = Ask(Person("T1", "U1"), "C1", APPID, ENV)
    denied = Deny(GroupUnreadable(rule, "S0PLATFORM", trouble))
    passing = trouble in {Unreadable.SLACK_DOWN, Unreadable.RATE_LIMITED}
    found = verdict(Policy((rule,), default_owner=OWNER), entry, [(ask, denied)])
    assert found is (BrakeVerdict.IN_DOUBT if passing else BrakeVerdict.STOP)
