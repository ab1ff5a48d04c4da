import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.command.grammar import SLASH_COMMAND
from bot.domain.request import Origin
from bot.messages import Message
from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers
from bot.slack.api import SlackApi
from bot.slack.greeting import REFUSALS
from bot.slack.listeners import App
from bot.slack.preflight import Ready, preflight
from bot.slack.socket_mode import LONGEST_PAUSE, Pace, SocketClient, socket_mode
from tests.conftest import RELEASES, REQUESTER, calls_of, serving, soon
from tests.languages import ENGLISH
from tests.slack.echo import Echo

SOON = 0.05
ONE_TRY = 1.0
A_WHILE = 3600.0
OPEN = "apps.connections.open"
OTHER = "/other"
NO_OBSERVERS = Observers()
IDENTITY = {"team_id": "T0PLAYGROUND", "user_id": "U0SHAREENV", "bot_id": "B0SHAREENV"}


def echoing(client: AsyncWebClient, echo: Echo | None = None) -> App:
    """Return an app that echoes commands."""
    echo = echo or Echo()
    return App(
        client,
        IDENTITY,
        ENGLISH,
        echo.command,
        echo.open,
        send=echo.send,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )


@asynccontextmanager
async def connected(
    slack: LocalSlack,
    client: AsyncWebClient,
    url: str | None = None,
    observers: Observers = NO_OBSERVERS,
    linger: float = SOON,
    echo: Echo | None = None,
    runtime: Runtime | None = None,
) -> AsyncIterator[SocketClient]:
    """Connect a bot that echoes, with a connection check that runs often."""
    app = echoing(client, echo)
    pace = Pace(ping_every=1.0, one_try=ONE_TRY, apart=SOON, linger=linger)
    socket = socket_mode(
        app, slack.world.app_token, url, runtime or Runtime(), observers=observers, pace=pace
    )
    try:
        assert await socket.open()
        yield socket
    finally:
        await socket.close()


async def answers(slack: LocalSlack) -> bool:
    await slack.until(lambda slack: slack.sockets.connections == 1)
    return await acks(slack)


async def acks(slack: LocalSlack) -> bool:
    """Return whether a command gets its ack on any connection over which Slack sends it."""
    ack = await slack.command(REQUESTER, RELEASES, APPID)
    return ack.payload is not None and f"typed {APPID}" in str(ack.payload["text"])


async def test_the_first_connection_uses_the_preflights_url(
    slack: LocalSlack, client: AsyncWebClient, api: SlackApi, app_api: SlackApi
) -> None:
    ready = await preflight(api, app_api)
    assert isinstance(ready, Ready)
    async with connected(slack, client, ready.socket_url):
        assert await answers(slack)
    assert calls_of(slack, OPEN) == 1


