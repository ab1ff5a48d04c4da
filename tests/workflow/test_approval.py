"""Requests that wait for their approvers: asked once, reminded once, ended at their deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.outcome import Party, Shared
from bot.domain.request import Origin, Request, State
from bot.ledger.acceptance import Accepted
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.playground.faults import Code, Status
from bot.playground.slack.server import PostedMessage
from bot.policy.kinds import Policy
from bot.runtime.observers import no_op
from bot.workflow.leased import LeasedSteps
from bot.workflow.retrying import RetryingLedger
from bot.workflow.worker import Worker
from tests.conftest import RELEASES, REQUESTER, Sleep, kinds, rows, soon, states
from tests.rig import APPROVALS, APPROVE, APPROVER, SECOND_APPROVER, SECRET, Rig, has_button
from tests.said import CALLED_TWICE, MAY_BE_TWO, UNDECIDED, late_answer

TWO_HOURS = 7200.0


def below(rig: Rig) -> list[str]:
    """Return the replies below the only question."""
    (question,) = rig.slack.parents(APPROVALS)
    return [reply.text for reply in rig.slack.thread(APPROVALS, question.ts)]


async def handled(rig: Rig) -> None:
    """Wait until the due request has been handled and waits again."""
    await soon(lambda: rig.column("wake") == rig.column("until"))
    assert rig.column("holder") is None


# Deadlines.


async def test_the_approvers_are_reminded_once_at_half_time(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        assert below(rig) == []
        rig.pass_time(TWO_HOURS / 2 - 60)
    async with rig.bot(APPROVE):
        assert below(rig) == []
        rig.pass_time(60)
        await handled(rig)
        (reminder,) = below(rig)
        assert "<!subteam^S0APPROVERS>: this still waits" in reminder
        rig.pass_time(TWO_HOURS / 2 - 120)
    async with rig.bot(APPROVE):
        assert len(below(rig)) == 1
        assert states(rig.database) == ["waiting"]
        assert rig.column("taken_over") == 0
        await rig.decide(APPROVER, "approve")
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_an_approved_request_is_not_said_to_be_called_again_because_it_was_taken_over_before(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        rows(rig.database, "UPDATE requests SET taken_over = 1")
        await rig.decide(APPROVER, "approve")
        await rig.over()
    assert CALLED_TWICE not in rig.replies()[-1]
    assert rig.column("called_again") == 0


async def test_an_expired_request_ends_and_everybody_is_told(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        rig.pass_time(TWO_HOURS)
        await rig.over()
        assert ": expired." in await rig.click(APPROVER, question, "approve")
    (question,) = rig.slack.parents(APPROVALS)
    assert ": expired." in question.text
    assert not has_button(question, "approve")
    assert rig.parent().startswith("⌛")
    assert UNDECIDED in rig.replies()[0]
    assert rig.column("outcome") == "expired"
    assert below(rig) == []
    assert rig.wechat.calls == []


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_a_decision_after_the_deadline_does_not_count_even_if_the_request_is_still_open(
    rig: Rig, button: str
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, button)
        rig.let_expire()
        assert ": expired." in await rig.send(APPROVER, view)
        assert ": expired." in await rig.click(APPROVER, await rig.question(), button)
        assert ": expired." in await rig.click(REQUESTER, waiting(rig), "cancel")
    assert states(rig.database) == ["waiting"]
    assert rig.wechat.calls == []


def waiting(rig: Rig) -> PostedMessage:
    """Return the message that says that the request waits."""
    (parent,) = rig.slack.parents(RELEASES)
    return parent


# After a crash. The first bot stops where its ledger can no longer be written.


def leave(rig: Rig, **columns: str | float | None) -> None:
    """Leave the request as a bot that was killed before it recorded these columns."""
    for name, value in {"holder": "dead", **columns}.items():
        literal = "NULL" if value is None else repr(value)
        rows(rig.database, f"UPDATE requests SET {name} = {literal}")  # noqa: S608  # the tests' own


def counted(rig: Rig) -> tuple[int, int]:
    """Return the number of messages in the requester's and in the approvers' channel."""
    return len(rig.slack.parents(RELEASES)), len(rig.slack.parents(APPROVALS))


ASKING: dict[str, str | int | None] = {"asked": f"{APPROVALS}/", "all_asked": 0, "wake": None}
"""The columns of a request whose question is posted, but not recorded."""

LEFT: dict[str, dict[str, str | int | None]] = {
    "parent posted": {"place": None, "asked": None, "all_asked": 0, "wake": None},
    "question posted": ASKING,
    "question recorded": {"all_asked": 0, "wake": None},
    "asked": {"wake": None},
}


@pytest.mark.parametrize("left", LEFT)
async def test_after_any_crash_the_approvers_are_asked_once(rig: Rig, left: str) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
    leave(rig, **LEFT[left])
    if left == "parent posted":
        rig.slack.delete(rig.slack.parents(APPROVALS)[0].ts)
    async with rig.bot(APPROVE):
        await rig.question()
        assert counted(rig) == (1, 1)
        await rig.decide(APPROVER, "approve")
        await rig.over()
    assert counted(rig) == (1, 1)
    assert len(rig.wechat.calls) == 1
    assert f"<@{APPROVER}> approved" in rig.slack.parents(APPROVALS)[0].text
    assert f"Approved by <@{APPROVER}>" in rig.replies()[0]


async def test_after_a_crash_no_second_reminder_is_posted(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        rig.pass_time(TWO_HOURS / 2)
        await handled(rig)
    half = float(str(rig.column("until"))) - 1800
    leave(rig, wake=half - 3600)
    async with rig.bot(APPROVE):
        await handled(rig)
    assert len(below(rig)) == 1


async def test_a_click_on_a_question_that_was_not_recorded_decides(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        # The first replica was killed before it recorded the question; the other one gets the click first.
        leave(rig, holder=None, **ASKING)
        await rig.send(APPROVER, view)
        await rig.over()
    assert f"<@{APPROVER}>" in rig.slack.parents(APPROVALS)[0].text
    assert "approved" in rig.slack.parents(APPROVALS)[0].text
    assert f"<@{APPROVER}>" in rig.replies()[0]


async def test_a_cancellation_before_the_place_was_recorded_is_shown_in_that_place(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        leave(rig, place=None, holder=None, **ASKING)
        (waiting,) = rig.slack.parents(RELEASES)
        await rig.click(REQUESTER, waiting, "cancel")
        await rig.over()
    assert "*Cancelled*" in rig.replies()[0]
    assert rig.parent().startswith("🚫")


# Approvers who are asked directly.


@pytest.fixture
def directly(rig: Rig) -> str:
    """Rules whose two approvers are asked directly, since others may read their channel."""
    rig.slack.channels[APPROVALS] = replace(rig.slack.channels[APPROVALS], ext_shared=True)
    return APPROVE


def questions(rig: Rig) -> list[PostedMessage]:
    """Return the questions in the direct messages of both approvers."""
    found = [rig.slack.direct_message(user) for user in (APPROVER, SECOND_APPROVER)]
    return [at for each in found if each for at in rig.slack.parents(each.id)]


async def all_ended(rig: Rig) -> None:
    """Wait until the request has ended, and check that no question has a button."""
    await rig.over()
    await soon(lambda: not any(has_button(each, "approve") for each in questions(rig)))


async def test_a_question_is_ended_if_the_request_is_cancelled_while_others_cannot_be_asked(
    rig: Rig, directly: str
) -> None:
    rig.slack.fail("chat.postMessage", Status(503), times=None, channel=SECOND_APPROVER)
    async with rig.bot(directly):
        await rig.ask()
        await soon(lambda: rig.slack.parents(RELEASES) and questions(rig))
        await rig.click(REQUESTER, rig.slack.parents(RELEASES)[0], "cancel")
        await all_ended(rig)
    assert len(questions(rig)) == 1


def left_group(rig: Rig) -> str:
    """Let the second approver leave the group."""
    group = rig.slack.groups["S0APPROVERS"]
    rig.slack.groups["S0APPROVERS"] = replace(group, members=group.members - {SECOND_APPROVER})
    return APPROVE


def renamed_rule(_: Rig) -> str:
    """Let the operators rename the rule, so that the request ends as failed."""
    return APPROVE.replace("four eyes", "six eyes")


@pytest.mark.parametrize("meanwhile", [left_group, renamed_rule])
async def test_questions_that_a_crash_left_unrecorded_are_ended_whatever_changes_meanwhile(
    rig: Rig, directly: str, meanwhile: Callable[[Rig], str]
) -> None:
    async with rig.bot(directly):
        await rig.ask()
        await soon(lambda: len(questions(rig)) == 2)
        await soon(lambda: rig.column("wake") is not None)
    first, _ = str(rig.column("asked")).split()
    leave(rig, asked=f"{first} {SECOND_APPROVER}/", all_asked=0, wake=None)
    async with rig.bot(meanwhile(rig)):
        if meanwhile is left_group:
            await soon(lambda: rig.column("all_asked") == 1)
            await rig.click(REQUESTER, rig.slack.parents(RELEASES)[0], "cancel")
        await all_ended(rig)
    assert len(questions(rig)) == 2


# Unforeseen errors.


def worker_for(ledger: Ledger, sleep: Sleep, stub: Any) -> Worker:
    """Return a worker for waiting requests; the stub stands for the places, the approvers, and parts that are not used."""
    retrying, unused = RetryingLedger(ledger, sleep), stub
    leased = LeasedSteps(
        ledger=retrying,
        clock=time.monotonic,
        sleep=sleep,
        idle=asyncio.sleep,
        stopping=lambda: False,
    )
    return Worker(
        ledger=retrying,
        leased=leased,
        places=stub,
        owners=unused,
        approvals=stub,
        batches=unused,
        brake=unused,
        start=unused,
        readiness=unused,
        env_list=unused,
        changed=no_op,
    )


async def recorded(ledger: Ledger) -> Entry:
    """Record a request that waits for an approval."""
    origin = Origin(
        team_id="T1",
        user_id="U1",
        channel_id="C1",
        channel_name="releases",
        trigger_id="1.1",
        response_url="",
    )
    request = Request(
        id="r1",
        origin=origin,
        appid="wx5fe6bb43205e9e70",
        env="e",
        owner="wx0123456789abcdef",
        rule="four eyes",
    )
    found = await ledger.accept(request, State.WAITING, patience=100)
    assert isinstance(found, Accepted)
    return found.entry


class FailsAfterOneQuestion:
    """Records the first of two questions, then raises an unforeseen error; the next attempt completes."""

    def __init__(self) -> None:
        self.attempts: list[str | None] = []

    def now(self) -> float:
        """Return the time, as the brake does."""
        return 0.0

    @property
    def judge(self) -> "FailsAfterOneQuestion":
        """Return the judge of the brake."""
        return self

    @property
    def policy(self) -> Policy:
        """Return the policy in force, as the judge does."""
        return Policy(())

    async def missing(self, *_: object) -> tuple[Party, ...]:
        """Return that nobody is missing, as the judge does."""
        return ()

    async def open(self, *_: object, **__: object) -> str:
        """Open a place."""
        return "C1/1.5"

    async def ask(
        self,
        _request: Request,
        _past: Sequence[Entry],
        asked: str | None,
        record: Callable[[str], Awaitable[bool]],
        **__: object,
    ) -> str:
        """Ask the approvers who are not `asked` yet."""
        self.attempts.append(asked)
        if asked is None:
            assert await record("C2/1.6 U3/")
            raise RuntimeError
        return "C2/1.6 U3/1.7"


async def test_who_was_asked_before_an_unforeseen_error_is_not_asked_again(
    ledger: Ledger, sleep: Sleep
) -> None:
    stub = FailsAfterOneQuestion()
    await worker_for(ledger, sleep, stub).process(await recorded(ledger))
    assert stub.attempts == [None, "C2/1.6 U3/"]
    entry = await ledger.find("r1")
    assert entry
    assert (entry.state, entry.asked) == (State.WAITING, "C2/1.6 U3/1.7")


# Failures of Slack.


async def test_a_doubtful_question_is_repeated_with_a_note_if_the_history_cannot_be_read(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
    leave(rig, **ASKING)
    rig.slack.scopes.discard("channels:history")
    async with rig.bot(APPROVE):
        await rig.question()
        first, second = rig.slack.parents(APPROVALS)
        assert MAY_BE_TWO in second.text
        await rig.decide(APPROVER, "approve")
        await rig.over()
        assert late_answer(Shared()) in await rig.click(APPROVER, first, "approve")
        await soon(lambda: not has_button(rig.slack.parents(APPROVALS)[0], "reject"))
    assert not any(has_button(each, "approve") for each in rig.slack.parents(APPROVALS))
    assert len(rig.wechat.calls) == 1


async def test_the_approvers_are_not_asked_if_the_answer_could_reach_nobody(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        rig.slack.fail("chat.postMessage", Code("messages_tab_disabled"))
        asked = await rig.slack.command(REQUESTER, SECRET, "help")
        ask = {
            "text": "wx5fe6bb43205e9e70 prod-1",
            "trigger_id": rig.slack.next_trigger(),
            "response_url": f"{asked.request['response_url']}-no-more",
        }
        await rig.slack.deliver("slash_commands", {**asked.request, **ask})
        await rig.over()
    assert rig.slack.parents(APPROVALS) == []
    assert kinds(rig.database)[-1] == "nowhere to answer"
