from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import LocalSlack, PostedMessage
from tests.conftest import RELEASES
from tests.playground.conftest import App, error_of, home


async def test_a_global_shortcut_has_no_channel(slack: LocalSlack, app: App) -> None:
    app.acks("ask")
    ack = await slack.shortcut("U0SECOND", "ask")
    [body] = app.bodies
    assert (ack.error, body["type"], body["callback_id"]) == (None, "shortcut", "ask")
    assert body["trigger_id"] == ack.trigger_id
    assert not {"channel", "message", "response_url"} & body.keys()


async def test_a_message_shortcut_has_the_message(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    app.acks("ask")
    parent = (await api.chat_postMessage(channel=RELEASES, text="x"))["ts"]
    ts = slack.next_ts()
    slack.post(PostedMessage(ts, RELEASES, "U0REQUESTER", "please", thread_ts=parent, via="slack"))
    ack = await slack.message_shortcut("U0SECOND", "ask", ts)
    [body] = app.bodies
    assert (ack.error, body["type"], body["message_ts"]) == (None, "message_action", ts)
    assert (body["message"]["text"], body["message"]["thread_ts"]) == ("please", parent)
    assert body["channel"] == {"id": RELEASES, "name": "releases"}
    assert body["response_url"]
    await api.chat_postEphemeral(channel=RELEASES, user="U0SECOND", text="psst")
    with pytest.raises(ImpossibleError, match="only on messages that stay"):
        await slack.message_shortcut("U0SECOND", "ask", slack.shown_to("U0SECOND")[0])


async def test_opening_the_home_is_an_event_with_the_current_view(
    slack: LocalSlack, api: AsyncWebClient, app: App
) -> None:
    async def publish(event: dict[str, Any]) -> None:
        await api.views_publish(user_id=event["user"], view=home())

    app.bolt.event("app_home_opened")(publish)
    ack = await slack.open_home("U0CHINESE")
    await slack.open_home("U0CHINESE")
    await slack.open_home("U0CHINESE", "messages")
    first, second, third = (body["event"] for body in app.bodies)
    assert (ack.error, ack.kind) == (None, "events_api")
    assert (first["tab"], first["user"], first["channel"]) == ("home", "U0CHINESE", "D0CHINESE")
    assert "view" not in first
    assert second["view"]["type"] == "home"
    assert "view" not in third
    assert len({body["event_id"] for body in app.bodies}) == 3
    with pytest.raises(ImpossibleError, match="no App Home"):
        await slack.open_home("U0ELSEWHERE")


async def test_a_locale_is_returned_on_request(api: AsyncWebClient) -> None:
    plain = await api.users_info(user="U0CHINESE")
    full = await api.users_info(user="U0CHINESE", include_locale=True)
    other = await api.users_info(user="U0SECOND", include_locale=True)
    assert "locale" not in plain["user"]
    assert (full["user"]["locale"], other["user"]["locale"]) == ("zh-CN", "en-US")


async def test_the_bot_can_only_delete_its_own_messages(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="x"))["ts"]
    await api.chat_delete(channel=RELEASES, ts=ts)
    assert slack.parents(RELEASES) == []
    theirs = slack.next_ts()
    slack.post(PostedMessage(theirs, RELEASES, "U0SECOND", "hello", via="slack"))
    for channel, at, error in (
        (RELEASES, ts, "message_not_found"),
        (RELEASES, theirs, "cant_delete_message"),
        ("C0SECRET", ts, "channel_not_found"),
    ):
        assert await error_of(api.chat_delete(channel=channel, ts=at)) == error