async def test_a_url_that_expired_before_the_first_connection_is_replaced_and_not_logged(
    slack: LocalSlack,
    client: AsyncWebClient,
    api: SlackApi,
    app_api: SlackApi,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ready = await preflight(api, app_api)
    assert isinstance(ready, Ready)
    slack.sockets.expire_tickets()
    async with connected(slack, client, ready.socket_url):
        assert await answers(slack)
    [said] = [vars(each) for each in caplog.records if each.msg == "no connection to Slack yet"]
    assert said["error"] == "WSServerHandshakeError 401"
    assert not any("ticket=" in repr(vars(each)) for each in caplog.records)


async def test_the_connection_goes_through_the_proxy(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with sending() as (url, _):
        client.proxy = url.replace("ws", "http")
        async with opened_to(slack, client, "ws://wss-primary.slack.invalid/link"):
            pass


async def test_a_socket_that_does_not_open_in_time_is_abandoned(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    nowhere = f"ws://127.0.0.1:{free_port()}/link"
    socket = socket_mode(
        echoing(client), slack.world.app_token, nowhere, Runtime(), pace=Pace(connect_within=0.2)
    )
    assert not await socket.open()
    await socket.close()


async def test_the_bot_knows_whether_it_is_connected(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with connected(slack, client) as socket:
        assert socket.connected
        slack.fail(OPEN, Code("internal_error"))
        slack.sockets.drop()
        await soon(lambda: not socket.connected)
        await soon(lambda: socket.connected)
        assert await answers(slack)
        assert socket.alive
    assert not socket.connected
    assert not socket.alive


async def test_each_connection_is_reported(slack: LocalSlack, client: AsyncWebClient) -> None:
    told: list[str] = []
    observers = Observers(connected=lambda: told.append("connected"))
    async with connected(slack, client, observers=observers):
        await soon(lambda: told == ["connected"])
        await slack.sockets.disconnect("warning")
        await soon(lambda: told == ["connected"] * 2)


async def test_each_ack_is_reported_with_its_kind_and_duration(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    told: list[tuple[object, float]] = []
    observers = Observers(acked=lambda payload, seconds: told.append((payload["command"], seconds)))
    async with connected(slack, client, observers=observers):
        assert await answers(slack)
        await soon(lambda: told)
    ((command, seconds),) = told
    assert command == SLASH_COMMAND
    assert 0 < seconds < 3


async def test_each_call_for_a_url_is_reported_with_its_result(
    slack: LocalSlack, client: AsyncWebClient, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[str, str]] = []
    observers = Observers(called_slack=lambda method, how: told.append((method, how)))
    slack.fail(
        OPEN,
        RateLimited(1),
        Status(503),
        Code("forbidden_team"),
        Status(200, b"{}", "application/json"),
    )
    async with connected(slack, client, observers=observers):
        assert await answers(slack)
    assert [method for method, _ in told] == [OPEN] * 5
    assert [how for _, how in told] == ["ratelimited", "doubtful", "refused", "doubtful", "ok"]
    logged = [vars(each) for each in caplog.records if each.msg == "no address from Slack yet"]
    assert [each["error"] for each in logged] == [
        "HTTP 503",
        "forbidden_team",
        "not Slack's answer",
    ]


@dataclass(frozen=True, slots=True)
class FixedAck:
    """A use case whose listener acks with its own body."""

    body: str

    def listen(self, app: AsyncApp) -> None:
        """Add the listener."""
        app.command(OTHER)(self._command)

    async def _command(self) -> BoltResponse:
        return BoltResponse(status=200, body=self.body)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        pytest.param("", None, id="nothing"),
        pytest.param('{"text": "“done” 🎉"}', {"text": "“done” 🎉"}, id="JSON"),
    ],
)
async def test_the_ack_has_the_body_that_bolt_returns(
    slack: LocalSlack, client: AsyncWebClient, body: str, payload: dict[str, str] | None
) -> None:
    echo = Echo()
    app = App(
        client,
        IDENTITY,
        ENGLISH,
        echo.command,
        echo.open,
        FixedAck(body).listen,
        send=echo.send,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )
    socket = socket_mode(app, slack.world.app_token, None, Runtime())
    try:
        assert await socket.open()
        ack = await slack.command(REQUESTER, RELEASES, APPID, command=OTHER)
    finally:
        await socket.close()
    assert (ack.error, ack.payload) == (None, payload)


async def test_a_socket_that_is_not_opened_yet_is_alive_and_can_be_closed(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    socket = socket_mode(echoing(client), slack.world.app_token, None, Runtime())
    assert socket.alive
    await socket.close()
    assert slack.sockets.connections == 0


async def drop(slack: LocalSlack) -> None:
    slack.sockets.drop()
    await slack.until(lambda slack: slack.sockets.connections == 1)


async def drop_three_times(slack: LocalSlack) -> None:
    for _ in range(3):
        await drop(slack)


async def disconnect(slack: LocalSlack) -> None:
    await slack.sockets.disconnect()


async def disconnect_with_a_warning(slack: LocalSlack) -> None:
    await slack.sockets.disconnect("warning")


async def drop_while_slack_is_down(slack: LocalSlack) -> None:
    slack.fail(OPEN, Status(503), Drop(), Code("internal_error"), Status(503))
    slack.sockets.drop()
    await slack.until(lambda slack: slack.sockets.connections == 1)


async def drop_and_let_the_next_ticket_expire(slack: LocalSlack) -> None:
    asked = calls_of(slack, OPEN)
    slack.sockets.drop()
    await slack.until(lambda slack: calls_of(slack, OPEN) > asked)
    slack.sockets.expire_tickets()


async def disconnect_because_socket_mode_is_off(slack: LocalSlack) -> None:
    slack.fail(OPEN, Code("link_disabled"), Code("link_disabled"))
    await slack.sockets.disconnect("link_disabled")


async def drop_and_answer_no_handshake(slack: LocalSlack) -> None:
    slack.sockets.silent = 2
    slack.sockets.drop()


async def disconnect_and_let_the_next_ticket_expire(slack: LocalSlack) -> None:
    asked = calls_of(slack, OPEN)
    await slack.sockets.disconnect()
    await slack.until(lambda slack: calls_of(slack, OPEN) > asked)
    slack.sockets.expire_tickets()


@pytest.mark.parametrize(
    "happens",
    [
        drop,
        drop_three_times,
        disconnect,
        disconnect_with_a_warning,
        disconnect_because_socket_mode_is_off,
        drop_and_answer_no_handshake,
        drop_while_slack_is_down,
        drop_and_let_the_next_ticket_expire,
        disconnect_and_let_the_next_ticket_expire,
    ],
)
async def test_the_bot_reconnects(
    slack: LocalSlack,
    client: AsyncWebClient,
    happens: Callable[[LocalSlack], Awaitable[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.playground.slack.delivery.SILENCE", A_WHILE)
    async with connected(slack, client):
        await slack.until(lambda slack: slack.sockets.connections == 1)
        await happens(slack)
        assert await answers(slack)


# After a warning, Slack also sends commands over the old connection until it closes it.


class SlowEcho(Echo):
    """A use case that answers once the test permits it."""

    def __init__(self) -> None:
        self.asked, self.permitted = asyncio.Event(), asyncio.Event()

    async def command(self, origin: Origin, text: str) -> Message:
        """Wait, and return the text."""
        self.asked.set()
        await self.permitted.wait()
        return await super().command(origin, text)


async def being_handled(slack: LocalSlack, echo: SlowEcho) -> asyncio.Task[bool]:
    """Send a command over the only connection and wait until it is being handled; return whether it gets its ack."""
    await slack.until(lambda slack: slack.sockets.connections == 1)
    command = asyncio.create_task(acks(slack))
    await echo.asked.wait()
    return command


async def test_commands_are_answered_over_the_old_connection_while_the_next_one_is_opened(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with connected(slack, client) as socket:
        assert await answers(slack)
        asked = calls_of(slack, OPEN)
        slack.sockets.silent = 1
        await slack.sockets.disconnect("warning")
        while calls_of(slack, OPEN) < asked + 2:  # the timeout, and the connection after it
            assert await acks(slack)
            assert socket.connected
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        assert await answers(slack)
    assert slack.violations == []


async def test_a_command_of_the_old_connection_is_acked_over_it_after_the_switch(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    echo = SlowEcho()
    async with connected(slack, client, linger=A_WHILE, echo=echo):
        command = await being_handled(slack, echo)
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        echo.permitted.set()
        assert await command
    assert slack.violations == []


async def test_a_command_whose_connection_was_lost_is_acked_over_the_next_one(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    echo = SlowEcho()
    async with connected(slack, client, linger=A_WHILE, echo=echo):
        command = await being_handled(slack, echo)
        slack.sockets.silent = 1
        await slack.sockets.disconnect("warning")
        await slack.sockets.disconnect()  # immediately, which is rare
        echo.permitted.set()
        assert await command


async def test_a_command_of_a_lost_connection_is_acked_once_the_next_one_is_open(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    echo = SlowEcho()
    async with connected(slack, client, linger=A_WHILE, echo=echo):
        command = await being_handled(slack, echo)
        slack.sockets.drop()
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        asked = calls_of(slack, OPEN)
        slack.sockets.silent = 1
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: calls_of(slack, OPEN) > asked)
        echo.permitted.set()
        assert await command


async def test_an_ack_after_the_last_connection_is_logged_as_lost(
    slack: LocalSlack, client: AsyncWebClient, caplog: pytest.LogCaptureFixture
) -> None:
    echo = SlowEcho()
    async with connected(slack, client, echo=echo):
        command = await being_handled(slack, echo)
    echo.permitted.set()
    await soon(lambda: "an ack did not reach Slack" in caplog.messages)
    assert "unforeseen error" not in caplog.messages
    command.cancel()
    await asyncio.wait([command])


async def test_after_the_switch_both_connections_are_read_until_slack_closes_the_old_one(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with connected(slack, client, linger=A_WHILE):
        await slack.until(lambda slack: slack.sockets.connections == 1)
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        assert slack.sockets.connections == 2
        assert [await acks(slack) for _ in range(4)] == [True] * 4
        asked = calls_of(slack, OPEN)
        await slack.sockets.disconnect("refresh_requested")
        assert await answers(slack)
        assert calls_of(slack, OPEN) == asked
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: slack.sockets.greeted == 3)
    assert slack.violations == []
    await slack.until(lambda slack: slack.sockets.connections == 0)


# Connections that work only half.


@asynccontextmanager
async def mute(*said: dict[str, str]) -> AsyncIterator[str]:
    """Serve sockets that say this and read nothing more; yield the URL."""

    async def say(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False, autoclose=False)
        await socket.prepare(request)
        for each in said:
            await socket.send_json(each)
            await asyncio.sleep(2 * SOON)  # until the next connection need not wait
        await over.wait()
        return socket

    over = asyncio.Event()
    async with serving(say) as origin:
        yield origin.replace("http", "ws")
        over.set()


def unopened(slack: LocalSlack, client: AsyncWebClient, url: str) -> SocketClient:
    return socket_mode(
        echoing(client), slack.world.app_token, url, Runtime(), pace=Pace(apart=SOON)
    )


@asynccontextmanager
async def opened_to(
    slack: LocalSlack, client: AsyncWebClient, url: str
) -> AsyncIterator[SocketClient]:
    """Connect such a bot."""
    socket = unopened(slack, client, url)
    try:
        assert await socket.open()
        yield socket
    finally:
        await socket.close()


async def test_a_connection_that_ignores_the_closing_handshake_is_replaced_with_one_url(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    end = {"type": "disconnect", "reason": "refresh_requested"}
    async with mute({"type": "hello"}, end) as url, opened_to(slack, client, url):
        assert await answers(slack)
    assert calls_of(slack, OPEN) == 1


async def test_a_connection_that_slack_does_not_close_after_socket_mode_was_turned_off_counts_as_none(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    slack.fail(OPEN, Code("link_disabled"), times=None)
    end = {"type": "disconnect", "reason": "link_disabled"}
    async with mute({"type": "hello"}, end) as url, opened_to(slack, client, url) as socket:
        await soon(lambda: not socket.connected)


async def test_socket_mode_that_is_off_at_the_start_ends_the_wait_at_once_and_is_told_with_its_fix(
    slack: LocalSlack, client: AsyncWebClient, caplog: pytest.LogCaptureFixture
) -> None:
    slack.sockets.switched_off = True
    noted: list[object] = []
    socket = socket_mode(
        echoing(client), slack.world.app_token, None, Runtime(), noted=noted.append
    )
    async with asyncio.timeout(10):  # not the thirty seconds for a hello
        assert not await socket.open()
    await socket.close()
    assert socket.refused
    [said] = [vars(each) for each in caplog.records if each.msg == "Slack refuses the connection"]
    assert said["reason"] == socket.refused.found == REFUSALS["link_disabled"].found
    assert "Enable Socket Mode" in said["fix"]
    assert noted == ["link_disabled"]


async def test_a_warning_while_the_next_connection_is_opened_asks_for_no_other(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    slack.fail(OPEN, Slow(0.5))
    ends = [{"type": "disconnect", "reason": why} for why in ("refresh_requested", "warning")]
    async with mute({"type": "hello"}, *ends) as url, opened_to(slack, client, url):
        assert await answers(slack)
    assert slack.sockets.greeted == 1


async def test_slacks_pings_are_answered(slack: LocalSlack, client: AsyncWebClient) -> None:
    answered = asyncio.Event()

    async def ping(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        await socket.send_json({"type": "hello"})
        await socket.ping(b"Ping from Slack")
        async for frame in socket:
            if frame.type is WSMsgType.PONG and frame.data == b"Ping from Slack":
                answered.set()
        return socket

    async with serving(ping) as origin, opened_to(slack, client, origin.replace("http", "ws")):
        await soon(answered.is_set)


@asynccontextmanager
async def sending(*texts: str) -> AsyncIterator[tuple[str, set[str]]]:
    """Serve sockets that send these texts after a hello; yield the URL, and the ids of the envelopes that are acked."""
    acked: set[str] = set()

    async def send(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for text in ('{"type": "hello"}', *texts):
            await socket.send_str(text)
            await asyncio.sleep(SOON)  # until a client that would close has closed
        async for frame in socket:
            acked.add(json.loads(frame.data)["envelope_id"])
        return socket

    async with serving(send) as origin:
        yield origin.replace("http", "ws"), acked


async def test_frames_that_cannot_be_read_do_not_keep_the_next_envelope_from_its_ack(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    envelope = json.dumps({"envelope_id": "e1", "type": "events_api", "payload": {"type": "odd"}})
    texts = ("", "{", "[" * 100_000, "[7]", '{"type": 7}', envelope)
    async with sending(*texts) as (url, acked), opened_to(slack, client, url):
        await soon(lambda: acked == {"e1"})


async def test_an_envelope_after_the_announcement_of_a_refresh_is_acked(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    end = json.dumps({"type": "disconnect", "reason": "refresh_requested"})
    envelope = json.dumps({"envelope_id": "e1", "type": "events_api", "payload": {"type": "odd"}})
    async with sending(end, envelope) as (url, acked), opened_to(slack, client, url):
        await soon(lambda: acked == {"e1"})


async def test_each_envelope_is_acked_whatever_it_contains(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    odd: tuple[dict[str, object], ...] = (
        {},
        {"type": "slash_commands"},
        {"type": "interactive", "payload": None},
        {"type": "events_api", "payload": [7], "retry_attempt": 1, "retry_reason": 7},
        {"type": "new_type", "payload": "text"},
        {"type": "events_api", "payload": {"type": "event_callback", "event": 7, "team_id": [7]}},
        {"type": "slash_commands", "payload": {"command": SLASH_COMMAND, "text": "\0"}},
        {"type": "interactive", "payload": {"type": "block_actions", "actions": ["x" * 1_000_000]}},
    )
    envelopes = {f"\0{number}": each for number, each in enumerate(odd)}
    texts = [json.dumps(each | {"envelope_id": name}) for name, each in envelopes.items()]
    async with sending(*texts) as (url, acked), opened_to(slack, client, url):
        await soon(lambda: acked == set(envelopes))


async def test_a_connection_that_answers_no_ping_is_replaced(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with mute({"type": "hello"}) as url, connected(slack, client, url):
        assert await answers(slack)


async def test_a_connection_without_slacks_hello_is_replaced_with_a_warning(
    slack: LocalSlack,
    client: AsyncWebClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.slack.socket_mode.HELLO_WITHIN", SOON)

    connected_once = asyncio.Event()

    async def answer_pings(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connected_once.set()
        async for _ in socket:
            pass
        return socket

    async with serving(answer_pings) as origin:
        socket = unopened(slack, client, origin.replace("http", "ws"))
        opening = asyncio.create_task(socket.open())
        try:
            await connected_once.wait()
            assert not socket.connected
            assert await answers(slack)
            assert await opening
            greeted = slack.sockets.greeted
            await asyncio.sleep(4 * SOON)  # the next one, with a hello, stays
            assert slack.sockets.greeted == greeted
        finally:
            await socket.close()
    assert "Slack says no hello over a new connection; connecting anew" in caplog.messages


async def test_connections_that_slack_ends_at_once_are_not_opened_in_quick_succession(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    pauses: list[float] = []

    async def skip(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async def end(request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello"})
        await socket.close()
        return socket

    async with serving(end) as origin:
        url = origin.replace("http", "ws")
        said = json.dumps({"ok": True, "url": url}).encode()
        slack.fail(OPEN, Status(200, said, "application/json"), times=None)
        runtime, pace = Runtime(idle=skip), Pace(apart=A_WHILE)
        socket = socket_mode(echoing(client), slack.world.app_token, url, runtime, pace=pace)
        assert await socket.open()
        await soon(lambda: len(pauses) >= 5)
        await socket.close()
    assert pauses[0] == 0
    assert all(pause > A_WHILE / 2 for pause in pauses[1:])


# Cleaning up.


async def test_many_reconnects_leave_nothing_behind(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with connected(slack, client):
        assert await answers(slack)
        before = tasks_of_the_client()
        for number in range(20):
            asked = calls_of(slack, OPEN)
            if number % 2:
                slack.sockets.drop()
            else:
                await slack.sockets.disconnect()
            await slack.until(lambda slack, asked=asked: calls_of(slack, OPEN) > asked)  # type: ignore[misc]  # a default binds it
            assert await answers(slack)
        await soon(lambda: tasks_of_the_client() == before)


async def test_a_connection_that_opens_while_the_bot_stops_is_closed(
    slack: LocalSlack, client: AsyncWebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: asyncio.Future[ClientWebSocketResponse] = asyncio.get_running_loop().create_future()
    open_one = ClientSession.ws_connect

    async def ws_connect(session: ClientSession, url: str) -> ClientWebSocketResponse:
        # Whoever waits for this goes on before the connection is read.
        opened.set_result(await open_one(session, url))
        return opened.result()

    monkeypatch.setattr(
        ClientSession, "ws_connect", lambda session, url, **_: ws_connect(session, url)
    )
    socket = socket_mode(
        echoing(client), slack.world.app_token, None, Runtime(), observers=NO_OBSERVERS
    )
    opening = asyncio.create_task(socket.open())
    connection = await opened
    await socket.close()
    opening.cancel()
    assert connection.closed


async def test_two_disconnects_while_slack_is_slow_end_with_one_connection(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with connected(slack, client):
        assert await answers(slack)
        asked = calls_of(slack, OPEN)
        slack.fail(OPEN, Slow(ONE_TRY + 0.5))
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: calls_of(slack, OPEN) > asked)
        await slack.sockets.disconnect("warning")
        await slack.until(lambda slack: slack.sockets.greeted == 2)
        for _ in range(5):
            assert await answers(slack)
        assert calls_of(slack, OPEN) == asked + 2  # the timeout, and the answer after it


def tasks_of_the_client() -> int:
    return sum("SocketClient" in repr(task) for task in asyncio.all_tasks())


async def test_closing_does_not_wait_long_for_slacks_closing_handshake(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    async with mute({"type": "hello"}) as url:
        socket = unopened(slack, client, url)
        assert await socket.open()
        async with asyncio.timeout(9):  # aiohttp alone would wait for ten
            await socket.close()
        assert slack.sockets.connections == 0


# The app has ten connections already.


async def test_the_pause_doubles_with_each_connection_too_many_until_slack_accepts_one(
    slack: LocalSlack,
    client: AsyncWebClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    slept: list[float] = []

    async def skip(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    def pauses() -> list[float]:
        said = "Slack refuses the connection"
        return [vars(each)["pause"] for each in caplog.records if each.msg == said]

    doubled = [min(SOON * 2**times, LONGEST_PAUSE) for times in range(1, 13)]
    async with connected(slack, client, runtime=Runtime(idle=skip)) as socket:
        await slack.until(lambda slack: slack.sockets.connections == 1)
        slack.sockets.most = 0
        slack.sockets.drop()
        await soon(lambda: len(pauses()) >= len(doubled))
        assert socket.refused
        assert not socket.connected
        assert socket.alive
        slack.sockets.most = 10
        assert await answers(slack)
        assert socket.connected
        assert not socket.refused
        before = pauses()
        slack.sockets.most = 0
        slack.sockets.drop()
        await soon(lambda: len(pauses()) > len(before))
    assert before[: len(doubled)] == doubled
    assert pauses()[len(before)] == doubled[0]
    assert max(slept) > LONGEST_PAUSE / 2


async def test_a_bot_whose_first_connection_is_too_many_does_not_start(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    slack.sockets.most = 0
    socket = socket_mode(
        echoing(client), slack.world.app_token, None, Runtime(), pace=Pace(connect_within=0.5)
    )
    assert not await socket.open()
    assert socket.refused
    assert slack.sockets.refused == calls_of(slack, OPEN) == 1  # not again at once
    await socket.close()
