"""Clicks as Slack delivers them: acked at once, read wherever the button is, and always answered."""

from dataclasses import replace
from typing import Any

import pytest

from bot.messages import modals
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, TEAM
from bot.slack.clicks import click_of, decision_of
from bot.slack.forms import MESSAGE_SHORTCUT
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, ledger_down, soon, states
from tests.languages import CHINESE
from tests.said import NO_SUCH_REQUEST, NOT_AN_APPROVER, YOU_APPROVED
from tests.scenes import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    BOTH,
    CONFIRM,
    SECOND_APPROVER,
    Scene,
    has_button,
    words_of,
)

SLOW = 5.0  # seconds; longer than Slack waits


# The ack.


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_click_is_acked_before_it_is_handled(scene: Scene, button: str) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        scene.slack.fail("users.info", Slow(SLOW))
        with ledger_down(scene.database):
            ack = await scene.slack.click(REQUESTER, scene.shown(), button)
            assert ack.error is None
            assert len(scene.heard[REQUESTER]) == 1
            await soon(lambda: len(scene.heard[REQUESTER]) == 2)


async def test_a_decision_is_acked_before_it_is_handled(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        scene.slack.fail("users.info", Slow(SLOW))
        ack = await scene.slack.submit(APPROVER, view)
        assert (ack.error, ack.payload) == (None, None)
        assert scene.slack.views(APPROVER) == []
        assert scene.heard[APPROVER] == []
        await soon(lambda: scene.heard[APPROVER])
    assert states(scene.database) == ["waiting"]


async def test_a_stop_waits_until_a_click_is_handled(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        await scene.slack.click(REQUESTER, scene.shown(), "confirm")
    assert states(scene.database) == ["ended"]
    assert len(scene.wechat.calls) == 1


# The modal.


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_a_decision_opens_a_modal_that_keeps_the_request(scene: Scene, button: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, button)
        assert view.callback_id == button
        said = str(view.body)
        assert f"<@{REQUESTER}> asks to share" in said
        assert ("cannot be undone" in said) == (button == "approve")
        assert "request1" in str(view.body["private_metadata"])


async def test_the_same_click_delivered_twice_opens_one_modal(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        ack = await scene.slack.click(APPROVER, await scene.question(), "approve")
        await scene.slack.redeliver(ack)
        await scene.slack.until(lambda slack: bool(slack.views(APPROVER)))
        await scene.slack.redeliver(ack)
    opened = [call for call in scene.slack.calls if call.method == "views.open"]
    assert [call.error for call in opened] == [None]
    assert scene.heard[APPROVER] == []


@pytest.mark.parametrize("fault", [Code("expired_trigger_id"), Status(503), Code("fatal")])
async def test_a_person_whose_modal_does_not_open_is_told_to_click_again(
    scene: Scene, fault: Code | Status
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        scene.slack.fail("views.open", fault)
        assert "please click again" in await scene.click(APPROVER, question, "approve")
        await scene.decide(APPROVER, "approve")
        await scene.over()


async def test_a_modal_is_in_the_clickers_language(scene: Scene) -> None:
    rules = APPROVE.replace('groups = ["S0APPROVERS"]', 'users = ["U0CHINESE"]')
    async with scene.bot(rules):
        await scene.ask()
        view = await scene.open("U0CHINESE", "reject")
        title = view.body["title"]
        assert isinstance(title, dict)
        assert title["text"] == CHINESE("Reject")
        told = await scene.send("U0CHINESE", view)
        rejected = "You rejected sharing {env} with {receivers}. The requester is told."
        assert told == CHINESE(rejected, env=f"`{ENV}`", receivers=f"`{APPID}`")
        # The question is for all approvers, so it stays in the channel's language.
        await scene.over()
    assert "rejected this" in scene.slack.parents(APPROVALS)[0].text


# The answer.


async def test_an_answer_that_slack_refuses_is_sent_by_the_next_means(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        shown = scene.shown()
        await scene.click(REQUESTER, shown, "confirm", team="T0ELSEWHERE")
        ack = await scene.slack.click(REQUESTER, shown, "cancel", team="T0ELSEWHERE")
        await soon(lambda: len(scene.heard[REQUESTER]) == 3)
        dead = f"{ack.request['response_url']}-no-more"
        assert NO_SUCH_REQUEST in await scene.forge(ack, REQUESTER, response_url=dead)
        assert scene.slack.calls[-1].method == "chat.postEphemeral"
        scene.slack.fail("chat.postEphemeral", Code("user_not_in_channel"))
        assert NO_SUCH_REQUEST in await scene.forge(ack, REQUESTER, response_url=dead)
    (direct,) = scene.slack.parents("D0BOT")
    assert NO_SUCH_REQUEST in direct.text


async def test_an_answer_to_a_decision_is_shown_to_the_approver_only(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.decide(APPROVER, "reject")
        await scene.over()
    (told,) = scene.slack.shown_to(APPROVER)
    assert told.channel == APPROVALS
    assert len(scene.slack.parents(APPROVALS)) == 1


async def test_a_person_who_left_the_channel_is_answered_by_direct_message(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        scene.slack.fail("chat.postEphemeral", Code("user_not_in_channel"))
        assert YOU_APPROVED in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.slack.shown_to(APPROVER) == []


async def test_a_public_message_is_never_replaced_by_an_answer_to_one_person(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        (waiting,) = scene.slack.parents(RELEASES)
        for user, where, button in (
            ("U0SECOND", waiting, "cancel"),
            ("U0SECOND", question, "approve"),
            (REQUESTER, waiting, "cancel"),
        ):
            await scene.click(user, where, button)
        await scene.over()
        await scene.click(REQUESTER, waiting, "cancel")
        await scene.click(APPROVER, question, "approve")
    assert scene.slack.parents(RELEASES)[0].text.startswith("🚫")
    assert "cancelled this" in scene.slack.parents(APPROVALS)[0].text
    assert not has_button(scene.slack.parents(APPROVALS)[0], "approve")


# Reading payloads.


BODY: dict[str, Any] = {
    "user": {"id": "U1", "team_id": "T1"},
    "team": {"id": "T1"},
    "trigger_id": "1.2.x",
    "response_url": "https://hooks.example/1",
    "channel": {"id": "C1", "name": "releases"},
    "message": {"ts": "1.5"},
    "container": {"type": "message", "message_ts": "1.5", "channel_id": "C1"},
    "actions": [{"action_id": "approve", "value": "r1"}],
}


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        pytest.param(
            {},
            {"message": "C1/1.5", "active_thread": "", "team_id": "T1"},
            id="message",
        ),
        pytest.param(
            {"message": {"ts": "1.7", "thread_ts": "1.5"}},
            {"message": "C1/1.7/1.5", "active_thread": "1.5"},
            id="in a thread",
        ),
        pytest.param(
            {
                "message": None,
                "container": {"is_ephemeral": True, "channel_id": "C1", "thread_ts": "1.5"},
            },
            {"message": None, "active_thread": "1.5", "channel_id": "C1"},
            id="ephemeral",
        ),
        pytest.param(
            {"container": {"is_ephemeral": True, "channel_id": "C1"}},
            {"message": None},
            id="ephemeral, with its message",
        ),
        pytest.param(
            {
                "channel": None,
                "message": None,
                "response_url": None,
                "container": {"type": "view", "view_id": "V1"},
            },
            {
                "channel_id": "",
                "channel_name": "",
                "message": None,
                "response_url": "",
            },
            id="App Home",
        ),
        pytest.param(
            {"user": {"id": "U1", "team_id": "T2"}},
            {"team_id": "T1"},
            id="another team of their own",
        ),
        pytest.param({"user": {"id": "U1"}}, {"team_id": "T1"}, id="no team of their own"),
        pytest.param(
            {"team": {"id": "T2"}, "view": {"app_installed_team_id": "T1"}},
            {"team_id": "T1"},
            id="a view opened from another workspace",
        ),
        pytest.param(
            {"team": None, "user": {"id": "U1", "team_id": "T1"}},
            {"team_id": "T1"},
            id="no team but their own",
        ),
        pytest.param({"actions": [{"action_id": "approve"}]}, {"request_id": ""}, id="no value"),
        pytest.param({}, {"request_id": "r1", "reason": None}, id="no reason"),
        pytest.param(
            {"actions": [{"action_id": "again", "value": "r1 a <b> & c"}]},
            {"request_id": "r1", "reason": "a <b> & c"},
            id="a reason",
        ),
        pytest.param(
            {"actions": [{"action_id": "again", "value": "r1 a &lt;b&gt; &amp; c"}]},
            {"request_id": "r1", "reason": "a <b> & c"},
            id="a reason, escaped",
        ),
    ],
)
def test_a_click_is_read_wherever_the_button_is(
    changes: dict[str, Any], read: dict[str, str | None]
) -> None:
    click = click_of({**BODY, **changes})
    assert {name: getattr(click, name) for name in read} == read
    assert (click.user_id, click.trigger_id) == ("U1", "1.2.x")


@pytest.mark.parametrize(
    ("metadata", "read"),
    [
        ("r1 C1/1.5", {"message": "C1/1.5", "channel_id": "C1", "active_thread": ""}),
        ("r1 C1/1.7/1.5", {"message": "C1/1.7/1.5", "channel_id": "C1", "active_thread": "1.5"}),
        ("r1", {"message": None, "channel_id": "", "active_thread": ""}),
    ],
    ids=["message", "in a thread", "App Home"],
)
def test_a_decision_is_read_as_a_click_at_the_place_of_its_button(
    metadata: str, read: dict[str, str | None]
) -> None:
    values = {"comment": {"comment": {"value": "fine"}}}
    view = {"id": "V1", "hash": "2.x", "private_metadata": metadata, "state": {"values": values}}
    click = decision_of({"user": {"id": "U2"}, "team": {"id": "T1"}, "view": view})
    assert {name: getattr(click, name) for name in read} == read
    assert (click.request_id, click.user_id, click.comment) == ("r1", "U2", "fine")
    assert click.trigger_id == "V1 2.x"


# A trigger that expires sooner than after three seconds.


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_the_modal_opens_before_the_person_is_looked_up(scene: Scene, button: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        scene.slack.triggers.lifetime = 2.0
        scene.slack.fail("users.info", Slow(2.5), user=SECOND_APPROVER)
        view = await scene.open(SECOND_APPROVER, button, question)
        assert view.body["submit"]
        scene.slack.close(SECOND_APPROVER, view)
        scene.slack.triggers.lifetime = 3.0
        await scene.decide(SECOND_APPROVER, button)
        await scene.over()


async def test_the_modal_of_a_person_who_may_not_decide_says_why_and_cannot_be_submitted(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        scene.slack.triggers.lifetime = 2.0
        scene.slack.fail("users.info", Slow(1.5), user="U0SECOND")
        told = await scene.click("U0SECOND", question, "approve")
        [view] = scene.slack.views("U0SECOND")
    assert told.startswith(NOT_AN_APPROVER)
    assert words_of(view) == told
    assert view.body["submit"] is None
    assert kinds(scene.database).count("not an approver") == 1


@pytest.mark.parametrize("method", ["views.open", "views.update"])
async def test_a_person_who_may_not_decide_is_told_in_an_ephemeral_message_if_the_modal_cannot_say_so(
    scene: Scene, method: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        scene.slack.fail(method, Code("internal_error"))
        told = await scene.click("U0SECOND", await scene.question(), "approve")
        assert told.startswith(NOT_AN_APPROVER)
        assert scene.shown("U0SECOND").text == told


async def test_a_person_who_closed_the_modal_is_told_nothing_more(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        scene.slack.fail("users.info", Slow(1.5), user="U0SECOND")
        view = await scene.open("U0SECOND", "approve", question)
        scene.slack.close("U0SECOND", view)
        await scene.slack.until(lambda s: any(c.error == "not_found" for c in s.calls))
    assert scene.heard["U0SECOND"] == []


# On Enterprise Grid, people may click in another workspace than their own.


def move_to_grid(scene: Scene, *users: str) -> None:
    """Give people another workspace of the organisation as their own."""
    for user in users:
        person = scene.slack.people[user]
        scene.slack.people[user] = replace(person, team_id="T0HOME", teams=("T0HOME", TEAM))


async def test_people_of_another_workspace_of_the_organisation_click_and_submit_like_others(
    scene: Scene,
) -> None:
    move_to_grid(scene, REQUESTER, APPROVER)
    async with scene.bot(BOTH):
        await scene.ask()
        await scene.click(REQUESTER, scene.shown(), "confirm")
        told = await scene.decide(APPROVER, "approve")
        await scene.over()
    assert told.startswith(YOU_APPROVED)
    assert scene.parent().startswith("✅")


async def test_people_of_another_workspace_of_the_organisation_use_the_form_and_the_shortcuts(
    scene: Scene,
) -> None:
    move_to_grid(scene, REQUESTER)
    slack = scene.slack
    async with scene.bot(ALLOW):
        ts = slack.next_ts()
        slack.post(PostedMessage(ts, RELEASES, REQUESTER, "chat"))
        await slack.message_shortcut(REQUESTER, MESSAGE_SHORTCUT, ts)
        await slack.until(lambda slack: bool(slack.views(REQUESTER)))
        view = slack.views(REQUESTER)[0]
        offered = await slack.options(REQUESTER, view, modals.ENV, "")
        assert ENV in [each["value"] for each in offered]
        await slack.submit(REQUESTER, view, {modals.ENV: ENV, modals.APPIDS: APPID})
        await scene.over()
    assert len(scene.wechat.shared) == 1


async def test_people_of_another_organisation_are_outsiders_and_decide_nothing(
    scene: Scene,
) -> None:
    rules = APPROVE.replace('groups = ["S0APPROVERS"]', 'users = ["*"]')
    channel = scene.slack.channels[APPROVALS]
    async with scene.bot(rules):
        await scene.ask()
        question = await scene.question()
        members = channel.members | {"U0ELSEWHERE"}
        scene.slack.channels[APPROVALS] = replace(channel, members=members)
        told = await scene.click("U0ELSEWHERE", question, "approve")
    assert told.startswith(NOT_AN_APPROVER)
    assert states(scene.database) == ["waiting"]
