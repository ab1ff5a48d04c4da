"""Cancellation: by whom, from where, and who is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.domain.outcome import Cancelled, Shared
from bot.playground.faults import Slow
from bot.playground.slack.server import PostedMessage
from tests.conftest import RELEASES, REQUESTER, calls_of, kinds, rows, soon, states
from tests.rig import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    CONFIRM,
    SECOND,
    Rig,
    approved_by,
    has_button,
)
from tests.said import (
    NOT_AN_APPROVER,
    YOU_CAN_CANCEL,
    YOU_DECIDE,
    answer_to,
    late_answer,
)
from tests.workflow.test_batches import line

OPERATOR, ON_CALL, STRANGER = "U0CHINESE", SECOND, "U0STRANGER"
NOT_FOR_CANCEL = (
    f"Only <@{REQUESTER}>, who asked for it, and approvers or operators named in the policy"
)
OPERATORS = f'operators = {{ users = ["{OPERATOR}", "U0GUEST"], groups = ["S0ONCALL"] }}\n'
SIZE = 40
"""The size of a batch: more than the calls that are made at once."""


@pytest.fixture(autouse=True)
def people(rig: Rig) -> None:
    """Let everybody speak English, and put the second person on call."""
    slack = rig.slack
    slack.people[OPERATOR] = replace(slack.people[OPERATOR], locale="en-US")
    members = frozenset({ON_CALL})
    slack.groups["S0ONCALL"] = replace(slack.groups["S0PLATFORM"], id="S0ONCALL", members=members)
    channel = slack.channels[RELEASES]
    slack.channels[RELEASES] = replace(channel, members=channel.members | {*slack.people})


async def waiting(rig: Rig) -> PostedMessage:
    """Request a share that needs an approval, and return the message in the channel."""
    await rig.ask()
    await rig.question()
    (waits,) = rig.slack.parents(RELEASES)
    return waits


@asynccontextmanager
async def under_way(rig: Rig, rules: str) -> AsyncIterator[PostedMessage]:
    """Run a batch of which twenty items have begun, and yield the message in the channel."""
    async with rig.bot(rules):
        with rig.wechat.thinking():
            await rig.ask(line(SIZE))
            if "approve" in rules:
                await rig.decide(APPROVER, "approve")
            await rig.wechat.until(lambda wechat: wechat.in_flight == 20)
            (parent,) = rig.slack.parents(RELEASES)
            yield parent
        await soon(lambda: "ended" in states(rig.database)[:1])


async def cancel_at_home(rig: Rig, user: str) -> str:
    """Click the first Cancel in a person's App Home, and return what only they are told."""
    page = rig.slack.home(user)
    assert page
    before = len(rig.heard[user])
    await rig.slack.click(user, page, "cancel")
    await soon(lambda: len(rig.heard[user]) > before)
    return rig.heard[user][before]


@pytest.mark.parametrize("user", [REQUESTER, ON_CALL])
async def test_a_waiting_request_can_be_cancelled_by_its_requester_operators_and_approvers_and_everybody_is_told_who_did(
    rig: Rig, user: str
) -> None:
    async with rig.bot(OPERATORS + APPROVE):
        waits = await waiting(rig)
        read = calls_of(rig.slack, "usergroups.list")  # some twenty a minute, for everybody
        told = await rig.click(user, waits, "cancel")
        assert calls_of(rig.slack, "usergroups.list") - read == (user != REQUESTER)
        assert told.startswith("Cancelled")
        await rig.over()
    assert f"*Cancelled* by <@{user}>" in rig.replies()[-1]
    assert f": cancelled by <@{user}>" in rig.slack.parents(APPROVALS)[0].text
    assert rows(rig.database, "SELECT user FROM events WHERE kind = 'cancelled'") == [(user,)]
    assert rig.parent().startswith("🚫")
    assert not has_button(rig.slack.parents(RELEASES)[0], "cancel")
    assert rig.wechat.calls == []


