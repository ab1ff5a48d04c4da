"""Clicks as Slack delivers them: acked at once, and always answered."""

import asyncio
from dataclasses import replace

import pytest
from aiohttp import web

from bot.messages import modals
from bot.messages.blocks import message
from bot.messages.words import code
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, TEAM
from bot.slack.api import DOUBT_PAUSE, RESPONSE_URL
from bot.slack.forms import MESSAGE_SHORTCUT
from bot.workflow.click_decisions import Reply
from tests.conftest import ENV, RELEASES, REQUESTER, ledger_down, opened, serving, soon, states
from tests.languages import CHINESE
from tests.rig import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    BOTH,
    CONFIRM,
    SECOND_APPROVER,
    Rig,
    has_button,
)
from tests.said import BROKEN, NO_SUCH_REQUEST, TOO_LATE, YOU_APPROVED

SLOW = 5.0  # seconds; longer than Slack waits


# The ack.


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_click_is_acked_before_it_is_handled(rig: Rig, button: str) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        rig.slack.fail("users.info", Slow(SLOW))
        with ledger_down(rig.database):
            ack = await rig.slack.click(REQUESTER, rig.shown(), button)
            assert ack.error is None
            assert len(rig.heard[REQUESTER]) == 1
            await soon(lambda: len(rig.heard[REQUESTER]) == 2)


