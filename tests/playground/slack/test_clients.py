"""Other clients than the bot: slack_sdk's usual calls, and requests in the shape of Node's SDK."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from slack_bolt.async_app import AsyncSay
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import World
from tests.conftest import RELEASES, Clock
from tests.playground.conftest import App, a_trigger, buttons, error_of, modal, plain


async def test_api_test_returns_its_arguments_and_needs_no_token(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession
) -> None:
    async with http.post(slack.api_url + "api.test") as response:
        assert await response.json() == {"ok": True}
    with pytest.raises(SlackApiError) as caught:
        await api.api_test(error="my_error")
    answer = caught.value.response
    assert (answer["error"], answer["args"]) == ("my_error", {"error": "my_error"})


async def test_the_permalink_of_a_reply_names_its_thread(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    parent = (await api.chat_postMessage(channel=RELEASES, text="a"))["ts"]
    reply = (await api.chat_postMessage(channel=RELEASES, text="b", thread_ts=parent))["ts"]
    slack.scopes.clear()
    link = (await api.chat_getPermalink(channel=RELEASES, message_ts=reply))["permalink"]
    assert link.endswith(f"p{reply.replace('.', '')}?thread_ts={parent}&cid={RELEASES}")
    gone = api.chat_getPermalink(channel=RELEASES, message_ts="1.000001")
    assert await error_of(gone) == "message_not_found"
    hidden = api.chat_getPermalink(channel="C0SECRET", message_ts=reply)
    assert await error_of(hidden) == "channel_not_found"


async def test_conversations_are_listed_by_kind_and_in_pages(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.scopes.add("im:read")
    every = "public_channel, private_channel,mpim,im"
    listed = [
        each["id"]
        async for page in await api.conversations_list(types=every, limit=2)
        for each in page["channels"]
    ]
    assert listed == [each.id for each in slack.channels.values() if slack.can_see(each)]
    assert not {"C0SECRET", "D0DIRECT"} & {*listed}
    slack.invite_bot("C0SECRET")
    private = await api.conversations_list(types="private_channel")
    assert [each["id"] for each in private["channels"]] == ["C0SECRET"]
    assert private["response_metadata"] == {"next_cursor": ""}


async def test_a_listed_conversation_tells_its_kind(slack: LocalSlack, api: AsyncWebClient) -> None:
    slack.scopes.add("im:read")
    public = (await api.conversations_list())["channels"][0]
    direct = (await api.conversations_list(types="im"))["channels"][0]
    kinds = ("is_channel", "is_group", "is_im", "is_mpim", "is_private")
    assert [public[each] for each in kinds] == [True, False, False, False, False]
    assert [direct[each] for each in kinds[:-1]] == [False, False, True, False]
    assert (public["is_member"], direct["user"]) == (True, "U0REQUESTER")


async def test_archived_channels_are_listed_unless_they_are_excluded(api: AsyncWebClient) -> None:
    both = [
        (await api.conversations_list(exclude_archived=each))["channels"] for each in (False, True)
    ]
    archived, rest = ([c["name"] for c in channels if c["is_archived"]] for channels in both)
    assert (archived, rest) == (["archived"], [])


async def test_each_kind_of_conversation_needs_its_scope(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.scopes.remove("groups:read")
    await api.conversations_list()
    assert await error_of(api.conversations_list(types="private_channel,im")) == "missing_scope"
    assert await error_of(api.conversations_list(types="channels")) == "invalid_types"


@pytest.mark.parametrize(
    ("channel", "error"),
    [("#lounge", "not_in_channel"), ("#secret", "channel_not_found"), ("#", "channel_not_found")],
)
async def test_a_channel_can_be_given_by_name_to_post_in_it(
    slack: LocalSlack, api: AsyncWebClient, channel: str, error: str
) -> None:
    assert (await api.chat_postMessage(channel="releases", text="x"))["channel"] == RELEASES
    await api.chat_postEphemeral(channel="#releases", user="U0SECOND", text="x")
    assert [each.channel for each in slack.messages] == [RELEASES] * 2
    assert await error_of(api.chat_postMessage(channel=channel, text="x")) == error
    reading = api.conversations_history(channel="#releases")
    assert await error_of(reading) == "channel_not_found"


async def test_a_message_can_be_markdown_and_then_nothing_else(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, markdown_text="**bold**"))["ts"]
    await api.chat_update(channel=RELEASES, ts=ts, markdown_text="x" * 12_000)
    assert len(slack.parents(RELEASES)[0].text) == 12_000
    refused = {
        "markdown_text_conflict": {"markdown_text": "x", "text": "x"},
        "msg_too_long": {"markdown_text": "x" * 12_001},
    }
    for error, args in refused.items():
        call = api.api_call("chat.postMessage", json={"channel": RELEASES, **args})
        assert await error_of(call) == error
    both = api.chat_postMessage(channel=RELEASES, markdown_text="x", blocks=buttons("go"))
    assert await error_of(both) == "markdown_text_conflict"


async def test_errors_in_blocks_are_returned_in_both_formats(api: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=RELEASES, text="x", blocks=[{"type": "section"}])
    answer, problem = caught.value.response, "missing required field: text"
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [f"{problem} [json-pointer:/blocks/0]"]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {answer['errors'][0]}"]


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


async def test_a_connection_says_hello_delivers_events_with_their_try_and_says_when_it_ends(
    slack: LocalSlack, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {slack.world.app_token}"}
    async with http.post(slack.api_url + "apps.connections.open", headers=headers) as response:
        url = (await response.json())["url"]
    async with asyncio.timeout(30), http.ws_connect(url) as socket:
        hello = await socket.receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        assert hello["connection_info"] == {"app_id": slack.world.app_id}
        assert {*hello["debug_info"]} == {"host", "build_number", "approximate_connection_time"}
        opening = asyncio.create_task(slack.open_home("U0SECOND"))
        tries = list[tuple[int, str]]()
        for _ in range(2):
            envelope = await socket.receive_json()
            tries.append((envelope["retry_attempt"], envelope["retry_reason"]))
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
            opening = asyncio.create_task(slack.redeliver(await opening))
        assert tries == [(0, ""), (1, "timeout")]
        assert (await socket.receive_json())["retry_attempt"] == 2
        opening.cancel()
        clicking = asyncio.create_task(slack.shortcut("U0SECOND", "ask"))
        assert "retry_attempt" not in await socket.receive_json()
        clicking.cancel()
        await slack.sockets.disconnect("warning")
        assert await socket.receive_json() == {
            "type": "disconnect",
            "reason": "warning",
            "num_connections": 1,
            "debug_info": {"host": "playground"},
        }


NODE = "@slack:bolt/4.4.0 @slack:web-api/7.9.3 node/22.17.0 linux/6.8.0"


async def test_nodes_sdk_sends_forms_with_json_in_them(
    slack: LocalSlack, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {slack.world.bot_token}", "User-Agent": NODE}

    async def call(method: str, **form: str) -> dict[str, Any]:
        async with http.post(slack.api_url + method, data=form, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    assert (await call("auth.test"))["bot_id"] == slack.world.bot_id
    token = {"token": slack.world.bot_token}
    async with http.post(slack.api_url + "auth.test", data=token) as response:
        assert (await response.json())["bot_id"] == slack.world.bot_id
    async with http.get(slack.api_url + "auth.test", params=token) as response:
        assert (await response.json())["error"] == "not_authed"  # nor does Slack take it so
    assert (await call("api.test", foo="bar"))["args"] == {"foo": "bar"}
    listed = await call("conversations.list", exclude_archived="true", limit="2")
    assert len(listed["channels"]) == 2
    posted = await call(
        "chat.postMessage",
        channel="#releases",
        text="a & b = ☁",
        blocks=json.dumps(buttons("go")),
        metadata=json.dumps({"event_type": "asked", "event_payload": {"id": "1"}}),
        link_names="true",
        mrkdwn="false",
        unfurl_links="false",
    )
    assert posted["message"]["text"] == "a & b = ☁"
    assert posted["message"]["blocks"][0]["block_id"] == "b"
    assert posted["message"]["metadata"]["event_type"] == "asked"
    view = json.dumps(modal({"type": "section", "text": plain("x")}))
    assert (await call("views.open", trigger_id=a_trigger(slack), view=view))["ok"]
    assert slack.modal("U0SECOND")
    for name, error in (
        ("blocks", "invalid_blocks_format"),
        ("metadata", "invalid_metadata_format"),
    ):
        refused = await call("chat.postMessage", channel=RELEASES, text="x", **{name: "{"})
        assert refused["error"] == error


async def test_nodes_sdk_acks_with_an_empty_payload(
    slack: LocalSlack, http: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": f"Bearer {slack.world.app_token}", "User-Agent": NODE}
    async with http.post(slack.api_url + "apps.connections.open", headers=headers) as response:
        url = (await response.json())["url"]
    ts = slack.next_ts()
    slack.post(PostedMessage(ts, RELEASES, slack.world.bot_user_id, "x", blocks=(*buttons("go"),)))
    async with asyncio.timeout(30), http.ws_connect(url) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        for act in (slack.command("U0SECOND", RELEASES, "x"), slack.click("U0SECOND", ts, "go")):
            acting = asyncio.create_task(act)
            envelope = await socket.receive_json()
            await socket.send_json({"envelope_id": envelope["envelope_id"], "payload": {}})
            ack = await acting
            assert (ack.payload, ack.error) == (None, None)
    assert (slack.violations, len(slack.messages)) == ([], 1)
