"""A local WeChat: /tcb/shareenv and what it tells of envs, the platform's token chain, and a central token server beside it."""

from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from bot.playground.faults import Faults
from bot.playground.loopback import Loopback, Watched, cut
from bot.playground.wechat.answers import Answers, Endpoint
from bot.playground.wechat.envs import OwnersEnvs
from bot.playground.wechat.platform import PREFIX, PlatformStandIn
from bot.playground.wechat.rules import Asked, judge
from bot.playground.wechat.tokens import LIFETIME, Clock, IssuedTokens

SHARE, TOKEN = "shareenv", "token"


class ShareCall(NamedTuple):
    """One call of /tcb/shareenv and WeChat's verdict, None where it never came to one."""

    env: str
    appid: str
    token: str
    errcode: int | None


class LocalWeChat(Watched):
    """WeChat on 127.0.0.1, from `async with` to its end.

    `url` is the bot's WECHAT_API_URL, `token_url` its WECHAT_TOKEN_SERVER_URL, `authorization`
    its WECHAT_TOKEN_SERVER_AUTHORIZATION, `platform` the third-party platform that the bot can
    speak for instead. `latency`, in seconds, delays each answer. `envs` are the owners' envs and
    their states, for /tcb/getenvinfo, and `functions` those of each env, for /tcb/listfunctions.
    `in_flight` is how many calls of /tcb/shareenv have come and not been answered, `most_at_once`
    the most there ever were. `fail` plans faults for calls, by the last part of their
    paths or `token` for the token server, and `clear` takes them away.
    """

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__()
        self.latency = latency
        self.authorization = "Bearer made-up-token-server"
        self.shared: list[tuple[str, str, str]] = []
        self.calls: list[ShareCall] = []
        self.in_flight = 0
        self.most_at_once = 0
        self.token_calls: list[str] = []
        self._loopback = Loopback()
        self._clock = Clock()
        self._tokens = IssuedTokens("made-up-token", self._clock)
        self._lines: list[str] = []
        self._owners_envs = OwnersEnvs(self._tokens, self._note)
        self.envs, self.functions = self._owners_envs.envs, self._owners_envs.functions
        self.platform = PlatformStandIn(self._clock, self._tokens, self._note)
        self._endpoints = {
            f"/tcb/{SHARE}": Endpoint(self._share, self._record),
            **self._owners_envs.endpoints,
            **self.platform.endpoints,
        }
        self.faults = Faults((TOKEN, *self._endpoints), self._clock)
        self.fail, self.clear = self.faults.plan, self.faults.clear
        self._answers = Answers(self._loopback, self.faults)

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        await self.platform.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._loopback.stop()
        await self.platform.stop()  # last: up to now a call could ask for pushes

    @property
    def url(self) -> str:
        """Return the base of WeChat's API."""
        return self._loopback.origin

    @property
    def token_url(self) -> str:
        """Return the token server's URL, with `{appid}` for the owner to fill in."""
        return f"{self._loopback.origin}/token/{{appid}}"

    def advance(self, seconds: float) -> None:
        """Move the clock ahead, for everything that expires."""
        self._clock.advance(seconds)

    def issue(self, owner: str) -> str:
        """Return a new authorizer_access_token of an owner, which the token server hands out."""
        return self._tokens.issue(owner, LIFETIME)

    def expire(self, token: str) -> None:
        """Let a token expire: 42001 from now on."""
        self._tokens.end(token, "expired")

    def supersede(self, token: str) -> None:
        """Supersede a token, as if another system had refreshed it: 40001 from now on."""
        self._tokens.end(token, "superseded")

    def transcript(self) -> str:
        """Return the calls and pushes so far, without their tokens."""
        return "\n".join(self._lines) or "(no call)"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != f"/tcb/{SHARE}":
            return await self._answer(request)
        self.in_flight += 1
        self.most_at_once = max(self.most_at_once, self.in_flight)
        try:
            return await self._answer(request)
        finally:
            self.in_flight -= 1
            self.changed()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.latency and not await self._loopback.hold(self.latency):
            return cut(request)
        if request.path.startswith("/token/"):
            return await self._token(request)
        if request.method == "POST" and "Content-Length" not in request.headers:
            return web.Response(status=412)  # a gateway in front of WeChat wants the length
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return self._answers.coded(40066)
        token = request.query.get("access_token", "")
        if request.path.startswith(PREFIX):  # the documents name this parameter both ways
            token = request.query.get("component_access_token") or token
        asked = Asked(request.method, token, await request.read())
        return await self._answers.call(request, asked, endpoint)

    def _share(self, asked: Asked) -> int:
        token = self._tokens.seen(asked.token)
        errcode = judge(asked, token)
        if errcode == 0 and token is not None:
            self.shared.append((token.owner, asked.argument("env"), asked.argument("appid")))
        return errcode

    def _record(self, asked: Asked, errcode: int | None) -> None:
        call = ShareCall(asked.argument("env"), asked.argument("appid"), asked.token, errcode)
        self.calls.append(call)
        self._note(f"shareenv {call.env} {call.appid}: {errcode}")

    def _note(self, line: str) -> None:
        self._lines.append(line)
        self.changed()

    async def _token(self, request: web.BaseRequest) -> web.StreamResponse:
        owner = request.path.removeprefix("/token/")
        self.token_calls.append(owner)
        self.changed()
        return await self._answers.answer(
            request,
            TOKEN,
            {"owner": owner},
            usual=lambda: self._handed_out(request, owner),
            nothing=lambda _: None,
        )

    def _handed_out(self, request: web.BaseRequest, owner: str) -> web.Response:
        """Hand out the owner's current token, a new one if that is worth nothing any more."""
        if request.headers.get("Authorization") != self.authorization:
            return web.json_response({"error": "unauthorized"}, status=401)
        if request.method != "GET":
            return web.json_response({"error": "method not allowed"}, status=405)
        token = self._tokens.newest(owner)
        seen = None if token is None else self._tokens.seen(token)
        if seen is None or seen.state != "current":
            token = self.issue(owner)
        return web.json_response({"authorizer_access_token": token, "expires_in": LIFETIME})
