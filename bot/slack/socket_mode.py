"""The bot's Socket Mode connection, kept alive."""

import asyncio
import json
import logging
import time
from http import HTTPStatus

from aiohttp import ClientWebSocketResponse
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.runtime.observers import Observers
from bot.slack.socket_client import Envelope, SocketClient

TOO_MANY_CONNECTIONS = "Slack has too many connections of this app: it allows ten"

_log = logging.getLogger(__name__)


class SocketMode:
    """One Socket Mode connection: opened with the preflight's URL, watched, and closed."""

    def __init__(  # noqa: PLR0913, PLR0917  # times in seconds; a test need not wait for them
        self,
        app: AsyncApp,
        app_token: str,
        url: str | None,
        check_every: float = 2.0,
        ping_every: float = 10.0,
        one_try: float = 5.0,
        connect_within: float = 30.0,
        linger: float = 15.0,
        observers: Observers = Observers(),  # noqa: B008  # frozen
    ) -> None:
        self._app = app
        self._check_every = check_every
        self._connect_within = connect_within
        self._observers = observers
        self._client = SocketClient(
            app_token,
            app.client,
            app.logger,
            self._take,
            ping_interval=ping_every,
            one_try=one_try,
            apart=check_every,
            linger=linger,
            observers=observers,
        )
        self._client.wss_uri = url
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Connect; False if Slack's hello did not come in time."""
        self._watch = asyncio.create_task(self._watch_over())
        try:
            async with asyncio.timeout(self._connect_within):
                await self._client.connect_to_new_endpoint(force=True)
                await self._client.greeted.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop watching, and close the connection."""
        if self._watch is not None:
            self._watch.cancel()
        await self._client.close()  # type: ignore[no-untyped-call]  # the SDK's

    async def _take(self, envelope: Envelope, session: ClientWebSocketResponse) -> None:
        """Pass an envelope to Bolt and send the ack; if Bolt raises, pass only its type, for an ack with an apology."""
        began, request = time.monotonic(), SocketModeRequest.from_dict(dict(envelope))
        if request is None:
            return
        try:
            response = await run_async_bolt_app(self._app, request)
        except Exception:  # noqa: BLE001  # Slack has to get an ack
            _log.exception("unforeseen error")
            said = ((name, request.payload.get(name)) for name in ("type", "command"))
            request.payload = {name: value for name, value in said if isinstance(value, str)}
            response = await run_async_bolt_app(self._app, request)
        if response.status == HTTPStatus.OK:
            try:
                await self._client.send(_ack(request.envelope_id, response), session)
            except ConnectionError as error:  # the bot stops, or the next connection was lost too
                _log.warning("an ack did not reach Slack", extra={"error": repr(error)})
                return
            self._observers.acked(request.payload, time.monotonic() - began)

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known: pings detect a dead one within half a minute."""
        client, session = self._client, self._client.current_session
        newest = session is not None and not session.closed and not client.stale
        return (newest and client.greeted.is_set()) or client.is_replacing

    @property
    def refused(self) -> bool:
        """Whether Slack refused the connection, since the app has too many."""
        return self._client.back_off.refused

    @property
    def alive(self) -> bool:
        """Whether the watch task runs, which replaces each connection that ends."""
        return not self._client.closed and not (self._watch and self._watch.done())

    async def _watch_over(self) -> None:
        """Reconnect whenever the connection is down for two checks in a row.

        The SDK checks only every `ping_every` seconds, and not at all after a cancelled attempt.
        """
        down = 0
        while True:
            await asyncio.sleep(self._check_every)
            up = self._client.is_replacing or await self._client.is_connected()
            down = 0 if up else down + 1
            if down > 1:
                _log.warning("not connected to Slack; connecting anew")
                await self._client.connect_to_new_endpoint()


def _ack(envelope_id: str, response: BoltResponse) -> str:
    """Return the ack's JSON; Bolt's body is JSON already, or a plain text."""
    envelope, said = json.dumps(envelope_id), response.body
    if not said:
        return f'{{"envelope_id":{envelope}}}'
    (kind,) = response.headers["content-type"]
    payload = said if kind.startswith("application/json") else json.dumps({"text": said})
    return f'{{"envelope_id":{envelope},"payload":{payload}}}'
