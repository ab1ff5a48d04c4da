"""Messages that Slack does not accept are owed until they are posted; who asks meanwhile is told the answer."""

from dataclasses import replace

import pytest

from bot.domain.outcome import Skipped, SkipReason
from bot.playground.faults import Code, RateLimited, Slow, Status
from bot.playground.world import APPID
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, rows, soon
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, SECOND, SECOND_APPROVER, Rig, has_button
from tests.said import CLOUDBASE_OFF, SHARED, UNDECIDED, late_answer
from tests.workflow.test_batches import line

AWAY = [Status(503)] * 3  # the number of tries of one message
ONE_OF_TWO = f"""
[[rule]]
name = "the second"
users = ["U0SECOND"]
effect = "allow"
{APPROVE}"""


async def owed(rig: Rig) -> None:
    """Wait until a message is owed and its request waits."""
    await soon(lambda: rig.column("owed") is not None and rig.column("holder") is None)


def due(rig: Rig, *, after: float = 0.0) -> None:
    """End the pause, as if the outage had begun this many seconds ago."""
    rows(rig.database, f"UPDATE requests SET wake = 1, owed = owed - {after}")  # noqa: S608  # a number of the tests


async def ask_while_the_answer_is_lost(rig: Rig) -> None:
    """Request a share whose answer Slack does not accept."""
    with rig.wechat.thinking():
        await rig.ask()
        await rig.slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
        rig.slack.fail("chat.postMessage", *AWAY)
    await owed(rig)