async def test_a_decision_is_acked_before_it_is_handled(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail("users.info", Slow(SLOW))
        ack = await rig.slack.submit(APPROVER, view)
        assert (ack.error, ack.payload) == (None, None)
        assert rig.slack.modal(APPROVER) is None
        assert rig.heard[APPROVER] == []
        await soon(lambda: rig.heard[APPROVER])
    assert states(rig.database) == ["waiting"]


async def test_a_stop_waits_until_a_click_is_handled(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        await rig.slack.click(REQUESTER, rig.shown(), "confirm")
    assert states(rig.database) == ["ended"]
    assert len(rig.wechat.calls) == 1


async def test_a_person_whose_click_fails_unexpectedly_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    async with rig.bot(CONFIRM):
        await rig.ask()
        monkeypatch.setattr("bot.workflow.clicks.ClickHandler.answer", fail)
        await rig.slack.click(REQUESTER, rig.shown(), "confirm")
        await soon(lambda: BROKEN in str(rig.heard[REQUESTER][-1]))


# The modal.


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_a_decision_opens_a_modal_that_keeps_the_request(rig: Rig, button: str) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, button)
        assert view.body["callback_id"] == button
        said = str(view.body)
        assert f"<@{REQUESTER}> asks to share" in said
        assert ("cannot be undone" in said) == (button == "approve")
        assert "request1" in str(view.body["private_metadata"])


async def test_the_same_click_delivered_twice_opens_one_modal(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        ack = await rig.slack.click(APPROVER, await rig.question(), "approve")
        await rig.slack.redeliver(ack)
        await opened(rig.slack, APPROVER)
        await rig.slack.redeliver(ack)
    calls = [call for call in rig.slack.calls if call.method == "views.open"]
    assert [call.error for call in calls] == [None]
    assert rig.heard[APPROVER] == []


@pytest.mark.parametrize("fault", [Code("expired_trigger_id"), Status(503), Code("fatal")])
async def test_a_person_whose_modal_does_not_open_is_told_to_click_again(
    rig: Rig, fault: Code | Status
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        rig.slack.fail("views.open", fault)
        assert "please try again" in await rig.click(APPROVER, question, "approve")
        await rig.decide(APPROVER, "approve")
        await rig.over()


async def test_a_person_who_decided_meanwhile_is_not_told_to_click_again(rig: Rig) -> None:
    away, back = asyncio.Event(), asyncio.Event()

    async def until_back(seconds: float) -> None:
        if seconds == DOUBT_PAUSE:
            away.set()
            await back.wait()

    rig.runtime = replace(rig.runtime, sleep=until_back)
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        for method in ("views.open", RESPONSE_URL):
            rig.slack.fail(method, Status(503))
        await rig.slack.click(APPROVER, question, "approve")
        await away.wait()
        await rig.decide(APPROVER, "approve")
        back.set()
        await rig.over()
    assert len(rig.heard[APPROVER]) == 1


async def test_an_approver_is_not_told_that_a_request_is_under_way_once_it_has_ended(
    rig: Rig,
) -> None:
    away, back = asyncio.Event(), asyncio.Event()

    async def until_back(seconds: float) -> None:
        if seconds == DOUBT_PAUSE:
            away.set()
            await back.wait()

    rig.runtime = replace(rig.runtime, sleep=until_back)
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail("chat.postEphemeral", Status(503))
        await rig.slack.submit(APPROVER, view)
        await away.wait()
        await rig.over()
        back.set()
    assert rig.heard[APPROVER] == []


async def test_a_click_on_a_request_that_has_ended_is_answered_however_late(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        (waiting,) = rig.slack.parents(RELEASES)
        await rig.decide(APPROVER, "approve")
        await rig.over()
        rig.slack.fail(RESPONSE_URL, Status(503))
        assert TOO_LATE in await rig.click(REQUESTER, waiting, "cancel")


async def test_a_modal_is_in_the_clickers_language(rig: Rig) -> None:
    rules = APPROVE.replace('groups = ["S0APPROVERS"]', 'users = ["U0CHINESE"]')
    async with rig.bot(rules):
        await rig.ask()
        view = await rig.open("U0CHINESE", "reject")
        title = view.body["title"]
        assert isinstance(title, dict)
        assert title["text"] == CHINESE("Reject")
        told = await rig.send("U0CHINESE", view)
        rejected = "You rejected sharing {env} with {receivers}. The requester is told."
        assert told == CHINESE(rejected, env=code(ENV), receivers=code(APPID))
        # The question is for all approvers, so it stays in the channel's language.
        await rig.over()
    assert ": rejected by" in rig.slack.parents(APPROVALS)[0].text


# The answer.


async def test_an_answer_that_slack_refuses_is_sent_by_the_next_means(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        shown = rig.shown()
        await rig.click(REQUESTER, shown, "confirm", team="T0ELSEWHERE")
        ack = await rig.slack.click(REQUESTER, shown, "cancel", team="T0ELSEWHERE")
        await soon(lambda: len(rig.heard[REQUESTER]) == 3)
        dead = f"{ack.request['response_url']}-no-more"
        assert NO_SUCH_REQUEST in await rig.forge(ack, REQUESTER, response_url=dead)
        assert rig.slack.calls[-1].method == "chat.postEphemeral"
        rig.slack.fail("chat.postEphemeral", Code("user_not_in_channel"))
        assert NO_SUCH_REQUEST in await rig.forge(ack, REQUESTER, response_url=dead)
    (direct,) = rig.slack.parents("D0BOT")
    assert NO_SUCH_REQUEST in direct.text


async def test_an_answer_is_not_sent_to_an_address_that_is_not_slacks_but_by_the_next_means(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []

    async def note(request: web.BaseRequest) -> web.Response:
        called.append(request.path)
        return web.Response()

    async with rig.bot(CONFIRM), serving(note) as elsewhere:
        await rig.ask()
        shown = rig.shown()
        await rig.click(REQUESTER, shown, "confirm", team="T0ELSEWHERE")
        ack = await rig.slack.click(REQUESTER, shown, "cancel", team="T0ELSEWHERE")
        await soon(lambda: len(rig.heard[REQUESTER]) == 3)
        url = f"{elsewhere}/actions/1"
        assert NO_SUCH_REQUEST in await rig.forge(ack, REQUESTER, response_url=url)
    assert called == []
    assert caplog.messages.count("a response_url is not Slack's: nothing is sent to it") == 1


async def test_an_answer_to_a_decision_is_shown_to_the_approver_only(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.decide(APPROVER, "reject")
        await rig.over()
    (told,) = rig.slack.shown_to(APPROVER)
    assert told.channel == APPROVALS
    assert len(rig.slack.parents(APPROVALS)) == 1


async def test_a_person_who_left_the_channel_is_answered_by_direct_message(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail("chat.postEphemeral", Code("user_not_in_channel"))
        assert YOU_APPROVED in await rig.send(APPROVER, view)
        await rig.over()
    assert rig.slack.shown_to(APPROVER) == []


@pytest.mark.parametrize(
    ("rules", "channel", "replaced"),
    [
        pytest.param(CONFIRM, RELEASES, True, id="ephemeral"),
        pytest.param(APPROVE, "D0BOT", True, id="direct message"),
        pytest.param(APPROVE, RELEASES, False, id="public"),
    ],
)
async def test_a_reply_replaces_the_clicked_message_only_if_nobody_else_sees_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, rules: str, channel: str, *, replaced: bool
) -> None:
    async def replacing(*_: object) -> Reply:
        return Reply(message("told"), replaces=True)

    async with rig.bot(rules):
        await rig.ask(channel=channel)
        if rules is APPROVE:
            await rig.question()
        clicked = rig.shown() if rules is CONFIRM else rig.slack.parents(channel)[0]
        monkeypatch.setattr("bot.workflow.clicks.ClickHandler.answer", replacing)
        assert await rig.click(REQUESTER, clicked, "cancel") == "told"
    now = next(each for each in rig.slack.messages if each.ts == clicked.ts)
    assert now.text == ("told" if replaced else clicked.text)


async def test_a_public_message_is_never_replaced_by_an_answer_to_one_person(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        (waiting,) = rig.slack.parents(RELEASES)
        await rig.click("U0SECOND", waiting, "cancel")
        await rig.decide("U0SECOND", "approve")
        await rig.click(REQUESTER, waiting, "cancel")
        await rig.over()
        await rig.click(REQUESTER, waiting, "cancel")
        await rig.click(APPROVER, question, "approve")
    assert rig.slack.parents(RELEASES)[0].text.startswith("🚫")
    assert ": cancelled by" in rig.slack.parents(APPROVALS)[0].text
    assert not has_button(rig.slack.parents(APPROVALS)[0], "approve")


# A trigger that expires sooner than after three seconds.


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_the_modal_opens_before_the_person_is_looked_up(rig: Rig, button: str) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        rig.slack.triggers.lifetime = 2.0
        rig.slack.fail("users.info", Slow(2.5), user=SECOND_APPROVER)
        view = await rig.open(SECOND_APPROVER, button, question)
        assert view.body["submit"]
        rig.slack.close(SECOND_APPROVER, view)
        rig.slack.triggers.lifetime = 3.0
        await rig.decide(SECOND_APPROVER, button)
        await rig.over()


# On Enterprise Grid, people may click in another workspace than their own.


def move_to_grid(rig: Rig, *users: str) -> None:
    """Give people another workspace of the organisation as their own."""
    for user in users:
        person = rig.slack.people[user]
        rig.slack.people[user] = replace(person, team_id="T0HOME", teams=("T0HOME", TEAM))


async def test_people_of_another_workspace_of_the_organisation_click_and_submit_like_others(
    rig: Rig,
) -> None:
    move_to_grid(rig, REQUESTER, APPROVER)
    async with rig.bot(BOTH):
        await rig.ask()
        await rig.click(REQUESTER, rig.shown(), "confirm")
        told = await rig.decide(APPROVER, "approve")
        await rig.over()
    assert told.startswith(YOU_APPROVED)
    assert rig.parent().startswith("✅")


async def test_people_of_another_workspace_of_the_organisation_use_the_form_and_the_shortcuts(
    rig: Rig,
) -> None:
    move_to_grid(rig, REQUESTER)
    slack = rig.slack
    async with rig.bot(ALLOW):
        ts = slack.next_ts()
        slack.post(PostedMessage(ts, RELEASES, REQUESTER, "chat"))
        await slack.message_shortcut(REQUESTER, MESSAGE_SHORTCUT, ts)
        view = await opened(slack)
        offered = await slack.options(REQUESTER, view, modals.ENV, "")
        assert ENV in [each["value"] for each in offered]
        await slack.submit(REQUESTER, view, {modals.ENV: ENV, modals.APPIDS: APPID})
        await rig.over()
    assert len(rig.wechat.shared) == 1
