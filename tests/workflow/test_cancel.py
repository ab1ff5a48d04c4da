"""Cancellation: by whom, from where, and who is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.domain.outcome import Cancelled, Shared
from bot.playground.faults import Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, ledger_down, rows, soon, states
from tests.said import CANNOT_TELL_WHO, CLICK_NOT_RECORDED, NOT_AN_APPROVER, late_answer
from tests.scenes import ALLOW, APPROVALS, APPROVE, APPROVER, CONFIRM, Scene, has_button

OPERATOR, ON_CALL, STRANGER = "U0CHINESE", "U0SECOND", "U0STRANGER"
OPERATORS = f'operators = {{ users = ["{OPERATOR}", "U0GUEST"], groups = ["S0ONCALL"] }}\n'
SIZE = 40
"""The size of a batch: more than the calls that are made at once."""
BATCH = f"{APPID} wx00000000000000a1 {ENV}"


@pytest.fixture(autouse=True)
def people(scene: Scene) -> None:
    """Let everybody speak English, and put the second person on call."""
    slack = scene.slack
    slack.people[OPERATOR] = replace(slack.people[OPERATOR], locale="en-US")
    members = frozenset({ON_CALL})
    slack.groups["S0ONCALL"] = replace(slack.groups["S0PLATFORM"], id="S0ONCALL", members=members)
    channel = slack.channels[RELEASES]
    slack.channels[RELEASES] = replace(channel, members=channel.members | {*slack.people})


async def waiting(scene: Scene) -> PostedMessage:
    """Request a share that needs an approval, and return the message in the channel."""
    await scene.ask()
    await scene.question()
    (waits,) = scene.slack.parents(RELEASES)
    return waits


@asynccontextmanager
async def under_way(scene: Scene, rules: str) -> AsyncIterator[PostedMessage]:
    """Run a batch of eighty of which twenty have begun, and yield the message in the channel."""
    appids = " ".join(f"wx{number:016x}" for number in range(SIZE))
    async with scene.bot(rules):
        with scene.wechat.thinking():
            await scene.ask(f"{appids} {ENV}")
            if "approve" in rules:
                await scene.decide(APPROVER, "approve")
            await scene.wechat.until(lambda wechat: wechat.in_flight == 20)
            (parent,) = scene.slack.parents(RELEASES)
            yield parent
        await soon(lambda: "ended" in states(scene.database)[:1])


async def home(scene: Scene, user: str) -> str:
    """Open a person's App Home, and return its text."""
    before = sum(call.method == "views.publish" for call in scene.slack.calls)
    await scene.slack.open_home(user)
    await scene.slack.until(
        lambda slack: sum(call.method == "views.publish" for call in slack.calls) > before
    )
    await soon(lambda: scene.slack.home(user))
    page = scene.slack.home(user)
    assert page
    return str(page.blocks)


async def cancel_at_home(scene: Scene, user: str) -> str:
    """Click the first Cancel in a person's App Home, and return what only they are told."""
    page = scene.slack.home(user)
    assert page
    before = len(scene.heard[user])
    await scene.slack.click(user, page, "cancel")
    await soon(lambda: len(scene.heard[user]) > before)
    return scene.heard[user][before]


@pytest.mark.parametrize("user", [OPERATOR, ON_CALL, APPROVER])
async def test_operators_and_approvers_can_cancel_waiting_requests_and_everybody_is_told_who_did(
    scene: Scene, user: str
) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        told = await scene.click(user, await waiting(scene), "cancel")
        assert told.startswith("Cancelled")
        await scene.over()
    assert f"*Cancelled* by <@{user}>" in scene.replies()[-1]
    assert f"<@{user}> cancelled this" in scene.slack.parents(APPROVALS)[0].text
    assert rows(scene.database, "SELECT user FROM events WHERE kind = 'cancelled'") == [(user,)]
    assert scene.wechat.calls == []


@pytest.mark.parametrize("user", [STRANGER, "U0GUEST"])
async def test_nobody_else_can_cancel(scene: Scene, user: str) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        told = await scene.click(user, await waiting(scene), "cancel")
        assert (
            f"Only <@{REQUESTER}>, who asked for it, and approvers or operators named in the policy"
            in told
        )
    assert states(scene.database) == ["waiting"]


