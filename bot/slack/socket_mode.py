"""Socket Mode: always a connection, and the next before Slack ends it; each envelope goes to the app, and gets its ack.

Not the SDK's client (slack_sdk 3.48, socket_mode/aiohttp): it retries one URL for ever, even after its ticket has expired;
closes a connection that Slack warns of before there is another, though Slack sends commands over it for some ten seconds
more; asks for the next one at once, also if Slack ends each of them at once, as it does if the app has ten already; keeps
one over which Slack never says hello; and passes each message through a queue and two tasks. Sources: docs.slack.dev,
apis/events-api/using-socket-mode; slackapi/bolt-js, issues 2225 and 2238.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial

from aiohttp import ClientResponseError, ClientWebSocketResponse, WSMsgType

from bot.domain.finding import Problem
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers, no_op
from bot.runtime.tasks import Tasks
from bot.runtime.way import in_the_way
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, object_in
from bot.slack.greeting import LINK_DISABLED, REFUSALS, Greeted, Hello, read_hello
from bot.slack.listeners import App

_PATIENCE = 3600.0  # seconds to wait for a rate limit
_ENDS_LATER = {"warning", "refresh_requested"}
LONGEST_PAUSE = 60.0
"""Seconds between two attempts, at most, while Slack refuses the connection."""

HELLO_WITHIN = 10.0
"""Seconds for the hello of a new connection, which Slack sends at once."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds; a test need not wait for them."""

    ping_every: float = 10.0
    """Between two pings; after half of it without an answer the connection is dead."""
    one_try: float = 5.0
    """For a handshake."""
    apart: float = 5.0
    """Between the beginnings of two attempts; Slack limits the calls for a URL."""
    connect_within: float = 30.0
    """For the first connection."""
    linger: float = 15.0
    """For Slack to close a connection that is replaced."""


