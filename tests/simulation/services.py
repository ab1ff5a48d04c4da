"""Slack and WeChat as the replicas and people meet them: the playground's rules, without its sockets.

Only what lies below them is new: a request comes from the simulated network, and what Slack delivers goes to an app in the
same process.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import orjson
from aiohttp import web

from bot.playground.faults import RateLimited
from bot.playground.loopback import Json, JsonObject, json_object
from bot.playground.slack.calls import api_call
from bot.playground.slack.refusals import RefusedError
from bot.playground.slack.server import LocalSlack
from bot.playground.slack.transcript import ApiCall
from bot.playground.wechat.asked import Asked, CodedError
from bot.playground.wechat.component import PREFIX, ComponentCalls
from bot.playground.wechat.server import SHARE, LocalWeChat
from bot.playground.world import SCOPES, World
from bot.slack.preflight import MENTIONS
from tests.simulation.chain import Carry, SimulatedPlatform
from tests.simulation.network import Reply, Sent

WECHAT = "https://wechat.test"
TOKENS = "https://tokens.test"
_BUSY = -1
_TO_RENEW = 30.0  # seconds
_SUPERSEDED = 40001
_DEAD = {40001, 40014, 42001}
_LIMIT_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Refusal:
    """An errcode with which WeChat refuses shares: all, or those of an owner, an env or an appid."""

    code: int
    owner: str | None = None
    env: str | None = None
    appid: str | None = None


@dataclass(frozen=True, slots=True)
class _Request:
    """What the playground's Slack reads of an HTTP request."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content_type: str = "application/json"


def _reply(response: web.Response) -> Reply:
    return Reply(response.status, response.headers, cast("bytes", response.body))


class SimulatedSlack(LocalSlack):
    """Slack; `hand_over` takes a payload to a replica and returns its ack."""

    def __init__(
        self,
        clock: Callable[[], float],
        hand_over: Callable[[str, JsonObject], Awaitable[Json]],
        world: World,
    ) -> None:
        super().__init__(replace(world, scopes=SCOPES | {MENTIONS}), clock)
        self._hand_over = hand_over

    async def send(
        self, kind: str, payload: JsonObject, envelope_id: str, attempt: int = 0
    ) -> Json:
        """Deliver a payload to one replica, and return its ack."""
        del envelope_id, attempt
        return await self._hand_over(kind, payload)

    def perform(self, sent: Sent, *, late: bool = False) -> Reply:
        """Carry out a call of the Web API or of a response_url."""
        path = urlsplit(sent.url).path
        if path.startswith("/api/"):
            request = cast("web.BaseRequest", _Request(path, sent.query, sent.headers))
            called = api_call(self, request, sent.body)
        else:
            called = self._response_urls.call(path, sent.body)
        if (
            called.body
        ):  # what another replica sends is no repetition: it has not heard of the Retry-After
            called = replace(called, body=called.body + sent.replica.encode())
        error: str | None = None
        fault = None if late else self.limits.meet(called)
        if isinstance(fault, RateLimited):
            response = called.no(RefusedError(error := "ratelimited"))
            response.set_status(429)
            response.headers["Retry-After"] = str(fault.retry_after)
        else:
            try:
                response = called.run()
            except RefusedError as refused:
                response, error = called.no(refused), refused.error
        self.record(ApiCall(called.method, called.args, error))
        return _reply(response)

    def limited(self, sent: Sent) -> Reply:
        """Answer 429; the same call before that time is a violation."""
        path = urlsplit(sent.url).path
        method = path.removeprefix("/api/") if path.startswith("/api/") else "response_url"
        self.fail(method, RateLimited(_LIMIT_SECONDS))
        return self.perform(sent)


