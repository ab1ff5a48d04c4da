from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import ImpossibleError, LocalSlack, View
from tests.playground.conftest import App, a_trigger, asks, impatient, line, modal, option

WHO = "U0SECOND"
ENV = {"type": "static_select", "action_id": "env", "options": [option("prod"), option("test")]}
BOXES = {"type": "checkboxes", "action_id": "how", "options": [option("dry"), option("loud")]}
APPROVER = {"type": "users_select", "action_id": "who"}
RADIO = {"type": "radio_buttons", "action_id": "when", "options": [option("now")]}
FORM = modal(
    asks("appid", line("appid", min_length=3, max_length=18)),
    asks("env", {**ENV, "initial_option": option("prod")}),
    asks("how", BOXES, optional=True),
    asks("who", APPROVER, optional=True),
    asks("when", RADIO, optional=True),
    private_metadata="kept",
)


@pytest.fixture
async def form(slack: LocalSlack, api: AsyncWebClient) -> View:
    await api.views_open(trigger_id=a_trigger(slack), view=FORM)
    return slack.views(WHO)[0]


async def test_a_form_is_sent_with_every_value_and_closes(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("form")
    ack = await slack.submit(WHO, form, {"appid": "wx1", "how": {"how": ["Dry"]}, "who": "U0GUEST"})
    [body] = app.bodies
    assert (body["type"], body["user"]["id"]) == ("view_submission", WHO)
    assert body["view"]["private_metadata"] == "kept"
    assert body["response_urls"] == []
    assert body["view"]["state"]["values"] == {
        "appid": {"appid": {"type": "plain_text_input", "value": "wx1"}},
        "env": {"env": {"type": "static_select", "selected_option": option("prod")}},
        "how": {"how": {"type": "checkboxes", "selected_options": [option("dry")]}},
        "who": {"who": {"type": "users_select", "selected_user": "U0GUEST"}},
        "when": {"when": {"type": "radio_buttons", "selected_option": None}},
    }
    assert (ack.error, ack.errors, slack.views(WHO)) == (None, {}, [])


async def test_errors_are_shown_by_block_and_the_form_stays(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("form", response_action="errors", errors={"appid": "no such appid"})
    ack = await slack.submit(WHO, form, {"appid": "wx1"})
    assert ack.errors == {"appid": "no such appid"}
    [view] = slack.views(WHO)
    assert (view.errors, view.typed["appid"]["appid"]["value"]) == (ack.errors, "wx1")


async def test_a_form_may_become_another_or_get_one_on_top_or_take_all_away(
    slack: LocalSlack, app: App, form: View
) -> None:
    answers: Iterator[dict[str, Any]] = iter(
        [
            {"response_action": "update", "view": modal(callback_id="form")},
            {"response_action": "push", "view": modal(callback_id="form")},
            {"response_action": "clear"},
        ]
    )

    async def listen(ack: Callable[..., Awaitable[None]]) -> None:
        await ack(**next(answers))

    app.bolt.view_submission("form")(listen)
    await slack.submit(WHO, form, {"appid": "wx1"})
    [updated] = slack.views(WHO)
    assert (updated.id, updated.blocks) == (form.id, [])
    await slack.submit(WHO, updated)
    below, top = slack.views(WHO)
    assert (below.id, top.previous) == (form.id, form.id)
    with pytest.raises(ImpossibleError, match="on top"):
        await slack.submit(WHO, below)
    await slack.submit(WHO, top)
    assert slack.views(WHO) == []
    assert slack.violations == []


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "dance"},
        {"response_action": "update", "view": modal(title={"type": "plain_text", "text": ""})},
        {"response_action": "push"},
    ],
)
async def test_an_answer_that_slack_does_not_know_is_a_violation_and_the_form_stays(
    slack: LocalSlack, app: App, form: View, answer: dict[str, Any]
) -> None:
    async def listen(ack: Callable[..., Awaitable[None]]) -> None:
        await ack(answer)

    app.bolt.view_submission("form")(listen)
    await slack.submit(WHO, form, {"appid": "wx1"})
    assert [view.id for view in slack.views(WHO)] == [form.id]
    assert len(slack.violations) == 1


@impatient
async def test_without_an_ack_the_form_stays_as_it_was_filled_in(
    slack: LocalSlack, app: App, form: View
) -> None:
    async def silent() -> None:
        """Say nothing."""

    app.bolt.view_submission("form")(silent)
    ack = await slack.submit(WHO, form, {"appid": "wx1"})
    assert ack.timed_out
    assert slack.views(WHO)[0].typed["appid"]["appid"]["value"] == "wx1"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({}, "appid: please complete"),
        ({"appid": "wx"}, "3 to 18 characters, not 2"),
        ({"appid": "wx1", "env": None}, "env: please complete"),
        ({"appid": "wx1", "env": "elsewhere"}, "not among the options"),
        ({"appid": ["wx1"]}, "nobody can put"),
        ({"nothing": "x"}, "no “nothing”"),
    ],
)
async def test_slack_itself_sends_no_form_that_is_not_filled_in(
    slack: LocalSlack, app: App, form: View, entries: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ImpossibleError, match=problem):
        await slack.submit(WHO, form, entries)
    assert app.bodies == []


async def test_a_modal_without_a_button_can_not_be_submitted(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    view = {key: value for key, value in modal().items() if key != "submit"}
    await api.views_open(trigger_id=a_trigger(slack), view=view)
    with pytest.raises(ImpossibleError, match="no button"):
        await slack.submit(WHO, slack.views(WHO)[0])


async def test_the_bot_hears_of_a_close_only_if_it_asked(
    slack: LocalSlack, api: AsyncWebClient, app: App, form: View
) -> None:
    app.acks("form")
    assert await slack.close(WHO, form) is None
    assert app.bodies == []
    await api.views_open(trigger_id=a_trigger(slack), view=modal(notify_on_close=True))
    ack = await slack.close(WHO, slack.views(WHO)[0])
    assert ack is not None
    assert ack.error is None
    assert (app.bodies[0]["type"], app.bodies[0]["is_cleared"]) == ("view_closed", False)
    assert slack.views(WHO) == []


async def test_closing_everything_tells_of_each_view_that_asked(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("closing")
    above = modal(callback_id="closing", notify_on_close=True)
    app.acks("form", response_action="push", view=above)
    await slack.submit(WHO, form, {"appid": "wx1"})
    await slack.close(WHO, slack.views(WHO)[-1], everything=True)
    assert app.bodies[-1]["is_cleared"] is True
    assert slack.views(WHO) == []
