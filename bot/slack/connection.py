"""The bot's line to Slack: both tokens checked before anything else, one Socket Mode connection kept alive."""

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import WSMessage
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.domain.problem import Problem
from bot.runtime.observers import Observers
from bot.slack.acks import kind_of
from bot.slack.api import (
    BAD_TOKEN,
    MAYBE,
    NOT_SENT,
    NOT_SLACKS,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    retry_after,
)
from bot.slack.socket_client import SocketClient

TOO_MANY_CONNECTIONS = "Slack has too many connections of this app: it allows ten"
_TOO_MANY = "too_many_websockets"
_PATIENCE = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """Both tokens work: who the bot is, as auth.test tells, the address of its socket, if asked for, and its scopes."""

    identity: Mapping[str, object]
    socket_url: str | None
    scopes: frozenset[str] | None = None

    def told(self, what: str) -> str:
        """Return one thing that auth.test told of the bot; empty if it did not."""
        return str(self.identity.get(what) or "")


@dataclass(frozen=True, slots=True)
class Unusable:
    """Slack cannot be used: a sentence for each thing wrong, and whether the setup is to blame."""

    problems: tuple[str, ...]
    wrong_setup: bool


async def preflight(bot: SlackApi, app: SlackApi | None) -> Ready | Unusable:
    """Check the bot token and, with Socket Mode, the app token, at once; return what they open or what is wrong.

    Bolt would find a bad bot token at the first command, and try a bad app token for ever.
    """
    identity, opened = await asyncio.gather(
        bot.read("auth.test", _PATIENCE),
        app.write("apps.connections.open", _PATIENCE) if app else _unasked(),
    )
    if isinstance(identity, Answered) and isinstance(opened, Answered):
        url = opened.data.get("url")
        return Ready(identity.data, url if isinstance(url, str) else None, identity.scopes)
    problems = filter(None, (problem_of_bot(identity), problem_of_app(opened)))
    return Unusable(tuple(dict.fromkeys(problems)), _is_no(identity) or _is_no(opened))


async def _unasked() -> Result:
    return Answered({})


def _is_no(result: Result) -> bool:
    """Tell whether Slack said no, rather than nothing or “later”."""
    later = retry_after(result) is not None
    return isinstance(result, Refused) and result.error != NOT_SENT and not later


def problem_of_bot(result: Result) -> str | None:
    """Return what is wrong with the bot token, or with the way to Slack, in a sentence and its fix."""
    match result:
        case Answered():
            return None
        case Refused(error) if error in BAD_TOKEN:
            return (
                f"SLACK_BOT_TOKEN is not accepted by Slack ({error}). Copy the bot token again from your Slack "
                "app's page “OAuth & Permissions”, or install the app again there."
            )
        case _:
            return _unreachable(result)


def problem_of_app(result: Result) -> str | None:
    """Return what is wrong with the app-level token, or with the way to Slack, in a sentence and its fix."""
    match result:
        case Answered():
            return None
        case Refused("missing_scope"):
            return (
                "SLACK_APP_TOKEN lacks the scope connections:write. Make a new app-level token with it on your "
                "Slack app's page “Basic Information”."
            )
        case Refused(error) if error in BAD_TOKEN:
            return (
                f"SLACK_APP_TOKEN is not accepted by Slack ({error}). Make a new app-level token with the scope "
                "connections:write on your Slack app's page “Basic Information”, and turn on Socket Mode."
            )
        case _:
            return _unreachable(result)