class SimulatedWeChat(LocalWeChat):
    """WeChat, and the company's token server; `effects` is told of each share that takes effect."""

    def __init__(
        self, clock: Callable[[], float], effects: Callable[[str, str, str, str], None]
    ) -> None:
        self._now = clock
        super().__init__()
        self._effects = effects
        self.refusals: list[Refusal] = []
        self.current: dict[str, str] = {}
        """The newest token of each owner."""
        self.refused: dict[str, tuple[float, str]] = {}
        """When, and to which replica, WeChat first said of a token that it is not valid, or not the latest."""

    def _share(self, owner: str, asked: Asked) -> JsonObject:
        """Share, unless something is refused: nothing is done then."""
        env, appid = asked.text("env"), asked.text("appid")
        for each in self.refusals:
            if (
                each.owner in {None, owner}
                and each.env in {None, env}
                and each.appid in {None, appid}
            ):
                raise CodedError(each.code)
        return super()._share(owner, asked)

    def keep_chain(
        self,
        now: Callable[[], float],
        note: Callable[[str], None],
        dice: Random,
        carry: Carry,
        told: Callable[[str, str, int], None],
    ) -> None:
        """Let the bot keep the token chain itself, with pushes that are carried so."""
        self.platform = platform = SimulatedPlatform(now, self._tokens, note, dice, carry, told)
        calls = ComponentCalls(platform, self._clock).calls
        self._calls.update({f"{PREFIX}{name}": run for name, run in calls.items()})

    def _clock(self) -> float:
        return self._now()

    def perform(self, sent: Sent, *, late: bool = False) -> Reply:
        """Carry out a call."""
        del late
        url = urlsplit(sent.url)
        if sent.url.startswith(TOKENS):
            return _json({"access_token": self.token_of(url.path[1:]), "expires_in": 7200})
        query = dict(parse_qsl(url.query))
        token = query.get("component_access_token") or query.get("access_token", "")
        asked = Asked(token, sent.body, json_object(sent.body))
        try:
            told = self._calls[url.path](asked)
        except CodedError as coded:
            self._record(url.path, asked, coded.errcode)
            if coded.errcode in _DEAD and url.path.endswith(SHARE):
                self.refused.setdefault(token, (self._now(), sent.replica))
            return _reply(self._coded(coded.errcode))
        self._record(url.path, asked, 0)
        if url.path.endswith(SHARE):
            self._effects(sent.replica, *self.shared[-1])
        return _json(told)

    def limited(self, sent: Sent) -> Reply:
        """Answer that the system is busy, or the token server is."""
        return Reply(503, {}, b"") if sent.url.startswith(TOKENS) else _reply(self._coded(_BUSY))

    def token_of(self, owner: str) -> str:
        """Return the owner's token."""
        if owner not in self.current:
            self.current[owner] = self.issue(owner)
        return self.current[owner]

    def owner_of(self, token: str) -> str | None:
        """Return whose token this is."""
        return self._tokens.owner(token)

    def may_be_kept(self, token: str) -> bool:
        """Tell whether a token is valid, or superseded without WeChat having refused it: the bot cannot know."""
        try:
            self._tokens.judged(token)
        except CodedError as coded:
            return coded.errcode == _SUPERSEDED and token not in self.refused
        return True

    def is_valid(self, token: str) -> bool:
        """Tell whether WeChat would take an owner's token."""
        try:
            self._tokens.judged(token)
        except CodedError:
            return False
        return True

    def forget(self, replica: str) -> None:
        """Forget what this replica was refused just now: it died before it could renew that."""
        for token, (at, told) in [*self.refused.items()]:
            if told == replica and self._now() - at < _TO_RENEW:
                del self.refused[token]

    def overtake(self, owner: str) -> None:
        """Supersede all tokens of an owner that are valid, as when another system renews them."""
        newest = self._tokens.newest(owner)
        if newest and self.is_valid(newest):
            self._tokens.renew(owner, overlap=0)

    def renew(self, owner: str) -> None:
        """Give an owner another token, as when some other system renews it; the old one is superseded."""
        self.supersede(self.token_of(owner))
        self.current[owner] = self.issue(owner)


def _json(value: JsonObject) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, orjson.dumps(value))
