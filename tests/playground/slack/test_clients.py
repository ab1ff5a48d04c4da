"""Other clients than the bot: Bolt, and slack_sdk's client with threads."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from slack_bolt.async_app import AsyncSay
from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.conftest import RELEASES, Clock, soon
from tests.playground.conftest import App, plain


@pytest.fixture
def sync(slack: LocalSlack) -> WebClient:
    return WebClient(token=slack.world.bot_token, base_url=slack.api_url, retry_handlers=[])


async def test_a_posted_message_is_returned_with_generated_block_and_action_ids(
    api: AsyncWebClient,
) -> None:
    section = {"type": "section", "text": plain("x")}
    bare = {"type": "actions", "elements": [{"type": "button", "text": plain("Go")}]}
    posted = await api.chat_postMessage(
        channel=RELEASES, text="x", blocks=[section, {**section, "block_id": "mine"}, bare]
    )
    blocks = posted["message"]["blocks"]
    ids = [each["block_id"] for each in blocks]
    assert ids[1] == "mine"
    assert len({*ids}) == 3
    assert blocks[2]["elements"][0]["action_id"]
    history = await api.conversations_history(channel=RELEASES)
    changed = await api.chat_update(channel=RELEASES, ts=posted["ts"], text="x", blocks=[bare])
    assert history["messages"][0]["blocks"] == blocks
    assert changed["message"]["blocks"][0]["block_id"]


async def test_bolts_say_may_name_the_team(slack: LocalSlack, app: App) -> None:
    async def listen(ack: Any, say: AsyncSay) -> None:
        await ack()
        await say("hello")

    app.bolt.command("/share-env")(listen)
    await slack.command("U0SECOND", RELEASES, "")
    assert [each.text for each in slack.parents(RELEASES)] == ["hello"]
    assert slack.calls[-1].args["team_id"] == slack.world.team_id


async def test_the_threaded_client_receives_and_acks_commands(
    slack: LocalSlack, sync: WebClient
) -> None:
    def take(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        answer = {"text": f"got {request.payload['text']}"}
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id, answer))

    client = SocketModeClient(
        app_token=slack.world.app_token, web_client=sync, ping_interval=0.1, concurrency=1
    )
    client.socket_mode_request_listeners.append(take)
    try:
        await asyncio.to_thread(client.connect)
        await slack.until(lambda slack: slack.sockets.connections == 1)
        assert (await slack.command("U0SECOND", RELEASES, "a")).payload == {"text": "got a"}
        session = client.current_session
        await soon(lambda: session is not None and session.last_ping_pong_time)
        await slack.sockets.disconnect()
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        assert (await slack.command("U0SECOND", RELEASES, "b")).payload == {"text": "got b"}
    finally:
        await asyncio.to_thread(client.close)


@pytest.fixture
async def pinged(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalSlack]:
    monkeypatch.setattr("bot.playground.slack.delivery.PING_EVERY", 0.01)
    async with LocalSlack(World(), clock) as slack:
        yield slack


async def test_slack_pings_its_clients_and_answers_their_pings(
    pinged: LocalSlack, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {pinged.world.app_token}"}
    async with http.post(pinged.api_url + "apps.connections.open", headers=headers) as response:
        url = (await response.json())["url"]
    async with asyncio.timeout(30), http.ws_connect(url, autoping=False) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        await socket.ping(b"1700000000.5")
        heard = {message.type: message.data for message in [await socket.receive() for _ in "12"]}
        while {*heard} != {WSMsgType.PING, WSMsgType.PONG}:
            message = await socket.receive()
            heard[message.type] = message.data
        assert bytes(heard[WSMsgType.PONG]) == b"1700000000.5"
        assert heard[WSMsgType.PING]
        await socket.pong(heard[WSMsgType.PING])