@dataclass(eq=False)
class _OpenConnection:
    socket: ClientWebSocketResponse
    greeted: bool = False
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has ended, or Slack has said that it will soon."""
    next: "asyncio.Future[_OpenConnection | None]" = field(default_factory=asyncio.Future)
    """The one that replaces it; None if the client is closed first."""


class SocketClient:
    """Keeps a connection open, and passes envelopes to the app; `url` is for the first attempt."""

    def __init__(  # noqa: PLR0913, PLR0917  # made by `socket_mode` alone
        self,
        api: SlackApi,
        url: str | None,
        app: App,
        clock: Callable[[], float],
        observers: Observers,
        noted: Greeted,
        pace: Pace,
    ) -> None:
        self._api = api
        self._clock = clock
        self._url = url
        self._app = app
        self._observers = observers
        self._noted = noted
        self._pace = pace
        self._tried = -math.inf
        self._apart = pace.apart
        self.refused: Problem | None = None
        """Why Slack refuses the connection, if it does."""
        self._start = Tasks().start
        self._answered = asyncio.Event()
        self._newest: _OpenConnection | None = None
        self._readings: dict[_OpenConnection, asyncio.Task[None]] = {}
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Connect; False if Slack's hello did not come in time, or Socket Mode is switched off."""
        self._keeper = asyncio.create_task(self._keep_connected())
        try:
            async with asyncio.timeout(self._pace.connect_within):
                await self._answered.wait()
        except TimeoutError:
            return False
        return self.refused is None

    async def close(self) -> None:
        """Close all connections, and open no more."""
        connections = [*self._readings]
        tasks = [*self._readings.values(), *filter(None, [self._keeper])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:
            await connection.socket.close()  # nothing did, if its reading had not begun
        if self._newest:
            self._newest.next.set_result(None)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known: pings detect a dead one within a quarter of a minute."""
        return any(each.greeted for each in self._readings)

    @property
    def alive(self) -> bool:
        """Whether the task runs that replaces each connection."""
        return self._keeper is None or not self._keeper.done()

    async def _keep_connected(self) -> None:
        """Open a connection, and the next whenever the newest has ended or will soon."""
        while True:
            old, new = self._newest, _OpenConnection(await self._connect())
            self._newest = new
            reading = self._readings[new] = asyncio.create_task(self._read(new))
            reading.add_done_callback(partial(self._ended, new))
            if old:
                old.next.set_result(new)
                if still_read := self._readings.get(old):
                    asyncio.get_running_loop().call_later(self._pace.linger, still_read.cancel)
            await new.ending.wait()
            if not self.refused:
                self._apart = self._pace.apart

    def _ended(self, connection: _OpenConnection, _: asyncio.Task[None]) -> None:
        del self._readings[connection]
        connection.ending.set()

    async def _connect(self) -> ClientWebSocketResponse:
        """Open a connection, with retries: each with a new URL, whose ticket is valid for one attempt."""
        while True:
            await self._api.sleep(max(0.0, self._tried + self._apart - self._clock()))
            self._tried = self._clock()
            url, self._url = self._url, None
            try:
                if url := url or await self._new_url():
                    async with asyncio.timeout(self._pace.one_try):
                        return await self._api.session.ws_connect(
                            url,
                            heartbeat=self._pace.ping_every,
                            proxy=self._api.proxy,
                        )
            except Exception as error:  # noqa: BLE001  # the loop must go on
                # Not the error's text, which may have the URL with its ticket.
                status = f" {error.status}" if isinstance(error, ClientResponseError) else ""
                why = {"error": f"{type(error).__name__}{status}"}
                way = in_the_way(error, self._api.proxy)
                _log.warning("no connection to Slack yet", extra=why | _named(way))

    async def _new_url(self) -> str | None:
        """Return a new URL; None if Slack has none, whose error is logged."""
        match await self._api.write("apps.connections.open", _PATIENCE):
            case Answered({"url": str(url)}):
                return url
            case Answered():
                why, way = "an answer without an address", None
            case Refused(error) if error in REFUSALS:
                self._refuse(error)
                return None
            case Refused(error, way=way) | Doubtful(error, way):
                why = error
        _log.warning("no address from Slack yet", extra={"error": why} | _named(way))
        return None

    async def _read(self, connection: _OpenConnection) -> None:
        """Handle messages as they arrive, and close the connection in the end, or if Slack does not say hello in time."""
        try:
            async with asyncio.timeout(HELLO_WITHIN) as patience:
                async for message in connection.socket:
                    if message.type is WSMsgType.TEXT:
                        self._handle(message.data, connection)
                    if connection.greeted:
                        patience.reschedule(None)
        except TimeoutError:
            _log.warning("Slack says no hello over a new connection; connecting anew")
        except ConnectionError:
            pass  # lost while a ping of Slack's was answered
        finally:
            await connection.socket.close()

    def _handle(self, text: str, connection: _OpenConnection) -> None:
        """Handle hello and disconnect; start to answer every envelope."""
        payload = object_in(text) or {}
        match payload:
            case {"envelope_id": str()}:
                self._start(self._take(connection, payload))
            case {"type": "hello"}:
                connection.greeted = True
                self.refused = None
                self._answered.set()
                self._observers.connected()
                self._noted(self._alone(read_hello(payload)))
            case {"type": "disconnect"}:
                reason = str(payload.get("reason"))
                if reason in REFUSALS:
                    self._refuse(reason)
                if reason not in _ENDS_LATER:
                    self._readings[connection].cancel()
                connection.ending.set()
            case _:
                pass

    def _alone(self, hello: Hello) -> Hello:
        """Return a hello that counts no other connection of this client, such as one that is about to be replaced."""
        own = sum(each.greeted for each in self._readings)
        count = hello.connections
        return hello if count is None else replace(hello, connections=max(1, count + 1 - own))

    def _refuse(self, reason: str) -> None:
        """Note that Slack refuses the connection, and try it again less often."""
        self.refused = REFUSALS[reason]
        self._apart = min(2 * self._apart, LONGEST_PAUSE)
        why = _named(self.refused) | {"pause": self._apart}
        _log.warning("Slack refuses the connection", extra=why)
        self._noted(reason)
        if (
            reason == LINK_DISABLED
        ):  # other copies may stop, and this stays as it is until somebody acts
            self._answered.set()

    async def _take(self, connection: _OpenConnection, envelope: dict[str, object]) -> None:
        """Send the ack of an envelope."""
        began, payload = self._clock(), envelope.get("payload")
        body = payload if isinstance(payload, dict) else {}
        said = await self._app.answer(body)
        envelope_id = json.dumps(envelope["envelope_id"])
        says = f',"payload":{said}' if said else ""
        if await self._send(connection, f'{{"envelope_id":{envelope_id}{says}}}'):
            self._observers.acked(body, self._clock() - began)
        else:
            _log.warning("an ack did not reach Slack")

    async def _send(self, connection: _OpenConnection | None, message: str) -> bool:
        """Send over this connection or, once it is closed, over the next; False if the client is closed first."""
        while connection is not None:
            with suppress(ConnectionError):
                await connection.socket.send_str(message)
                return True
            connection = await asyncio.shield(connection.next)  # which others wait for too
        return False


def _named(why: Problem | None) -> dict[str, str]:
    """Return the facts of a log line about what is wrong, as far as it is known."""
    return {"reason": why.found, "fix": why.fix} if why else {}


def socket_mode(  # noqa: PLR0913  # all that a connection needs
    app: App,
    app_token: str,
    url: str | None,
    runtime: Runtime,
    *,
    observers: Observers = Observers(),  # noqa: B008  # frozen
    noted: Greeted = no_op,
    pace: Pace = Pace(),  # frozen
) -> SocketClient:
    """Return the client that passes envelopes to the app; `url` is the preflight's, for the first attempt.

    `noted` gets each hello of Slack's, and the reason of each refusal.
    """
    client = copy(app.client)  # the same way to Slack, with the other token
    client.token = app_token
    api = SlackApi(client, runtime.idle, observers.called_slack)
    return SocketClient(api, url, app, runtime.clock, observers, noted, pace)
