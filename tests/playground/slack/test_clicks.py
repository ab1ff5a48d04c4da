import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.loopback import Loopback
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import LocalSlack
from tests.conftest import RELEASES, Clock, opened
from tests.playground.conftest import (
    App,
    a_trigger,
    asks,
    buttons,
    error_of,
    home,
    impatient,
    line,
    modal,
    option,
    plain,
)

METADATA = {"event_type": "asked", "event_payload": {"id": "r1"}}
EXTERNAL = {"type": "external_select", "action_id": "appid", "min_query_length": 1}


async def posted(api: AsyncWebClient, *names: str, **more: Any) -> str:
    answer = await api.chat_postMessage(
        channel=RELEASES, text="asked", blocks=buttons(*names), metadata=METADATA, **more
    )
    return str(answer["ts"])


async def test_a_click_has_the_person_the_place_and_the_action(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("approve")
    ts = await posted(api, "approve", "reject")
    ack = await slack.click("U0APPROVER", ts, "approve")
    [body] = app.bodies
    assert (ack.error, ack.payload, slack.violations) == (None, None, [])
    assert body["type"] == "block_actions"
    assert (body["user"]["id"], body["user"]["username"]) == ("U0APPROVER", "approver")
    assert body["user"]["team_id"] == body["team"]["id"] == "T0PLAYGROUND"
    assert body["api_app_id"] == "A0SHAREENV"
    assert body["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": RELEASES,
        "is_ephemeral": False,
    }
    assert body["channel"] == {"id": RELEASES, "name": "releases"}
    assert (body["message"]["ts"], body["message"]["metadata"]) == (ts, METADATA)
    assert body["message"]["blocks"] == buttons("approve", "reject")
    assert body["state"] == {"values": {}}
    [action] = body["actions"]
    assert action == {
        "action_id": "approve",
        "block_id": "b",
        "type": "button",
        "text": plain("Approve"),
        "value": "approve 1",
    }
    assert (body["trigger_id"], ack.kind) == (ack.trigger_id, "interactive")


async def test_a_button_is_found_by_its_label_and_a_click_in_a_reply_has_the_thread(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("reject")
    parent = await posted(api, "approve")
    ts = await posted(api, "reject", thread_ts=parent)
    await slack.click("U0APPROVER", ts, "Reject")
    assert (
        app.bodies[0]["message"]["thread_ts"] == app.bodies[0]["container"]["thread_ts"] == parent
    )


async def test_a_click_over_http_is_a_signed_form(
    slack: LocalSlack, api: AsyncWebClient, http_app: App
) -> None:
    http_app.acks("approve")
    ack = await slack.click("U0APPROVER", await posted(api, "approve"), "approve")
    assert (ack.error, ack.payload) == (None, None)
    assert http_app.bodies[0]["actions"][0]["value"] == "approve 1"


@pytest.fixture
async def http_app(slack: LocalSlack, api: AsyncWebClient, clock: Clock) -> AsyncIterator[App]:
    app, loopback = App(slack, api), Loopback()

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        asked = await to_bolt_request(request)  # type: ignore[arg-type]  # it only reads it
        return await to_aiohttp_response(await app.bolt.async_dispatch(asked))

    await loopback.start(take)
    slack.request_url = loopback.origin
    clock.now = time.time()  # Bolt refuses what is signed at another time
    yield app
    await loopback.stop()


@impatient
async def test_a_click_without_an_ack_times_out(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    async def silent() -> None:
        """Do not answer."""

    app.bolt.action("approve")(silent)
    ack = await slack.click("U0APPROVER", await posted(api, "approve"), "approve")
    assert ack.error == "operation_timeout"
    assert slack.shown_to("U0APPROVER") == []


async def test_a_button_that_is_not_shown_cannot_be_clicked(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    ts = await posted(api, "approve")
    await api.chat_update(channel=RELEASES, ts=ts, text="done", blocks=[])
    with pytest.raises(ImpossibleError, match="no “approve”"):
        await slack.click("U0APPROVER", ts, "approve")
    slack.delete(slack.messages[0].ts)
    with pytest.raises(ImpossibleError, match="no message"):
        await slack.click("U0APPROVER", ts, "approve")
    both = [*buttons("approve"), {**buttons("approve")[0], "block_id": "c"}]
    ts = str((await api.chat_postMessage(channel=RELEASES, text="x", blocks=both))["ts"])
    with pytest.raises(ImpossibleError, match="more than one"):
        await slack.click("U0APPROVER", ts, "approve")
    app.acks("approve")
    await slack.click("U0APPROVER", ts, "approve", block="c")
    assert app.bodies[0]["actions"][0]["block_id"] == "c"


async def test_a_stale_screen_can_still_be_clicked(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("approve")
    answer = await api.chat_postMessage(channel=RELEASES, text="x", blocks=buttons("approve"))
    kept, ts = slack.messages[0], str(answer["ts"])
    slack.delete(kept.ts)
    await slack.click("U0APPROVER", kept, "approve")
    assert [body["message"]["ts"] for body in app.bodies] == [ts]
    assert await error_of(api.chat_update(channel=RELEASES, ts=ts, text="y")) == "message_not_found"


async def test_only_people_who_see_a_message_can_click_its_buttons(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("approve")
    answer = await api.chat_postMessage(channel="C0APPROVALS", text="x", blocks=buttons("approve"))
    await slack.click("U0REQUESTER", answer["ts"], "approve")
    for user in ("U0GUEST", "U0ELSEWHERE"):
        with pytest.raises(ImpossibleError, match="does not see"):
            await slack.click(user, answer["ts"], "approve")
    assert len(app.bodies) == 1


async def test_a_click_of_a_person_of_another_team_has_that_team(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("approve")
    ts = await posted(api, "approve")
    await slack.click("U0APPROVER", ts, "approve", team="T0ELSEWHERE")
    partners = await api.chat_postMessage(channel="C0PARTNERS", text="x", blocks=buttons("approve"))
    await slack.click("U0ELSEWHERE", partners["ts"], "approve")
    teams = [(body["user"]["team_id"], body["team"]["id"]) for body in app.bodies]
    assert teams == [("T0ELSEWHERE", "T0ELSEWHERE"), ("T0ELSEWHERE", "T0PLAYGROUND")]


async def test_an_ephemeral_message_is_replaced_and_deleted_through_its_response_url(
    slack: LocalSlack, api: AsyncWebClient, app: App, http: aiohttp.ClientSession
) -> None:
    app.acks("yes")
    await api.chat_postEphemeral(
        channel=RELEASES, user="U0SECOND", text="sure?", blocks=buttons("yes")
    )
    [shown] = slack.shown_to("U0SECOND")
    with pytest.raises(ImpossibleError, match="does not see"):
        await slack.click("U0REQUESTER", shown.ts, "yes")
    ack = await slack.click("U0SECOND", shown.ts, "yes")
    [body] = app.bodies
    assert body["container"]["is_ephemeral"] is True
    assert "message" not in body
    url = str(ack.request["response_url"])
    assert "/actions/" in url
    await http.post(url, json={"replace_original": True, "text": "done"})
    assert [(m.text, m.blocks) for m in slack.shown_to("U0SECOND")] == [("done", ())]
    await http.post(url, json={"text": "done by default"})
    await http.post(url, json={"text": "more", "replace_original": False})
    assert [m.text for m in slack.shown_to("U0SECOND")] == ["done by default", "more"]
    slack.delete(shown.ts)
    async with http.post(url, json={"replace_original": True, "text": "late"}) as response:
        assert response.status == 404


async def test_a_click_in_a_modal_has_the_view_and_a_new_trigger_id(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("more")
    form = modal(*buttons("more"), asks("name", line("name")), asks("app", EXTERNAL))
    await api.views_open(trigger_id=a_trigger(slack), view=form)
    view = await opened(slack, "U0SECOND")
    slack.fill("U0SECOND", view, {"name": "typed"})
    await slack.click("U0SECOND", view, "more")
    [body] = app.bodies
    assert body["container"] == {"type": "view", "view_id": view.id}
    assert not {"message", "channel", "response_url", "state"} & body.keys()
    assert body["view"]["callback_id"] == "form"
    values = body["view"]["state"]["values"]
    assert values["name"]["name"] == {"type": "plain_text_input", "value": "typed"}
    assert values["app"]["appid"] == {"type": "external_select", "selected_option": None}
    with pytest.raises(ImpossibleError, match="no button"):
        await slack.click("U0SECOND", view, "name")
    slack.close("U0SECOND", view)
    with pytest.raises(ImpossibleError, match="no such view"):
        await slack.click("U0SECOND", view, "more")


async def test_a_click_in_the_home_has_its_view(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("retry")
    await api.views_publish(user_id="U0SECOND", view=home(*buttons("retry")))
    view = slack.home("U0SECOND")
    assert view is not None
    await slack.click("U0SECOND", view, "retry")
    assert app.bodies[0]["view"]["type"] == "home"
    with pytest.raises(ImpossibleError, match="no such view"):
        await slack.click("U0REQUESTER", view, "retry")


async def test_an_external_select_requests_its_options_from_the_bot(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("appid", options=[option("wx1"), option("wx2")])
    form = modal(asks("app", EXTERNAL))
    await api.views_open(trigger_id=a_trigger(slack), view=form)
    view = await opened(slack, "U0SECOND")
    assert await slack.options("U0SECOND", view, "appid", "") == []
    assert app.bodies == []
    offered = await slack.options("U0SECOND", view, "appid", "wx")
    assert offered == [option("wx1"), option("wx2")]
    [body] = app.bodies
    assert (body["type"], body["value"]) == ("block_suggestion", "wx")
    assert (body["action_id"], body["block_id"]) == ("appid", "app")
    assert not {"trigger_id", "response_url", "state"} & body.keys()
    filled = slack.fill("U0SECOND", view, {"appid": "wx2"})
    assert filled.typed["app"]["appid"]["selected_option"] == option("wx2")
    with pytest.raises(ImpossibleError, match="not among"):
        slack.fill("U0SECOND", view, {"appid": "wx3"})


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"options": [option("x", "y" * 76)]}, "less than 76"),
        ({"options": [option(str(n)) for n in range(101)]}, "no more than 100"),
    ],
)
async def test_invalid_options_are_a_violation(
    slack: LocalSlack, api: AsyncWebClient, app: App, answer: dict[str, Any], problem: str
) -> None:
    app.acks("appid", **answer)
    await api.views_open(trigger_id=a_trigger(slack), view=modal(asks("app", EXTERNAL)))
    with pytest.raises(ImpossibleError, match="did not load"):
        await slack.options("U0SECOND", await opened(slack, "U0SECOND"), "appid", "wx")
    assert problem in slack.violations[0]


async def test_an_empty_list_of_options_is_valid(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("appid", options=[])
    await api.views_open(trigger_id=a_trigger(slack), view=modal(asks("app", EXTERNAL)))
    view = await opened(slack, "U0SECOND")
    assert await slack.options("U0SECOND", view, "appid", "wx") == []
