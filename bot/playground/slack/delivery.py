"""How payloads reach the app. Source: docs.slack.dev, using-socket-mode and verifying-requests-from-slack."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientTimeout, WSMsgType, web
from slack_sdk.signature import SignatureVerifier

from bot.playground.loopback import Json, JsonObject, Loopback, cut, json_object
from bot.playground.slack.workspace import Workspace

TICKET_LIFETIME = 30.0
MAX_CONNECTIONS = 10
CLOSE_TIMEOUT = 0.5
SILENCE = 60.0
PING_EVERY = 10.0
_HOST = "playground"


@dataclass(frozen=True, slots=True, eq=False)
class _Connection:
    request: web.BaseRequest
    socket: web.WebSocketResponse


@dataclass(slots=True)
class _Pending:
    ack: asyncio.Future[Json]
    sent_by: list[_Connection] = field(default_factory=list)


class Sockets:
    """The app's open connections; each envelope is sent to the next one in turn.

    `most` is the maximum of open connections, `silent` how many of the next ones get no handshake, `switched_off` whether
    Socket Mode is, `app_id` the app that the app-level token belongs to; `greeted` counts the connections that got a hello,
    `refused` those beyond `most`.
    """

    def __init__(self, workspace: Workspace, loopback: Loopback) -> None:
        self._workspace = workspace
        self._loopback = loopback
        self._tickets: dict[str, float] = {}
        self._sent = 0
        self._open: list[_Connection] = []
        self._warned: list[_Connection] = []
        self._pending: dict[str, _Pending] = {}
        self.most = MAX_CONNECTIONS
        self.silent = 0
        self.switched_off = False
        self.app_id = workspace.world.app_id
        self.greeted = 0
        self.refused = 0

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def ticket(self) -> str:
        """Return a ticket for one connection, valid for half a minute."""
        ticket = f"made-up-{self._workspace.next_number()}"
        self._tickets[ticket] = self._workspace.clock() + TICKET_LIFETIME
        return ticket

    def expire_tickets(self) -> None:
        """Expire all unused tickets."""
        self._tickets.clear()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one connection until either side closes it; without a valid ticket, HTTP 401.

        A connection beyond the maximum is opened, told so and closed. Source: slackapi/bolt-js, issues 2225 and 2238.
        """
        if self.silent:
            self.silent -= 1
            await self._loopback.hold(SILENCE)
            return cut(request)
        expires = self._tickets.pop(request.query.get("ticket", ""), 0.0)
        if self._workspace.clock() >= expires:
            return web.Response(status=401, text="invalid ticket")
        connection = _Connection(request, web.WebSocketResponse(timeout=CLOSE_TIMEOUT))
        await connection.socket.prepare(request)
        if self.switched_off or len(self._open) >= self.most:
            self.refused += 1
            # A guess: it is not documented whether Slack still gives a URL while Socket Mode is off.
            why = "link_disabled" if self.switched_off else "too_many_websockets"
            await connection.socket.send_json(self._farewell(why))
            await connection.socket.close()
            self._workspace.changed()
            return connection.socket
        self._open.append(connection)
        pinging = asyncio.ensure_future(self._ping(connection))
        try:
            await connection.socket.send_json(self._hello())
            self.greeted += 1
            self._workspace.changed()
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledged(message.data, connection)
        except ConnectionError:
            pass  # the client disconnected during the handshake
        finally:
            pinging.cancel()
            for kept in (self._open, self._warned):
                if connection in kept:
                    kept.remove(connection)
            self._workspace.changed()
        return connection.socket

    def _hello(self) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "debug_info": {"host": _HOST, "build_number": 1, "approximate_connection_time": 3600},
            "connection_info": {"app_id": self.app_id},
        }

    def _farewell(self, reason: str) -> JsonObject:
        return {
            "type": "disconnect",
            "reason": reason,
            "num_connections": len(self._open),
            "debug_info": {"host": _HOST},
        }

    async def _ping(self, connection: _Connection) -> None:
        """Ping as Slack does; clients reconnect if they get no pings."""
        with contextlib.suppress(ConnectionError):
            while await self._loopback.hold(PING_EVERY):
                await connection.socket.ping(b"Ping from the playground")

    def _acknowledged(self, text: str, connection: _Connection) -> None:
        answer = json_object(text)
        if answer is None:
            self._workspace.violations.append(f"socket: no JSON object: {text[:80]}")
            return
        pending = self._pending.get(str(answer.get("envelope_id")))
        if pending is None or pending.ack.done():
            return
        if connection not in pending.sent_by and any(
            each in self._open for each in pending.sent_by
        ):
            # Slack's documentation does not say that this is accepted.
            self._workspace.violations.append("socket: an ack by another connection")
        pending.ack.set_result(answer.get("payload"))

    async def deliver(self, envelope: JsonObject, timeout: float) -> Json:  # noqa: ASYNC109 - Slack's three seconds
        """Send an envelope and return its ack's payload.

        Raises ConnectionError without a connection, TimeoutError without an ack in time.
        """
        envelope_id = str(envelope["envelope_id"])
        future = asyncio.get_running_loop().create_future()
        pending = self._pending.setdefault(envelope_id, _Pending(future))
        try:
            await self._send(json.dumps(envelope), pending)
            return await asyncio.wait_for(asyncio.shield(pending.ack), timeout)
        finally:
            self._pending.pop(envelope_id, None)

    async def _send(self, text: str, pending: _Pending) -> None:
        for _ in range(len(self._open)):
            connection = self._open[self._sent % len(self._open)]
            self._sent += 1
            pending.sent_by.append(connection)
            try:
                await connection.socket.send_str(text)
            except ConnectionError:
                continue
            return
        raise ConnectionError("no connection is open")

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Announce the end on every connection and close it; a warning alone leaves it open.

        A refresh closes only the connections that were warned, if there are any.
        """
        leaving = [*self._open]
        if reason == "warning":
            self._warned = [*leaving]
        else:
            if reason == "refresh_requested":
                leaving = [*(self._warned or leaving)]
            self._open = [connection for connection in self._open if connection not in leaving]
        for connection in leaving:
            with contextlib.suppress(ConnectionError):
                await connection.socket.send_json(self._farewell(reason))
            if reason != "warning":
                await connection.socket.close()

    def drop(self) -> None:
        """Abort every connection without a close frame, as a broken network does."""
        leaving, self._open = self._open, []
        for connection in leaving:
            if connection.request.transport is not None:
                connection.request.transport.abort()


def signed_request(
    kind: str, payload: JsonObject, secret: str, timestamp: int
) -> tuple[str, dict[str, str]]:
    """Return body and headers: a command is a form, an interaction is JSON inside a form.

    How Slack encodes half a surrogate pair in a form is a guess.
    """
    content_type = "application/x-www-form-urlencoded"
    if kind == "events_api":
        body, content_type = json.dumps(payload), "application/json"
    elif kind == "interactive":
        body = urlencode({"payload": json.dumps(payload)})
    else:
        body = urlencode(
            {key: str(value) for key, value in payload.items()}, errors="surrogatepass"
        )
    signed = SignatureVerifier(secret).generate_signature(timestamp=str(timestamp), body=body)
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": signed or "",
    }
    return body, headers


async def posted(url: str, body: str, headers: dict[str, str], seconds: float) -> Json:
    """Return the app's response: a JSON object, None for an empty one, or text, which Slack would not understand.

    Slack reads JSON only with its content type, and takes a plain text for a message (docs.slack.dev,
    interactivity/implementing-slash-commands), as which bolt-python sends a text alone. Raises TimeoutError or
    aiohttp.ClientError, a ClientResponseError for a status from 400.
    """
    async with (
        ClientSession(timeout=ClientTimeout(total=seconds)) as session,
        session.post(url, data=body.encode(), headers=headers, raise_for_status=True) as response,
    ):
        raw = await response.text()
        if raw and response.content_type == "text/plain":
            return {"text": raw}
        answer = json_object(raw) if response.content_type == "application/json" else None
        return (raw or None) if answer is None else answer
