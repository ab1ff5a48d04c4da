"""Requests that escalate: once, others are asked too, and may decide from then on."""

import pytest

from bot.playground.faults import Code, Status
from bot.playground.slack.server import PostedMessage
from tests.conftest import REQUESTER, kinds, rows, soon, states
from tests.rig import APPROVALS, APPROVER, SECOND_APPROVER, Rig, approved_by, has_button

ONCALL = "C0RELEASES"
AFTER = 1800


def later(channel: str = ONCALL, rule: str = approved_by(APPROVER), after: str = "30m") -> str:
    """Return a rule that escalates to the second approver."""
    escalate = (
        f'escalate = {{ after = "{after}", users = ["{SECOND_APPROVER}"], channel = "{channel}" }}'
    )
    return rule.replace(' channel = "C0APPROVALS"', f' {escalate}, channel = "C0APPROVALS"')


LATER = later()


def questions(rig: Rig, channel: str = ONCALL) -> list[PostedMessage]:
    """Return the questions in a channel."""
    return [each for each in rig.slack.parents(channel) if has_button(each, "approve")]


async def escalated(rig: Rig) -> None:
    """Wait until the request has escalated, and all are asked."""
    await soon(lambda: rig.column("escalated") is not None and rig.column("all_asked") == 1)
    await rig.question()


async def test_a_request_escalates_once_and_those_who_are_asked_then_may_decide(rig: Rig) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        first = await rig.question()
        told = await rig.decide(SECOND_APPROVER, "approve", where=first)
        assert "may not" in told or "approver" in told
        rig.pass_time(AFTER)
        await escalated(rig)
        (question,) = questions(rig)
        assert question.text.startswith(f"🕓 <@{SECOND_APPROVER}>: ")
        assert "It is not decided yet" in question.text
        rig.pass_time(AFTER)
        await soon(lambda: rig.column("wake") == rig.column("until"))
    async with rig.bot(LATER):
        assert len(questions(rig)) == len(questions(rig, APPROVALS)) == 1
        await rig.decide(SECOND_APPROVER, "approve", "go", where=question)
        await rig.over()
    assert not questions(rig) + questions(rig, APPROVALS)
    assert len(rig.wechat.calls) == 1
    assert kinds(rig.database).count("escalated") == 1


async def test_in_the_same_channel_they_are_asked_below_the_question(rig: Rig) -> None:
    async with rig.bot(later(APPROVALS)):
        await rig.ask()
        first = await rig.question()
        rig.pass_time(AFTER)
        await escalated(rig)
        (below,) = rig.slack.thread(APPROVALS, first.ts)
        assert below.text.startswith(f"🕓 <@{SECOND_APPROVER}>: ")
        assert len(rig.slack.parents(APPROVALS)) == 1
        await rig.decide(SECOND_APPROVER, "approve", where=below)
        await rig.over()
    (below,) = rig.slack.thread(APPROVALS, first.ts)
    assert not has_button(below, "approve")
    assert f"<@{SECOND_APPROVER}> approved" in below.text


async def test_who_is_asked_later_counts_for_whatever_is_missing(rig: Rig) -> None:
    two = approved_by(APPROVER, REQUESTER, "U0CHINESE")
    two = two.replace('users = ["U0APPROVER"', 'approvals = 2, users = ["U0APPROVER"')
    async with rig.bot(later(rule=two)):
        await rig.ask()
        await rig.question()
        await rig.decide(APPROVER, "approve")
        await rig.question()
        rig.pass_time(AFTER)
        await escalated(rig)
        (question,) = questions(rig)
        assert f"<@{APPROVER}> agreed" in question.text
        await rig.decide(SECOND_APPROVER, "approve", where=question)
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_a_decided_request_does_not_escalate(rig: Rig) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        await rig.decide(APPROVER, "reject")
        await rig.over()
        rig.pass_time(AFTER)
    async with rig.bot(LATER):
        assert questions(rig) == []
    assert "escalated" not in kinds(rig.database)


async def test_a_rule_that_no_longer_escalates_lets_only_its_approvers_decide(rig: Rig) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        await rig.question()
        rig.pass_time(AFTER)
        await escalated(rig)
        (question,) = questions(rig)
    async with rig.bot(approved_by(APPROVER)):
        await rig.decide(SECOND_APPROVER, "approve", where=question)
        assert states(rig.database) == ["waiting"]
        await rig.decide(APPROVER, "approve", where=question)
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_who_is_asked_later_is_asked_directly_where_another_organisation_reads(
    rig: Rig,
) -> None:
    async with rig.bot(later("C0PARTNERS")):
        await rig.ask()
        await rig.question()
        rig.pass_time(AFTER)
        await escalated(rig)
        (asked,) = rig.direct_messages(SECOND_APPROVER)
        assert has_button(asked, "approve")
        assert rig.direct_messages(APPROVER) == []
        await rig.decide(SECOND_APPROVER, "approve", where=asked)
        await rig.over()


async def test_an_escalation_is_owed_while_slack_is_away_and_asked_once(rig: Rig) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        await rig.question()
        for _ in range(3):
            rig.slack.fail("chat.postMessage", Status(503), channel=ONCALL)
        rig.pass_time(AFTER)
        await soon(lambda: rig.column("owed") is not None)
        rows(rig.database, "UPDATE requests SET wake = 1")
        await escalated(rig)
        assert len(questions(rig)) == 1
    assert kinds(rig.database).count("escalated") == 1


async def test_after_a_crash_they_are_asked_once(rig: Rig) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        await rig.question()
        rig.pass_time(AFTER)
        await escalated(rig)
    first = str(rig.column("asked")).split()[0]
    rows(
        rig.database,
        f"UPDATE requests SET holder = 'dead', wake = NULL, all_asked = 0, asked = '{first} {ONCALL}/'",  # noqa: S608  # ours
    )
    async with rig.bot(LATER):
        await escalated(rig)
        assert len(questions(rig)) == 1


async def test_a_refused_escalation_lets_them_decide_in_their_app_home(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    async with rig.bot(LATER):
        await rig.ask()
        await rig.question()
        assert "Approve" not in await rig.open_home(SECOND_APPROVER)
        rig.slack.fail("chat.postMessage", Code("not_in_channel"), times=None, channel=ONCALL)
        rig.pass_time(AFTER)
        await escalated(rig)
        assert "nobody can be asked to whom a request escalates" in caplog.messages
        assert "Waiting for your decision" in await rig.open_home(SECOND_APPROVER)


async def test_a_request_that_a_rule_without_escalation_accepted_escalates_by_the_rule_in_force(
    rig: Rig,
) -> None:
    async with rig.bot(approved_by(APPROVER)):
        await rig.ask()
        await rig.question()
        rig.pass_time(2 * AFTER)
        await soon(lambda: rig.column("wake") == rig.column("until"))
    async with rig.bot(LATER):
        rows(rig.database, "UPDATE requests SET wake = 1")
        await escalated(rig)
        assert len(questions(rig)) == 1
