"""The app's side of the stand-in Slack: the Web API, Socket Mode, response_urls, and the delivery of payloads."""

from collections.abc import Callable
from time import time
from types import TracebackType
from typing import Literal, Self, TypeAlias
from uuid import UUID

from aiohttp import web

from bot.playground.faults import Faults
from bot.playground.loopback import JsonObject, Loopback
from bot.playground.slack.calls import Calls, Limits
from bot.playground.slack.delivery import Delivery
from bot.playground.slack.methods import METHODS, connections_open
from bot.playground.slack.responses import NAME as RESPONSE_URL
from bot.playground.slack.responses import ResponseUrls
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.slack.web_api import WebApi
from bot.playground.slack.workspace import Workspace
from bot.playground.world import World

Kind: TypeAlias = Literal["slash_commands", "interactive", "events_api"]

ACK_TIMEOUT = 3.0
PING_EVERY = 10.0


class Connected(Workspace):
    """A workspace served on 127.0.0.1 inside `async with`; no socket or task outlives it.

    `api_url` is the bot's SLACK_API_URL. With a `request_url`, payloads are posted there instead of sent through Socket Mode.
    `clock` returns Unix seconds. `fail` plans faults for methods and `clear` removes them; “response_url” counts as a
    method, with one argument: the `user` to whom it was given. `sockets` has the app's connections, `limits` its rate limits.
    """

    def __init__(
        self,
        world: World,
        clock: Callable[[], float] = time,
        ack_timeout: float = ACK_TIMEOUT,
        ping_every: float = PING_EVERY,
    ) -> None:
        super().__init__(world, clock)
        self.request_url: str | None = None
        self._loopback = Loopback()
        self.sockets = Sockets(self, self._loopback, ping_every)
        self._delivery = Delivery(self, self.sockets, ack_timeout)
        methods = {**METHODS, "apps.connections.open": connections_open(self._link)}
        self.faults = Faults((*methods, RESPONSE_URL), clock)
        self.fail, self.clear = self.faults.plan, self.faults.clear
        a_minute = {name: method.a_minute for name, method in methods.items()}
        self.limits = Limits(self.faults, a_minute, clock, self.violations.append)
        calls = Calls(self, self._loopback, self.limits)
        self._response_urls = ResponseUrls(self, calls)
        self._api = WebApi(self, methods, calls)

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sockets.drop()
        await self._loopback.stop()

    @property
    def api_url(self) -> str:
        """The base URL of the Web API."""
        return f"{self._loopback.origin}/api/"

    async def deliver(self, kind: Kind, payload: JsonObject) -> Ack:
        """Send any payload (a command, a click, an event) and return the ack."""
        self._note_trigger(payload)
        envelope_id = str(UUID(int=self.next_number()))
        return await self._delivery.deliver(kind, payload, envelope_id, self.request_url)

    async def redeliver(self, ack: Ack) -> Ack:
        """Send an earlier payload again, with the same envelope_id and trigger_id."""
        same = ack.kind, ack.request, ack.envelope_id
        return await self._delivery.deliver(*same, self.request_url)

    def response_url(
        self, user_id: str, channel_id: str, original: PostedMessage | None = None
    ) -> str:
        """Return a new response_url, which can replace the `original` message."""
        return self._loopback.origin + self._response_urls.open(channel_id, user_id, original)

    def _note_trigger(self, payload: JsonObject) -> None:
        """Start the lifetime of a payload's trigger_id."""
        user = payload.get("user")
        user_id = user.get("id") if isinstance(user, dict) else payload.get("user_id")
        if trigger_id := payload.get("trigger_id"):
            self.triggers.note(str(trigger_id), str(user_id))

    def _link(self) -> str:
        return f"ws://127.0.0.1:{self._loopback.port}/link?ticket={self.sockets.ticket()}"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            return await self._api.answer(request, request.path.removeprefix("/api/"))
        if request.path.startswith(("/commands/", "/actions/")):
            return await self._response_urls.use(request)
        if request.path == "/link":
            return await self.sockets.serve(request)
        return web.Response(status=404)
