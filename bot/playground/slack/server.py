"""A local Slack: the Web API, Socket Mode, commands, clicks and forms, and all that can go wrong."""

from collections.abc import Callable
from time import time
from types import TracebackType
from typing import Self
from uuid import UUID

from aiohttp import web

from bot.playground.faults import Faults
from bot.playground.loopback import JsonObject, Loopback
from bot.playground.slack.block_kit import block_errors
from bot.playground.slack.delivery import Delivery
from bot.playground.slack.forms import Forms
from bot.playground.slack.interactions import Kind
from bot.playground.slack.limits import Limits
from bot.playground.slack.methods import METHODS, connections_open
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.responses import NAME as RESPONSE_URL
from bot.playground.slack.responses import ResponseUrls
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import Ack, ApiCall, PostedMessage
from bot.playground.slack.web_api import WebApi
from bot.playground.world import World

__all__ = [
    "Ack",
    "ApiCall",
    "ImpossibleError",
    "LocalSlack",
    "PostedMessage",
    "View",
    "block_errors",
]

ACK_TIMEOUT = 3.0
PING_EVERY = 10.0


class LocalSlack(Forms):
    """Slack on 127.0.0.1, from `async with` to its end; no socket or task outlives it.

    `api_url` is the bot's SLACK_API_URL. With `request_url` set, commands are posted there instead
    of sent through Socket Mode. `clock` returns Unix seconds. `fail` plans faults for methods and
    `clear` takes them away; “response_url” is a method too, whose only argument is the `user` who got it. `sockets` are
    the app's connections, `limits` how often it may call what.
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
        self._response_urls = ResponseUrls(self, self._loopback, clock, self.limits)
        self._api = WebApi(self, self._loopback, methods, self.limits)

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        await self._delivery.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sockets.drop()
        await self._delivery.stop()
        await self._loopback.stop()

    @property
    def api_url(self) -> str:
        """Return the base of the Web API."""
        return f"{self._loopback.origin}/api/"

    async def command(
        self,
        user_id: str,
        channel_id: str,
        text: str,
        command: str = "/share-env",
        trigger_id: str | None = None,
    ) -> Ack:
        """Type a slash command as a person does; returns when it was acked, or Slack gave up."""
        person, channel = self.people[user_id], self.channels[channel_id]
        payload: JsonObject = {
            "token": "made-up-verification-token",
            "team_id": self.world.team_id,
            "team_domain": self.world.team_domain,
            "channel_id": channel.id,
            "channel_name": self.name_in_commands(channel),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": self.world.app_id,
            "is_enterprise_install": "false",
            "response_url": self.response_url(user_id, channel_id),
            "trigger_id": trigger_id or self.next_trigger(),
        }
        return await self.deliver("slash_commands", payload)

    async def deliver(self, kind: Kind, payload: JsonObject) -> Ack:
        """Send any payload, a click or an event as well as a command, and return the ack."""
        self._note_trigger(payload)
        envelope_id = str(UUID(int=self.next_number()))
        return await self._delivery.deliver(kind, payload, envelope_id, self.request_url)

    async def redeliver(self, ack: Ack) -> Ack:
        """Send again what was acked before: the same payload, envelope_id and trigger_id."""
        same = ack.kind, ack.request, ack.envelope_id
        return await self._delivery.deliver(*same, self.request_url)

    def response_url(
        self, user_id: str, channel_id: str, original: PostedMessage | None = None
    ) -> str:
        """Return a new response_url, which may replace the original."""
        return self._loopback.origin + self._response_urls.open(channel_id, user_id, original)

    def _note_trigger(self, payload: JsonObject) -> None:
        """Let a payload's trigger_id open a view from now on."""
        user, view = payload.get("user"), payload.get("view")
        user_id = user.get("id") if isinstance(user, dict) else payload.get("user_id")
        view_id = view.get("id") if isinstance(view, dict) else ""
        if trigger_id := payload.get("trigger_id"):
            self.triggers.note(str(trigger_id), str(user_id), str(view_id))

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
