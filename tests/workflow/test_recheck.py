"""Calls to Slack that are carried out after the bot gave up on them: one of each message stands, with its last state."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from bot.domain.outcome import Shared
from bot.domain.request import State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages.notices import twin
from bot.playground.faults import Code, Drop, Late
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.workflow.ports import AwayError
from bot.workflow.recheck import Recheck
from tests.conftest import RELEASES, request_of, rows, soon
from tests.languages import ENGLISH
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, SECOND, Rig, has_button
from tests.said import late_answer
from tests.workflow.test_batches import answer_to_all, line

LATER = 3600.0
"""Seconds: a look that the test has to bring about."""


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.runtime = replace(rig.runtime, recheck_after=LATER, recheck_every=0.02)
    return rig


def due(rig: Rig) -> None:
    """Let the looks be due that are planned, for calls of two hours ago."""
    doubted = f"strftime('%s') - {2 * LATER}"
    rows(rig.database, f"UPDATE requests SET recheck = 1, doubted = {doubted} WHERE recheck > 0")  # noqa: S608  # the tests' own


async def looked_at(rig: Rig) -> None:
    """Wait until no look is planned."""
    await soon(lambda: rows(rig.database, "SELECT 1 FROM requests WHERE recheck > 0") == [])


async def land(rig: Rig, method: str) -> None:
    """Let Slack carry out the calls that were given up."""
    await rig.slack.until(lambda slack: len(slack.faults.late) == 1)
    rig.slack.clear(method)
    await rig.slack.settled()


def only(messages: list[PostedMessage]) -> PostedMessage:
    (message,) = messages
    return message


async def share_with_twin(rig: Rig) -> list[PostedMessage]:
    """Share; return the parent, and its twin that Slack posted after all had ended."""
    rig.slack.fail("chat.postMessage", Late(None, Drop()), channel=RELEASES)
    await rig.ask()
    await rig.over()
    # The look at the end of the request must not find what is posted late.
    await soon(
        lambda: rows(rig.database, "SELECT 1 FROM requests WHERE recheck > ended + 600") == [(1,)]
    )
    await land(rig, "chat.postMessage")
    parents = rig.slack.parents(RELEASES)
    assert len(parents) == 2
    return parents


@pytest.mark.parametrize("restart", [False, True])
async def test_a_late_twin_of_the_parent_is_deleted_also_after_a_restart(
    rig: Rig, restart: bool
) -> None:
    async with rig.bot(ALLOW):
        await share_with_twin(rig)
        if not restart:
            due(rig)
            await looked_at(rig)
    if restart:
        due(rig)
        async with rig.bot(ALLOW):
            await looked_at(rig)
    assert only(rig.slack.parents(RELEASES)).text.startswith("✅")
    assert len(rig.replies()) == 1


async def test_a_twin_that_stands_when_the_answer_is_delivered_is_deleted_then(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.slack.fail("chat.postMessage", Late(None, Drop()), channel=RELEASES)
        with rig.wechat.thinking():
            await rig.ask()
            await rig.wechat.until(lambda wechat: wechat.in_flight == 1)
            await land(rig, "chat.postMessage")
            assert len(rig.slack.parents(RELEASES)) == 2
        await rig.over()
        await soon(lambda: len(rig.slack.parents(RELEASES)) == 1)
        # The call that was in doubt may still be carried out later: another look follows.
        assert rows(rig.database, "SELECT 1 FROM requests WHERE recheck > 0") == [(1,)]


def replied(slack: LocalSlack, late: PostedMessage) -> None:
    said = PostedMessage(slack.next_ts(), RELEASES, SECOND, "and this?", thread_ts=late.ts)
    slack.post(said)


def undeletable(slack: LocalSlack, _: PostedMessage) -> None:
    slack.fail("chat.delete", Code("compliance_exports_prevent_deletion"), times=None)


@pytest.mark.parametrize("kept", [replied, undeletable])
async def test_a_twin_that_cannot_go_is_ended_in_words(
    rig: Rig, kept: Callable[[LocalSlack, PostedMessage], None]
) -> None:
    async with rig.bot(ALLOW):
        first, late = await share_with_twin(rig)
        kept(rig.slack, late)
        due(rig)
        await looked_at(rig)
    assert [each.text for each in rig.slack.parents(RELEASES)] == [first.text, twin(ENGLISH).text]


async def test_a_click_on_a_twin_of_the_question_acts_on_the_request_and_ends_the_twin(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        rig.slack.fail("chat.postMessage", Late(None, Drop()), channel=APPROVALS)
        await rig.ask()
        await rig.question()
        await land(rig, "chat.postMessage")
        counts, late = rig.slack.parents(APPROVALS)
        rows(
            rig.database, "UPDATE requests SET recheck = NULL, doubted = NULL"
        )  # the click is enough
        view = await rig.open(APPROVER, "approve", late)
        await rig.send(APPROVER, view)
        await rig.over()
        await soon(lambda: len(rig.slack.parents(APPROVALS)) == 1)
    assert only(rig.slack.parents(APPROVALS)).ts == counts.ts
    assert not has_button(only(rig.slack.parents(APPROVALS)), "approve")
    assert len(rig.wechat.calls) == 1


async def test_a_click_on_a_twin_that_comes_too_late_ends_the_twin(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        rig.slack.fail("chat.postMessage", Late(None, Drop()), channel=APPROVALS)
        await rig.ask()
        await rig.decide(APPROVER, "approve")
        await rig.over()
        await land(rig, "chat.postMessage")
        rows(rig.database, "UPDATE requests SET recheck = NULL, doubted = NULL")
        late = rig.slack.parents(APPROVALS)[-1]
        assert late_answer(Shared()) in await rig.click(APPROVER, late, "approve")
        await soon(lambda: len(rig.slack.parents(APPROVALS)) == 1)


async def test_a_late_edit_does_not_hide_how_a_batch_ended(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        with rig.wechat.thinking():
            await rig.ask(line(3))
            await rig.wechat.until(lambda wechat: wechat.in_flight == 3)
            rig.slack.fail("chat.update", Late(None, Drop()))
        answer = await answer_to_all(rig)
        await land(rig, "chat.update")
        due(rig)
        await looked_at(rig)
    assert answer.text.startswith("✅ *All 3 shared.*")
    assert rig.parent().startswith("✅")


async def test_a_late_edit_does_not_hide_how_an_approved_request_ended(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        rig.slack.fail("chat.update", Late(None, Drop()), channel=APPROVALS)
        await rig.decide(APPROVER, "approve")
        await rig.over()
        await land(rig, "chat.update")
        question = only(rig.slack.parents(APPROVALS))
        ended = ": shared." in question.text
        due(rig)
        await looked_at(rig)
    assert ": shared." in only(rig.slack.parents(APPROVALS)).text
    assert not ended  # else the edit was not late


@pytest.mark.slow
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_however_late_slack_is_one_of_each_message_stands_with_its_last_state(
    rig: Rig, method: str
) -> None:
    rig.runtime = replace(rig.runtime, recheck_after=2.0, recheck_every=0.1)
    async with rig.bot(ALLOW):
        rig.slack.fail(method, Late(1.5, Drop()))
        await rig.ask(line(3))
        await answer_to_all(rig)
        await rig.slack.until(lambda slack: not slack.faults.late)
        await looked_at(rig)
    assert only(rig.slack.parents(RELEASES)).text.startswith("✅")
    assert len(rig.replies()) == 1


async def test_without_doubt_no_request_is_looked_at_again(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.decide(APPROVER, "approve")
        await rig.over()
    assert rows(rig.database, "SELECT doubted, recheck FROM requests") == [(None, None)]


async def test_another_look_is_due_in_a_minute_if_slack_refuses_this_one(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.workflow.recheck")
    async with rig.bot(ALLOW):
        await share_with_twin(rig)
        rig.slack.fail("conversations.history", Code("restricted_action"), times=None)
        due(rig)
        await soon(lambda: "messages in doubt could not be looked at" in caplog.messages)
        in_a_minute = "SELECT recheck - strftime('%s') BETWEEN 1 AND 61 FROM requests"
        await soon(lambda: rows(rig.database, in_a_minute) == [(1,)])


async def test_a_request_that_cannot_be_read_keeps_no_other_from_being_looked_at(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.bot(ALLOW):
        await share_with_twin(rig)
        broken = """INSERT INTO requests (id, trigger_id, team, "user", channel, channel_name, appid, env,
            owner, rule, state, created, ended, ending)
            SELECT 'broken', 'broken', team, "user", channel, channel_name, appid, env,
            owner, rule, state, created, ended, '{' FROM requests"""
        rows(rig.database, broken)
        rows(rig.database, "UPDATE requests SET recheck = CASE id WHEN 'broken' THEN 1 ELSE 2 END")
        await soon(lambda: len(rig.slack.parents(RELEASES)) == 1)
    assert "unforeseen error" in caplog.text


@dataclass(frozen=True)
class Looked:
    """Ends no twins; fails as Slack would."""

    trouble: Exception | None

    async def end(self, _: Entry) -> None:
        """Raise the trouble, if there is one."""
        if self.trouble:
            raise self.trouble


BUSY = AwayError("ratelimited", 30.0)


@pytest.mark.parametrize(
    ("due", "trouble", "wait"),
    [
        (True, None, 0.0),
        (False, None, 5.0),
        (True, BUSY, 30.0),
        (True, AwayError("internal_error"), 5.0),
        (True, ValueError("a defect"), 5.0),
    ],
    ids=["mended", "none due", "Slack is busy", "Slack is away", "a defect"],
)
async def test_the_next_look_is_at_once_only_after_a_success_and_never_before_slack_allows_it(
    slack: LocalSlack, ledger: Ledger, due: bool, trouble: Exception | None, wait: float
) -> None:
    request = request_of(slack)
    await ledger.accept(request, State.ACCEPTED)
    if due:
        ledger.rechecks.soon(request.id)
    unused = cast("Any", None)  # the request has not ended
    recheck = Recheck(
        ledger=ledger,
        places=unused,
        approvals=unused,
        twins=Looked(trouble),
        batches=unused,
        every=5.0,
        idle=unused,
    )
    assert await recheck.look() == wait
