import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.loopback import JsonObject
from bot.playground.slack.server import LocalSlack
from bot.playground.world import Channel
from tests.conftest import RELEASES, Clock
from tests.playground.conftest import impatient

CLICK: JsonObject = {"type": "block_actions", "trigger_id": "1.2.mine"}


class App:
    """An app on the real Socket Mode client; `answer` is what it acks with, None for never."""

    def __init__(self, client: SocketModeClient) -> None:
        self.client = client
        self.seen: list[SocketModeRequest] = []
        self.answer: Callable[[SocketModeRequest], SocketModeResponse | None] = acked
        client.socket_mode_request_listeners.append(self._take)

    async def _take(self, _client: object, request: SocketModeRequest) -> None:
        self.seen.append(request)
        response = self.answer(request)
        if response is not None:
            await self.client.send_socket_mode_response(response)


def acked(request: SocketModeRequest) -> SocketModeResponse:
    return SocketModeResponse(request.envelope_id)


def acked_with(payload: dict[str, object]) -> Callable[[SocketModeRequest], SocketModeResponse]:
    return lambda request: SocketModeResponse(request.envelope_id, payload)


@pytest.fixture
async def app(slack: LocalSlack, api: AsyncWebClient) -> AsyncIterator[App]:
    client = SocketModeClient(app_token=slack.world.app_token, web_client=api, ping_interval=2.0)
    await client.connect()  # type: ignore[no-untyped-call]
    await slack.until(lambda slack: slack.sockets.connections == 1)
    yield App(client)
    await client.close()  # type: ignore[no-untyped-call]


async def test_a_command_has_the_fields_that_slack_sends(slack: LocalSlack, app: App) -> None:
    ack = await slack.command("U0REQUESTER", RELEASES, "wx1 prod-1")
    payload = app.seen[0].payload
    assert app.seen[0].type == "slash_commands"
    assert payload == ack.request
    assert {key: payload[key] for key in ("team_id", "user_id", "channel_id", "text")} == {
        "team_id": "T0PLAYGROUND",
        "user_id": "U0REQUESTER",
        "channel_id": RELEASES,
        "text": "wx1 prod-1",
    }
    assert payload["command"] == "/share-env"
    assert payload["is_enterprise_install"] == "false"
    assert not {"enterprise_id", "thread_ts", "ts"} & payload.keys()
    assert (ack.payload, ack.error, slack.messages) == (None, None, [])


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(
    ("channel", "name"),
    [(RELEASES, "releases"), ("C0SECRET", "privategroup"), ("D0DIRECT", "directmessage")],
)
async def test_the_name_of_a_private_channel_is_hidden(
    slack: LocalSlack, channel: str, name: str
) -> None:
    ack = await slack.command("U0REQUESTER", channel, "")
    assert ack.request["channel_name"] == name


async def test_a_group_conversation_is_named_after_its_people(slack: LocalSlack, app: App) -> None:
    members = frozenset({"U0SECOND", "U0REQUESTER", "U0APPROVER"})
    slack.channels["G0GROUP"] = Channel("G0GROUP", "", kind="mpim", members=members)
    ack = await slack.command("U0REQUESTER", "G0GROUP", "")
    assert ack.request["channel_name"] == "mpdm-approver--requester--second-1"
    assert len(app.seen) == 1


@pytest.mark.usefixtures("app")
async def test_each_command_has_its_own_trigger_id(slack: LocalSlack) -> None:
    acks = [await slack.command("U0REQUESTER", RELEASES, "") for _ in range(3)]
    assert len({ack.trigger_id for ack in acks}) == 3
    chosen = await slack.command("U0REQUESTER", RELEASES, "", trigger_id="1.2.mine")
    assert chosen.trigger_id == "1.2.mine"


async def test_the_acks_text_is_shown_to_the_requester(slack: LocalSlack, app: App) -> None:
    app.answer = acked_with({"text": "working on it"})
    ack = await slack.command("U0REQUESTER", RELEASES, "wx1 prod-1")
    [shown] = slack.shown_to("U0REQUESTER")
    assert (shown.text, shown.via, ack.payload) == (
        "working on it",
        "ack",
        {"text": "working on it"},
    )
    assert slack.parents(RELEASES) == []