async def test_a_requester_who_asks_how_to_cancel_is_sent_to_a_button_that_they_have(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        waits = await waiting(rig)
        told = await rig.ask("cancel it")
        assert has_button(waits, "cancel")
        assert "the button on its message" in told
        assert "'action_id': 'cancel'" not in await rig.open_home()
        assert "App Home" not in told


async def test_whoever_just_left_the_operators_cannot_cancel(rig: Rig) -> None:
    async with rig.bot(OPERATORS + APPROVE):
        await rig.ask("whoami", ON_CALL)  # the group is cached
        on_call = rig.slack.groups["S0ONCALL"]
        rig.slack.groups["S0ONCALL"] = replace(on_call, members=frozenset())
        assert NOT_FOR_CANCEL in await rig.click(ON_CALL, await waiting(rig), "cancel")
    assert states(rig.database) == ["waiting"]


async def test_the_approvers_of_the_current_rule_can_cancel(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        waits = await waiting(rig)
    async with rig.bot(approved_by(STRANGER, name="six eyes")):
        assert "Nothing was done" in await rig.click(APPROVER, waits, "cancel")
        assert (await rig.click(STRANGER, waits, "cancel")).startswith("Cancelled")
        await rig.over()


@pytest.mark.parametrize(
    ("user", "rules"),
    [(OPERATOR, OPERATORS + ALLOW), (APPROVER, APPROVE)],
)
async def test_items_that_have_not_begun_are_cancelled_and_the_answer_says_by_whom(
    rig: Rig, user: str, rules: str
) -> None:
    async with under_way(rig, rules) as parent:
        assert (await rig.click(user, parent, "cancel")).startswith("Cancelled ")
    assert f"*Cancelled by <@{user}>*" in rig.replies()[-1]
    assert len(rig.wechat.shared) == len(rig.wechat.calls) == 20


async def test_an_operators_home_lists_all_open_requests_with_cancel_buttons(rig: Rig) -> None:
    async with rig.bot(OPERATORS + APPROVE):
        assert YOU_CAN_CANCEL not in await rig.open_home(OPERATOR)
        await waiting(rig)
        await soon(lambda: "waiting for an approval" in rig.home(OPERATOR))
        assert YOU_CAN_CANCEL not in await rig.open_home(APPROVER)
        assert (await cancel_at_home(rig, OPERATOR)).startswith("Cancelled")
        await rig.over()
        await soon(lambda: YOU_CAN_CANCEL not in rig.home(OPERATOR))
    assert f"*Cancelled* by <@{OPERATOR}>" in rig.replies()[-1]


async def test_a_running_batch_can_be_cancelled_from_the_home_of_an_operator(rig: Rig) -> None:
    async with under_way(rig, OPERATORS + ALLOW):
        page = await rig.open_home(OPERATOR)
        assert "⏳ under way" in page
        assert YOU_DECIDE not in page
        assert YOU_CAN_CANCEL not in await rig.open_home(STRANGER)
        assert (await cancel_at_home(rig, OPERATOR)).startswith("Cancelled ")
    assert len(rig.wechat.calls) < SIZE


async def test_an_operator_can_cancel_an_unconfirmed_request_and_the_requester_is_told(
    rig: Rig,
) -> None:
    async with rig.bot(OPERATORS + CONFIRM):
        await rig.ask()
        asked = rig.shown()
        await rig.open_home(OPERATOR)
        assert (await cancel_at_home(rig, OPERATOR)).startswith("Cancelled")
        await rig.over()
        assert f"*Cancelled* by <@{OPERATOR}>" in rig.told_directly().text
        assert answer_to(Cancelled(OPERATOR)) in await rig.click(REQUESTER, asked, "confirm")
    assert rig.wechat.calls == []


async def test_operators_can_only_cancel(rig: Rig) -> None:
    async with rig.bot(OPERATORS + APPROVE.replace(f'"{OPERATOR}", ', "")):
        assert (await rig.ask(user=OPERATOR)).startswith("🚫")
        await waiting(rig)
        assert NOT_AN_APPROVER in await rig.decide(OPERATOR, "approve")
        assert NOT_AN_APPROVER in await rig.decide(OPERATOR, "reject")
    assert states(rig.database) == ["waiting"]


async def test_a_request_whose_call_has_begun_cannot_be_cancelled(rig: Rig) -> None:
    async with rig.bot(OPERATORS + APPROVE):
        waits = await waiting(rig)
        rig.wechat.fail("shareenv", Slow(after_effect=True))
        await rig.decide(APPROVER, "approve")
        await rig.wechat.until(lambda wechat: bool(wechat.calls))
        assert ": approved by" in await rig.click(OPERATOR, waits, "cancel")
        rig.wechat.clear("shareenv")
        await rig.over()
        assert late_answer(Shared()) in await rig.click(OPERATOR, waits, "cancel")
    assert "cancelled" not in kinds(rig.database)