async def test_without_operators_in_the_policy_nobody_is_one(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        assert "Nothing was done" in await scene.click(OPERATOR, await waiting(scene), "cancel")
    assert states(scene.database) == ["waiting"]


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_nothing_is_cancelled_while_the_clicker_cannot_be_looked_up(
    scene: Scene, method: str
) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        waits = await waiting(scene)
        scene.slack.fail(method, *[Status(503)] * 3)
        assert CANNOT_TELL_WHO in await scene.click(ON_CALL, waits, "cancel")
    assert states(scene.database) == ["waiting"]


async def test_the_approvers_of_the_current_rule_can_cancel(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        waits = await waiting(scene)
    by_now = APPROVE.replace("four eyes", "six eyes")
    by_now = by_now.replace('groups = ["S0APPROVERS"]', f'users = ["{STRANGER}"]')
    async with scene.bot(by_now):
        assert "Nothing was done" in await scene.click(APPROVER, waits, "cancel")
        assert (await scene.click(STRANGER, waits, "cancel")).startswith("Cancelled")
        await scene.over()


@pytest.mark.parametrize(
    ("user", "rules"),
    [(OPERATOR, OPERATORS + ALLOW), (REQUESTER, ALLOW), (APPROVER, APPROVE)],
)
async def test_items_that_have_not_begun_are_cancelled_and_the_answer_says_by_whom(
    scene: Scene, user: str, rules: str
) -> None:
    async with under_way(scene, rules) as parent:
        assert (await scene.click(user, parent, "cancel")).startswith("Cancelled ")
    assert f"*Cancelled* by <@{user}>" in scene.replies()[-1]
    assert len(scene.wechat.calls) < SIZE


async def test_approvers_of_other_rules_cannot_cancel_a_batch(scene: Scene) -> None:
    async with under_way(scene, ALLOW) as parent:
        assert "Nothing was done" in await scene.click(APPROVER, parent, "cancel")
    assert len(scene.wechat.calls) == SIZE


async def test_an_operators_home_lists_all_open_requests_with_cancel_buttons(scene: Scene) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        assert "What you can cancel" not in await home(scene, OPERATOR)
        await waiting(scene)
        await soon(lambda: "waiting for approval" in str(scene.slack.home(OPERATOR)))
        assert "What you can cancel" not in await home(scene, APPROVER)
        assert (await cancel_at_home(scene, OPERATOR)).startswith("Cancelled")
        await scene.over()
        await soon(lambda: "What you can cancel" not in str(scene.slack.home(OPERATOR)))
    assert f"*Cancelled* by <@{OPERATOR}>" in scene.replies()[-1]


@pytest.mark.parametrize(("user", "rules"), [(OPERATOR, OPERATORS + ALLOW), (APPROVER, APPROVE)])
async def test_a_running_batch_can_be_cancelled_from_the_home_of_an_operator_or_approver(
    scene: Scene, user: str, rules: str
) -> None:
    async with under_way(scene, rules):
        assert "⏳ under way" in await home(scene, user)
        assert "What you can cancel" not in await home(scene, STRANGER)
        assert (await cancel_at_home(scene, user)).startswith("Cancelled ")
    assert len(scene.wechat.calls) < SIZE


async def test_an_operator_can_cancel_an_unconfirmed_request_and_the_requester_is_told(
    scene: Scene,
) -> None:
    async with scene.bot(OPERATORS + CONFIRM):
        await scene.ask()
        asked = scene.shown()
        await home(scene, OPERATOR)
        assert (await cancel_at_home(scene, OPERATOR)).startswith("Cancelled")
        await scene.over()
        assert f"*Cancelled* by <@{OPERATOR}>" in scene.told_directly().text
        assert late_answer(Cancelled("")) in await scene.click(REQUESTER, asked, "confirm")
    assert scene.wechat.calls == []


async def test_operators_can_only_cancel(scene: Scene) -> None:
    async with scene.bot(OPERATORS + APPROVE.replace(f'"{OPERATOR}", ', "")):
        assert (await scene.ask(user=OPERATOR)).startswith("🚫")
        await waiting(scene)
        question = await scene.question()
        assert NOT_AN_APPROVER in await scene.click(OPERATOR, question, "approve")
        assert NOT_AN_APPROVER in await scene.click(OPERATOR, question, "reject")
    assert states(scene.database) == ["waiting"]


async def test_a_request_whose_call_has_begun_cannot_be_cancelled(scene: Scene) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        waits = await waiting(scene)
        scene.wechat.fail("shareenv", Slow(after_effect=True))
        await scene.decide(APPROVER, "approve")
        await scene.wechat.until(lambda wechat: bool(wechat.calls))
        assert "approved it already" in await scene.click(OPERATOR, waits, "cancel")
        scene.wechat.clear("shareenv")
        await scene.over()
        assert late_answer(Shared()) in await scene.click(OPERATOR, waits, "cancel")
    assert "cancelled" not in kinds(scene.database)


async def test_a_cancellation_that_cannot_be_recorded_has_no_effect(scene: Scene) -> None:
    async with scene.bot(OPERATORS + APPROVE):
        waits = await waiting(scene)
        with ledger_down(scene.database):
            assert CLICK_NOT_RECORDED in await scene.click(OPERATOR, waits, "cancel")
        assert has_button(scene.slack.parents(RELEASES)[0], "cancel")
        await scene.click(OPERATOR, waits, "cancel")
        await scene.over()
