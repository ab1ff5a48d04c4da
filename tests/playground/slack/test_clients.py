"""Other clients: slack_sdk's three, and the requests that Node's SDK sends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from slack_bolt.async_app import AsyncSay
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack
from bot.playground.world import seed
from tests.conftest import soon
from tests.playground.conftest import App, Clock, buttons, plain

RELEASES = "C0RELEASES"


@pytest.fixture
def sync(slack: LocalSlack) -> WebClient:
    return WebClient(token=slack.world.bot_token, base_url=slack.api_url, retry_handlers=[])


async def test_a_client_in_a_thread_makes_the_usual_calls(
    slack: LocalSlack, sync: WebClient
) -> None:
    def calls() -> dict[str, Any]:
        me = sync.auth_test()
        posted = sync.chat_postMessage(channel=RELEASES, text="hello", blocks=buttons("go"))
        found = sync.conversations_history(channel=RELEASES, limit=1)["messages"]
        changed = sync.chat_update(channel=posted["channel"], ts=posted["ts"], text="changed")
        user = sync.users_info(user=me["user_id"])["user"]
        return {
            "found": found[0]["ts"] == posted["ts"],
            "by": (found[0]["bot_id"], user["is_bot"]),
            "changed": changed["text"],
        }

    told = await asyncio.to_thread(calls)
    assert told == {
        "found": True,
        "by": (slack.world.bot_id, True),
        "changed": "changed",
    }


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


async def test_errors_in_blocks_are_returned_in_both_formats(api: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=RELEASES, text="x", blocks=[{"type": "section"}])
    answer, problem = caught.value.response, "missing required field: text"
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [f"{problem} [json-pointer:/blocks/0]"]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {answer['errors'][0]}"]


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
async def pinged(clock: Clock) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(seed(), clock, ping_every=0.01) as slack:
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


async def test_nodes_sdk_sends_forms_with_json_in_them(
    slack: LocalSlack, http: aiohttp.ClientSession
) -> None:
    bot = {
        "Authorization": f"Bearer {slack.world.bot_token}",
        "User-Agent": "@slack:bolt/4.4.0 @slack:web-api/7.9.3 node/22.17.0 linux/6.8.0",
    }
    form = {
        "channel": RELEASES,
        "text": "hello",
        "blocks": json.dumps(buttons("go")),
        "metadata": json.dumps({"event_type": "asked", "event_payload": {"id": "1"}}),
        "unfurl_links": "false",
    }
    async with http.post(slack.api_url + "auth.test", headers=bot) as response:
        assert (await response.json())["bot_id"] == slack.world.bot_id
    async with http.post(slack.api_url + "chat.postMessage", data=form, headers=bot) as response:
        answer = await response.json()
    assert answer["message"]["blocks"][0]["block_id"] == "b"
    assert answer["message"]["metadata"]["event_type"] == "asked"
