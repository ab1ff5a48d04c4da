from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import LocalSlack
from bot.playground.slack.surfaces import View
from tests.conftest import opened
from tests.playground.conftest import App, a_trigger, asks, impatient, line, modal, option

WHO = "U0SECOND"
BOXES = {"type": "checkboxes", "action_id": "how", "options": [option("dry"), option("loud")]}
FORM = modal(
    asks("appid", line("appid", max_length=18)),
    asks("how", BOXES, optional=True),
    private_metadata="kept",
)


@pytest.fixture
async def form(slack: LocalSlack, api: AsyncWebClient) -> View:
    await api.views_open(trigger_id=a_trigger(slack), view=FORM)
    return await opened(slack, WHO)


async def test_a_form_is_submitted_with_every_value_and_closes(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("form")
    ack = await slack.submit(WHO, form, {"appid": "wx1", "how": ["Dry"]})
    [body] = app.bodies
    assert (body["type"], body["user"]["id"]) == ("view_submission", WHO)
    assert body["view"]["private_metadata"] == "kept"
    assert body["response_urls"] == []
    assert body["view"]["state"]["values"] == {
        "appid": {"appid": {"type": "plain_text_input", "value": "wx1"}},
        "how": {"how": {"type": "checkboxes", "selected_options": [option("dry")]}},
    }
    assert (ack.error, ack.errors, slack.modal(WHO)) == (None, {}, None)


async def test_errors_are_shown_at_their_blocks_and_the_form_stays_open(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("form", response_action="errors", errors={"appid": "no such appid"})
    ack = await slack.submit(WHO, form, {"appid": "wx1"})
    assert ack.errors == {"appid": "no such appid"}
    view = await opened(slack, WHO)
    assert (view.errors, view.typed["appid"]["appid"]["value"]) == (ack.errors, "wx1")


async def test_a_form_can_be_replaced_by_another(slack: LocalSlack, app: App, form: View) -> None:
    app.acks("form", response_action="update", view=modal(callback_id="form"))
    await slack.submit(WHO, form, {"appid": "wx1"})
    updated = await opened(slack, WHO)
    assert (updated.id, updated.blocks) == (form.id, [])
    assert updated.hash != form.hash
    assert slack.violations == []


async def test_a_form_that_replaces_another_keeps_typed_values_if_the_ids_stay(
    slack: LocalSlack, app: App, form: View
) -> None:
    again = modal(
        asks("appid", line("appid")), asks("how", line("other"), optional=True), callback_id="again"
    )
    app.acks("form", response_action="update", view=again)
    app.acks("again")
    await slack.submit(WHO, form, {"appid": "wx1", "how": ["Dry"]})
    await slack.submit(WHO, await opened(slack, WHO))
    values = app.bodies[-1]["view"]["state"]["values"]
    assert (values["appid"]["appid"]["value"], values["how"]["other"]["value"]) == ("wx1", None)


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
async def test_an_invalid_response_to_a_form_is_a_violation_and_the_form_stays_open(
    slack: LocalSlack, app: App, form: View, answer: dict[str, Any]
) -> None:
    async def listen(ack: Callable[..., Awaitable[None]]) -> None:
        await ack(answer)

    app.bolt.view_submission("form")(listen)
    await slack.submit(WHO, form, {"appid": "wx1"})
    assert (await opened(slack, WHO)).id == form.id
    assert len(slack.violations) == 1


@impatient
async def test_without_an_ack_the_form_stays_open_with_its_values(
    slack: LocalSlack, app: App, form: View
) -> None:
    async def silent() -> None:
        """Say nothing."""

    app.bolt.view_submission("form")(silent)
    ack = await slack.submit(WHO, form, {"appid": "wx1"})
    assert ack.error == "operation_timeout"
    assert (await opened(slack, WHO)).typed["appid"]["appid"]["value"] == "wx1"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({}, "appid: please complete"),
        ({"appid": "x" * 19}, "at most 18 characters, not 19"),
        ({"appid": "wx1", "how": ["elsewhere"]}, "not among the options"),
        ({"appid": ["wx1"]}, "Nobody can put"),
        ({"nothing": "x"}, "no “nothing”"),
    ],
)
async def test_slack_itself_does_not_submit_an_incomplete_form(
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
        await slack.submit(WHO, await opened(slack, WHO))


async def test_a_closed_form_disappears_without_an_event_to_the_bot(
    slack: LocalSlack, app: App, form: View
) -> None:
    app.acks("form")
    slack.close(WHO, form)
    assert (app.bodies, slack.modal(WHO)) == ([], None)