async def test_an_answer_is_owed_across_a_restart_and_then_posted_once(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        await ask_while_the_answer_is_lost(rig)
    assert rig.parent().startswith("⏳")
    due(rig)
    async with rig.bot(ALLOW):
        await rig.over()
    assert rig.parent().startswith("✅")
    (reply,) = rig.replies()
    assert reply.startswith(SHARED)
    assert kinds(rig.database)[-4:] == ["call", "answered", "owed", "delivered"]
    assert len(rig.wechat.calls) == 1


async def test_an_owed_answer_does_not_repeat_steps_that_other_answers_told(rig: Rig) -> None:
    rig.wechat.functions |= {ENV: {}, "test-1": {}}
    async with rig.bot(ALLOW):
        await rig.ask(f"{APPID} test-1")
        await rig.over()
        with rig.wechat.thinking():
            await rig.ask()
            await rig.slack.until(lambda slack: len(slack.parents(RELEASES)) == 2)
            rig.slack.fail("chat.postMessage", *AWAY)
        await soon(lambda: "owed" in kinds(rig.database))
    due(rig)
    async with rig.bot(ALLOW):
        await rig.over(2)
    _, parent = rig.slack.parents(RELEASES)
    (answer,) = rig.slack.thread(RELEASES, parent.ts)
    assert f"`{ENV}` has no active cloud function" in answer.text
    assert has_button(answer, "steps")


async def test_an_owed_message_is_retried_within_an_hour_whatever_retry_after_says(
    rig: Rig,
) -> None:
    """A proxy may send the time of day, in seconds."""
    async with rig.bot(ALLOW):
        rig.slack.fail("chat.postMessage", RateLimited(1_800_000_000))
        await rig.ask()
        await owed(rig)
    wake, since = rig.column("wake"), rig.column("owed")
    assert isinstance(wake, float)
    assert isinstance(since, float)
    assert 3000 < wake - since < 3700


async def test_a_parent_is_owed_and_no_call_is_made_before_it_is_posted(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.slack.fail("chat.postMessage", *AWAY)
        await rig.ask()
        await owed(rig)
        assert rig.wechat.calls == []
        due(rig)
        await rig.over()
    assert rig.parent().startswith("✅")
    assert len(rig.replies()) == len(rig.wechat.calls) == 1


async def test_an_edit_of_the_parent_is_owed_and_the_answer_is_not_repeated(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.slack.fail("chat.update", *AWAY)
        await rig.ask()
        await owed(rig)
        assert rig.parent().startswith("⏳")
        due(rig)
        await rig.over()
    assert rig.parent().startswith("✅")
    assert len(rig.replies()) == 1


async def test_the_question_to_the_approvers_and_its_reminder_are_owed(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        rig.slack.fail("chat.postMessage", *AWAY, channel=APPROVALS)
        await rig.ask()
        await owed(rig)
        due(rig)
        await rig.slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        question = await rig.question()
        rig.slack.fail("chat.postMessage", *AWAY, channel=APPROVALS)
        rig.pass_time(3600)
        await owed(rig)
        due(rig)
        await soon(lambda: bool(rig.slack.thread(APPROVALS, question.ts)))
        await soon(lambda: rig.column("owed") is None)
        (reminder,) = rig.slack.thread(APPROVALS, question.ts)
        assert "still waits" in reminder.text
        rig.slack.fail("chat.update", *AWAY, channel=APPROVALS)
        rig.slack.fail("chat.update", *AWAY, channel=APPROVALS)
        await rig.decide(APPROVER, "approve", where=question)
        await owed(rig)
        due(rig)
        await rig.over()
    (settled,) = rig.slack.parents(APPROVALS)
    assert not has_button(settled, "Approve")
    assert len(rig.replies()) == 1


@pytest.mark.parametrize("user", [REQUESTER, SECOND])
async def test_a_person_who_asks_again_while_the_answer_is_owed_is_told_the_answer(
    rig: Rig, user: str
) -> None:
    async with rig.bot(ALLOW):
        await ask_while_the_answer_is_lost(rig)
        said = await rig.ask(user=user)
        assert "The answer has not reached Slack yet" in said
        assert SHARED in said
    assert len(rig.wechat.calls) == 1


async def test_only_the_requester_is_told_in_an_owed_answer_what_the_approver_said(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        rig.slack.fail("chat.postMessage", *AWAY)
        await rig.decide(APPROVER, "approve", "fine", question)
        await owed(rig)
        theirs, own = await rig.ask(user=SECOND), await rig.ask()
    for said in (theirs, own):
        assert "The answer has not reached Slack yet" in said
    assert (f"<@{APPROVER}>" in theirs, f"<@{APPROVER}>" in own) == (False, True)
    assert ("fine" in theirs, "fine" in own) == (False, True)


async def test_a_failure_whose_answer_is_owed_can_be_retried(rig: Rig) -> None:
    rig.wechat.fail("shareenv", Code(85088))
    async with rig.bot(ALLOW):
        await ask_while_the_answer_is_lost(rig)
        assert CLOUDBASE_OFF in await rig.ask()
        assert "On it" in await rig.click(REQUESTER, rig.shown(), "retry")
        await soon(lambda: len(rig.wechat.calls) == 2)
        due(rig)
        await rig.over(2)


@pytest.mark.parametrize(("days", "why"), [(6.9, None), (7.1, "too late")])
async def test_an_answer_is_owed_for_seven_days(rig: Rig, days: float, why: str | None) -> None:
    async with rig.bot(ALLOW):
        await ask_while_the_answer_is_lost(rig)
        due(rig, after=days * 86_400)
        await rig.over()
    last = rows(rig.database, "SELECT kind, detail FROM events ORDER BY id")[-1]
    assert last == (("not delivered", why) if why else ("delivered", "ready"))
    assert len(rig.replies()) == (0 if why else 1)


async def test_an_answer_that_slack_refuses_by_every_means_is_not_owed(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        with rig.wechat.thinking():
            await rig.ask()
            await rig.slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
            rig.slack.fail("response_url", Code("used_url"))
            rig.slack.fail("chat.postMessage", Code("is_archived"))
            rig.slack.fail("chat.postMessage", Code("messages_tab_disabled"))
        await rig.over()
    last = rows(rig.database, "SELECT kind, detail FROM events ORDER BY id")[-1]
    assert last == ("not delivered", "refused")


async def test_a_waiting_request_does_not_block_others_and_the_env_is_not_shared_twice(
    rig: Rig,
) -> None:
    async with rig.bot(ONE_OF_TWO):
        await rig.ask()
        question = await rig.question()
        assert "On it" in await rig.ask(user=SECOND)
        await soon(lambda: len(rig.wechat.calls) == 1)
        await soon(lambda: rig.column("state") == "ended")
        told = await rig.decide(APPROVER, "approve", where=question)
        assert late_answer(Skipped(SkipReason.SHARED_BEFORE)) in told
        await rig.over(2)
    assert len(rig.wechat.calls) == 1
    first, _ = rig.slack.parents(RELEASES)
    assert ": already shared by another request." in first.text
    (answer,) = rig.slack.thread(RELEASES, first.ts)
    assert answer.text.startswith("✅ *Another request shared it*")
    (settled,) = rig.slack.parents(APPROVALS)
    assert "already shared by another request" in settled.text


async def test_the_second_approval_finds_the_env_shared_even_while_the_first_answer_is_owed(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        for user in (REQUESTER, SECOND):
            await rig.ask(user=user)
            await soon(lambda: rig.column("wake") is not None)
        first, second = rig.slack.parents(APPROVALS)
        rig.slack.fail("chat.postMessage", *AWAY, channel=RELEASES)
        await rig.decide(APPROVER, "approve", where=first)
        await soon(lambda: "owed" in kinds(rig.database))
        told = await rig.decide(SECOND_APPROVER, "approve", where=second)
        assert late_answer(Skipped(SkipReason.SHARED_BEFORE)) in told
    assert len(rig.wechat.calls) == 1


@pytest.mark.parametrize("told", [True, False], ids=["midway", "who they are"])
async def test_direct_questions_to_approvers_are_owed_and_asked_once(rig: Rig, told: bool) -> None:
    approvals = rig.slack.channels[APPROVALS]
    rig.slack.channels[APPROVALS] = replace(approvals, ext_shared=True)
    if told:
        rig.slack.fail("chat.postMessage", *AWAY, channel=SECOND_APPROVER)
    else:
        rig.slack.fail("usergroups.list", *AWAY)
    async with rig.bot(APPROVE):
        await rig.ask()
        await owed(rig)
        due(rig)
        await soon(lambda: rig.column("all_asked") == 1, 20.0)
        await soon(lambda: rig.column("holder") is None)
        for user in (APPROVER, SECOND_APPROVER):
            assert len(rig.direct_messages(user)) == 1
    assert rig.wechat.calls == []


async def test_a_question_with_an_owed_list_is_closed_with_its_request(rig: Rig) -> None:
    rig.slack.fail("chat.postMessage", Slow(0.0), *AWAY, channel=APPROVALS)  # its list is owed
    async with rig.bot(APPROVE):
        await rig.ask(line(12))
        await owed(rig)
        (question,) = rig.slack.parents(APPROVALS)
        assert has_button(question, "approve")
        await rig.click(REQUESTER, rig.slack.parents(RELEASES)[0], "cancel")
        await rig.over()
    (settled,) = rig.slack.parents(APPROVALS)
    assert f": cancelled by <@{REQUESTER}>." in settled.text
    assert not has_button(settled, "approve")


async def test_a_decision_before_all_direct_questions_were_sent_closes_those_that_were(
    rig: Rig,
) -> None:
    approvals = rig.slack.channels[APPROVALS]
    rig.slack.channels[APPROVALS] = replace(approvals, ext_shared=True)
    async with rig.bot(APPROVE):
        rig.slack.fail("chat.postMessage", *AWAY, channel="D0APPROVER2")
        await rig.ask(line(12))
        await owed(rig)
        await rig.decide(APPROVER, "reject", where=rig.told_directly(APPROVER))
        await rig.over()
    for user in (APPROVER, SECOND_APPROVER):
        settled = rig.told_directly(user)
        assert f": rejected by <@{APPROVER}>." in settled.text
        assert not has_button(settled, "approve")


async def test_a_parent_with_an_owed_list_shows_the_result(rig: Rig) -> None:
    rig.slack.fail("chat.postMessage", Slow(0.0), *AWAY, channel=RELEASES)  # its list is owed
    async with rig.bot(APPROVE):
        await rig.ask(line(12))
        await owed(rig)
        assert rig.parent().startswith("🕓")
        rig.let_expire()
        due(rig)
        await rig.over()
    assert rig.parent().startswith("⌛")
    assert rig.replies()[-1].startswith("⌛")


async def test_a_request_that_expires_before_its_parent_is_posted_is_answered_to_its_requester_alone(
    rig: Rig,
) -> None:
    rig.slack.fail("chat.postMessage", *AWAY)
    async with rig.bot(APPROVE):
        await rig.ask()
        await owed(rig)
        rig.let_expire()
        due(rig)
        await rig.over()
    assert rig.slack.parents(RELEASES) == rig.slack.parents(APPROVALS) == []
    assert UNDECIDED in rig.heard[REQUESTER][-1]