def _unreachable(result: Result) -> str:
    match result:
        case Refused() if retry_after(result):
            return "Slack asks the bot to slow down. Wait a minute, then start again."
        case Refused(error) if error != NOT_SENT:
            return Problem(
                f"Slack says no ({error})", "Check the app's settings and SLACK_API_URL."
            )
        case Doubtful(error) if error in MAYBE:
            return (
                f"Slack answers that it is in trouble itself ({error}). "
                "Look at slack-status.com, wait, then start again."
            )
        case Doubtful(error) if error in {NOT_SLACKS, "HTTP 200"}:
            return (
                "What answers at SLACK_API_URL is not Slack, but a web page perhaps. "
                "Check whether a proxy or a sign-in page of the network stands in between, then start again."
            )
        case Doubtful("HTTP 404"):
            return (
                "What answers at SLACK_API_URL is not Slack's API (HTTP 404). "
                "Set it to https://slack.com/api/, or take it out, then start again."
            )
        case Doubtful("HTTP 407" | "ClientHttpProxyError"):
            return (
                "The proxy does not let the bot through to Slack. "
                "Check HTTPS_PROXY, and the user and the password in it, then start again."
            )
        case _:
            return "Slack cannot be reached. Check the network, the proxy and SLACK_API_URL, then start again."


class SocketMode:
    """One Socket Mode connection: opened with the preflight's address, watched, and closed."""

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
        observers: Observers = Observers(),  # noqa: B008  # frozen, and tells nobody
    ) -> None:
        self._app = app
        self._check_every = check_every
        self._connect_within = connect_within
        self._observers = observers
        self._client = SocketClient(
            app_token,
            app.client,
            app.logger,
            ping_interval=ping_every,
            one_try=one_try,
            linger=linger,
            called=observers.called_slack,
        )
        self._client.wss_uri = url
        self._client.socket_mode_request_listeners.append(self._take)
        self._client.on_message_listeners.append(self._heard)
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> bool:
        """Connect; False if Slack did not greet in time."""
        self._watch = asyncio.create_task(self._watch_over())
        try:
            async with asyncio.timeout(self._connect_within):
                await self._client.connect_to_new_endpoint(force=True)
                await self._client.greeted.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Take no more commands."""
        if self._watch is not None:
            self._watch.cancel()
        await self._client.close()  # type: ignore[no-untyped-call]  # the SDK's

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """Hand an envelope to Bolt, and send the ack; what Bolt cannot read is answered as what it says it is."""
        began, kind = time.monotonic(), kind_of(request.payload)
        try:
            response = await run_async_bolt_app(self._app, request)
        except Exception:  # noqa: BLE001  # whoever waits for the ack is not to wait in vain
            _log.exception("unforeseen error")
            said = ((name, request.payload.get(name)) for name in ("type", "command"))
            request.payload = {name: value for name, value in said if isinstance(value, str)}
            response = await run_async_bolt_app(self._app, request)
        await send_async_response(client, request, response, time.time())
        self._observers.acked(kind, time.monotonic() - began)

    @property
    def connected(self) -> bool:
        """Whether a connection stands, as far as is known here: pings find a silent one within half a minute."""
        session = self._client.current_session
        newest = session is not None and not session.closed and not self._client.stale
        return (newest and not self.refused) or self._client.moving

    @property
    def refused(self) -> bool:
        """Whether Slack has too many connections of this app to let it have this one."""
        return self._client.back_off.refused

    @property
    def alive(self) -> bool:
        """Whether what reads envelopes, and what watches over the connection, still runs."""
        watch = self._watch
        return not self._client.message_processor.done() and not (watch and watch.done())

    async def _heard(self, message: WSMessage) -> None:
        """Tell of the greeting and the farewell of a connection; all else has an envelope, and is Bolt's."""
        if '"envelope_id"' in message.data:
            return
        try:
            told = json.loads(message.data)
        except ValueError:
            return
        match told:
            case {"type": "hello"}:
                self._client.greet()
                self._observers.connected()
            case {"type": "disconnect", "reason": reason}:
                if reason == _TOO_MANY:
                    self._client.refuse()
                self._observers.parted(str(reason))
            case _:
                pass

    async def _watch_over(self) -> None:
        """Connect anew whenever the connection is down for two checks in a row.

        The SDK looks only once in `ping_every`, and not at all after an attempt that was cut short.
        """
        down = 0
        while True:
            await asyncio.sleep(self._check_every)
            up = self._client.moving or await self._client.is_connected()
            down = 0 if up else down + 1
            if down > 1:
                _log.warning("not connected to Slack; connecting anew")
                await self._client.connect_to_new_endpoint()
