"""The SDK's Socket Mode client with six changes: one attempt at a time, each with a new URL, no gap, pauses, a hello, no queue.

The SDK retries one URL for ever, even after its ticket has expired. Of two overlapping attempts it loses one
connection, to which Slack goes on sending commands. It closes a connection that Slack warns of before there is
another, though Slack sends commands over it for some ten seconds more. It asks for the next one at once, also if Slack
ends each of them at once, as it does if the app has ten already. It keeps a connection over which Slack never says
hello. And it passes each message through a queue and two tasks, each of which waits for all other ready work. Sources:
slack_sdk 3.48, socket_mode/aiohttp; docs.slack.dev, apis/events-api/using-socket-mode; slackapi/bolt-js, issues 2225
and 2238.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from copy import copy

from aiohttp import ClientWebSocketResponse, WSMsgType
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.runtime.clock import sleep
from bot.runtime.observers import Observers
from bot.runtime.tasks import Tasks
from bot.slack.api import Answered, Doubtful, Refused, SlackApi
from bot.slack.back_off import BackOff

_PATIENCE = 3600.0  # seconds to wait for a rate limit
_FAREWELL = 1.0  # seconds for the closing handshake; aiohttp's own limit is ten
_TOO_MANY = "too_many_websockets"

Envelope = Mapping[str, object]
Take = Callable[[Envelope, ClientWebSocketResponse], Coroutine[None, None, None]]
"""Handles an envelope; the ack goes back over the same connection."""

HELLO_WITHIN = 10.0
"""Seconds for the hello of a new connection, which Slack sends at once."""

_log = logging.getLogger(__name__)


class SocketClient(SocketModeClient):
    """Retries until it is connected; a handshake takes at most `one_try` seconds. `take` handles every envelope.

    It opens connections at least `apart` seconds apart. Once it is replaced, a connection that Slack warned of stays
    open for Slack to close, at most `linger` seconds.
    """

    def __init__(  # noqa: PLR0913  # as the SDK's
        self,
        app_token: str,
        web_client: AsyncWebClient,
        logger: logging.Logger,
        take: Take,
        *,
        ping_interval: float,
        one_try: float,
        apart: float,
        linger: float,
        observers: Observers,
    ) -> None:
        super().__init__(app_token, logger, web_client, ping_interval=ping_interval)
        self._take = take
        self._one_try = one_try
        self._linger = linger
        self._observers = observers
        client = copy(web_client)  # the same way to Slack, with the other token
        client.token = app_token
        self._api = SlackApi(client, sleep, observers.called_slack)
        self.back_off = BackOff(time.monotonic, apart)
        self.greeted = asyncio.Event()
        """Set once Slack has said hello over the newest connection."""
        self._leaving: set[ClientWebSocketResponse] = set()
        self._start = Tasks().start

    @property
    def is_replacing(self) -> bool:
        """Whether a connection that Slack warned of is being replaced while it still works."""
        return not self.greeted.is_set() and any(not each.closed for each in self._leaving)

    async def connect(self) -> None:
        """Connect, with retries until the client is closed."""
        self.greeted.clear()
        while not self.closed:
            if left := self.back_off.left:
                await self.disconnect()  # first, since it counts towards the limit
                await sleep(left)
            try:
                self.wss_uri = self.wss_uri or await self.issue_new_wss_url()
                await self.disconnect()  # the SDK would wait ten seconds for Slack's side
                async with asyncio.timeout(self._one_try):
                    await super().connect()  # type: ignore[no-untyped-call]  # the SDK's
            except TimeoutError:
                _log.warning("no connection to Slack yet; asking for a new address")
            except Exception as error:  # noqa: BLE001  # the loop must go on
                _log.warning("no address from Slack yet", extra={"error": repr(error)})
                await asyncio.sleep(self._one_try)
            else:
                self.back_off.opened()
                self._start(self._close_without_hello())
                return
            finally:
                self.wss_uri = None  # its ticket is valid for one attempt

    async def issue_new_wss_url(self) -> str:
        """Return a new URL; raises ConnectionError with Slack's error."""
        match await self._api.write("apps.connections.open", _PATIENCE):
            case Answered({"url": str(url)}):
                return url
            case Answered():
                raise ConnectionError("an answer without an address")
            case Refused(why) | Doubtful(why):
                raise ConnectionError(why)

    async def disconnect(self) -> None:
        """Close the connection, without waiting long for Slack's side."""
        if self.current_session is not None:
            await _close_connection(self.current_session)

    async def _close_without_hello(self) -> None:
        """Close the newest connection unless Slack says hello in time; `receive_messages` then opens the next."""
        session = self.current_session
        try:
            async with asyncio.timeout(HELLO_WITHIN):
                await self.greeted.wait()
        except TimeoutError:
            if session is not None and not session.closed:
                _log.warning("Slack says no hello over a new connection; connecting anew")
                await _close_connection(session)

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Replace the connection, unless another task does so while this one waits for the lock.

        Without `force`, only if it is down.
        """
        before = self.current_session
        async with self.connect_operation_lock:
            if self.current_session is before and (force or not await self.is_connected()):
                await self.connect()

    async def receive_messages(self) -> None:
        """Read the newest connection to its end, then open the next, unless the client itself ended it."""
        if (session := self.current_session) is not None:
            await self._read(session)
            if session is self.current_session and self.auto_reconnect_enabled:
                await self.connect_to_new_endpoint(force=True)

    async def _read(self, session: ClientWebSocketResponse) -> None:
        """Handle the messages of a connection concurrently, as they arrive."""
        with suppress(ConnectionError):
            async for message in session:
                if message.type is WSMsgType.TEXT:
                    self._handle(message.data, session)
                elif message.type is WSMsgType.PING:
                    await session.pong(message.data)
                elif message.type is WSMsgType.PONG:
                    self.last_ping_pong_time = time.time()

    def _handle(self, text: str, session: ClientWebSocketResponse) -> None:
        """Handle hello and disconnect; start `take` for every envelope."""
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError):
            return
        match payload:
            case {"envelope_id": str()}:
                self._start(self._take(payload, session))
            case {"type": "hello"}:
                self.back_off.greet()
                self.greeted.set()
                self._observers.connected()
            case {"type": "disconnect"}:
                reason = str(payload.get("reason"))
                if reason == _TOO_MANY:
                    pause = {"pause": self.back_off.refuse()}
                    _log.warning("Slack has too many connections of this app", extra=pause)
                self._observers.disconnected(reason)
                self._start(self._on_disconnect(session, reason))
            case _:
                pass

    async def send(self, message: str, session: ClientWebSocketResponse) -> None:
        """Send over the connection that the envelope came by or, once that is closed, over the newest."""
        if not session.closed:
            with suppress(ConnectionError):
                await session.send_str(message)
                return
        if self.current_session is None:
            async with self.connect_operation_lock:
                pass  # there is another one now
        await self.send_message(message)

    async def _on_disconnect(self, session: ClientWebSocketResponse, reason: str) -> None:
        """Replace a connection that Slack is about to end or has ended, if it is the newest."""
        if session is self.current_session:
            if reason == "warning":
                await self._replace_while_read(session)
            else:
                await self.connect_to_new_endpoint(force=True)

    async def _replace_while_read(self, session: ClientWebSocketResponse) -> None:
        """Open the next connection while this one is still read, then close this one unless Slack has."""
        async with self.connect_operation_lock:
            if session is not self.current_session:
                return
            self._leaving.add(session)
            reading, self.message_receiver = self.message_receiver, None  # or the SDK would end it
            self.current_session = None
            await self.connect()
        try:
            if reading is not None:
                await asyncio.wait([reading], timeout=self._linger)
            await _close_connection(session)
        finally:
            self._leaving.discard(session)


async def _close_connection(session: ClientWebSocketResponse) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_FAREWELL):
            await session.close()