@pytest.mark.parametrize(
    "body",
    [
        {"text": ""},
        {"blocks": [{"type": "marquee"}]},
        {"text": "x" * 40_001},
        {"text": "x", "response_type": "in_channel"},
    ],
)
async def test_an_invalid_ack_is_a_violation_and_not_shown(
    slack: LocalSlack, app: App, body: dict[str, object]
) -> None:
    app.answer = acked_with(body)
    await slack.command("U0REQUESTER", RELEASES, "")
    assert slack.messages == []
    assert len(slack.violations) == 1
    assert "violation" in slack.transcript()


@impatient
async def test_without_an_ack_the_user_sees_a_timeout(slack: LocalSlack, app: App) -> None:
    app.answer = lambda _: None
    ack = await slack.command("U0REQUESTER", RELEASES, "")
    assert ack.error == "operation_timeout"
    assert ack.seconds >= 0.2
    assert "operation_timeout" in slack.shown_to("U0REQUESTER")[0].text


async def test_without_a_connection_the_user_sees_that_dispatch_failed(slack: LocalSlack) -> None:
    ack = await slack.command("U0REQUESTER", RELEASES, "")
    assert ack.error == "dispatch_failed"
    assert "dispatch_failed" in slack.shown_to("U0REQUESTER")[0].text


async def test_a_redelivery_has_the_same_envelope(slack: LocalSlack, app: App) -> None:
    first = await slack.command("U0REQUESTER", RELEASES, "wx1 prod-1")
    second = await slack.redeliver(first)
    assert app.seen[0].envelope_id == app.seen[1].envelope_id
    assert app.seen[0].payload == app.seen[1].payload
    assert (second.trigger_id, second.request) == (first.trigger_id, first.request)


async def test_a_click_accepts_only_an_empty_ack(slack: LocalSlack, app: App) -> None:
    ack = await slack.deliver("interactive", CLICK)
    assert (ack.error, slack.violations) == (None, [])
    assert app.seen[0].type == "interactive"
    app.answer = acked_with({"text": "no"})
    await slack.deliver("interactive", CLICK)
    assert len(slack.violations) == 1
    await slack.deliver("interactive", {"type": "view_submission"})
    assert len(slack.violations) == 1


@pytest.mark.usefixtures("app")
async def test_the_client_reconnects_after_a_disconnect(slack: LocalSlack) -> None:
    await slack.sockets.disconnect("refresh_requested")
    await slack.until(lambda slack: slack.sockets.connections == 1)
    assert (await slack.command("U0REQUESTER", RELEASES, "")).error is None


@pytest.mark.usefixtures("app")
async def test_the_client_reconnects_after_a_broken_connection(slack: LocalSlack) -> None:
    slack.sockets.drop()
    assert slack.sockets.connections == 0
    await slack.until(lambda slack: slack.sockets.connections == 1)


async def ticket_url(slack: LocalSlack, api: AsyncWebClient) -> str:
    return str((await api.apps_connections_open(app_token=slack.world.app_token))["url"])


async def test_a_ticket_is_valid_once_and_for_a_short_time(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession, clock: Clock
) -> None:
    used, withdrawn = await ticket_url(slack, api), await ticket_url(slack, api)
    async with http.ws_connect(used):
        pass
    slack.sockets.expire_tickets()
    late = await ticket_url(slack, api)
    clock.now += 31
    for url in (used, withdrawn, late):
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await http.ws_connect(url)


async def test_envelopes_go_to_each_connection_in_turn(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession
) -> None:
    url = ticket_url
    async with (
        http.ws_connect(await url(slack, api)) as one,
        http.ws_connect(await url(slack, api)) as two,
    ):
        sockets = (one, two)
        greetings = [(await socket.receive_json())["num_connections"] for socket in sockets]
        assert greetings == [1, 2]
        for socket in (one, two, one):
            typing = asyncio.create_task(slack.command("U0REQUESTER", RELEASES, ""))
            envelope = await socket.receive_json()
            assert envelope["accepts_response_payload"] is True
            await socket.send_str("nonsense")
            await socket.send_str("[]")
            await socket.send_json({"envelope_id": envelope["envelope_id"]})
            assert (await typing).error is None
    assert len(slack.violations) == 6
