"""A local WeChat: /tcb/shareenv, and the company's central token server beside it."""

from collections import deque
from types import TracebackType
from typing import NamedTuple, Self

from aiohttp import web

from bot.playground.loopback import Loopback, cut
from bot.playground.watched import Watched
from bot.playground.wechat_failing import failed
from bot.playground.wechat_faults import (
    Answer,
    Code,
    Drip,
    Drop,
    GzipBomb,
    Hang,
    Huge,
    Redirect,
    Status,
    Truncated,
)
from bot.playground.wechat_rules import Asked, Token, answer, judge

__all__ = [
    "Answer",
    "Call",
    "Code",
    "Drip",
    "Drop",
    "GzipBomb",
    "Hang",
    "Huge",
    "LocalWeChat",
    "Redirect",
    "Status",
    "Truncated",
]

EXPIRES_IN = 7200
CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")


class Call(NamedTuple):
    """One call of /tcb/shareenv and WeChat's verdict, None where it never came to one."""

    env: str
    appid: str
    token: str
    errcode: int | None


class LocalWeChat(Watched):
    """WeChat on 127.0.0.1, from `async with` to its end.

    `url` is the bot's WECHAT_API_URL, `token_url` its WECHAT_TOKEN_SERVER_URL, `authorization`
    its WECHAT_TOKEN_SERVER_AUTHORIZATION. `latency`, in seconds, delays each answer.
    """

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__()
        self.latency = latency
        self.authorization = "Bearer made-up-token-server"
        self.shared: list[tuple[str, str, str]] = []
        self.calls: list[Call] = []
        self.token_calls: list[str] = []
        self._loopback = Loopback()
        self._tokens: dict[str, Token] = {}
        self._current: dict[str, str] = {}
        self._queue: deque[Answer] = deque()
        self._token_queue: deque[Answer] = deque()
        self._standing: Answer | None = None
        self._answers = 0

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._loopback.stop()

    @property
    def url(self) -> str:
        """Return the base of WeChat's API."""
        return self._loopback.origin

    @property
    def token_url(self) -> str:
        """Return the token server's URL, with `{appid}` for the owner to fill in."""
        return f"{self._loopback.origin}/token/{{appid}}"

    def issue(self, owner: str) -> str:
        """Return a new authorizer_access_token of an owner, which the token server hands out."""
        token = f"made-up-token-{len(self._tokens) + 1}-of-{owner}"
        self._tokens[token] = Token(owner)
        self._current[owner] = token
        return token

    def expire(self, token: str) -> None:
        """Let two hours pass for a token: 42001 from now on."""
        self._tokens[token] = Token(self._tokens[token].owner, "expired")

    def supersede(self, token: str) -> None:
        """Let another system have refreshed a token: 40001 from now on."""
        self._tokens[token] = Token(self._tokens[token].owner, "superseded")

    def next(self, *answers: Answer) -> None:
        """Let the next calls of /tcb/shareenv be answered so, one after the other."""
        self._queue.extend(answers)

    def next_token(self, *answers: Answer) -> None:
        """Let the next calls of the token server be answered so, one after the other."""
        self._token_queue.extend(answers)

    def always(self, standing: Answer | None) -> None:
        """Let every call of /tcb/shareenv that no queued answer meets be answered so."""
        self._standing = standing

    def transcript(self) -> str:
        """Return the calls so far, without their tokens."""
        lines = [f"shareenv {each.env} {each.appid}: {each.errcode}" for each in self.calls]
        return "\n".join(lines) or "(no call)"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.latency and not await self._loopback.hold(self.latency):
            return cut(request)
        if request.path == "/tcb/shareenv":
            return await self._share_env(request)
        if request.path.startswith("/token/"):
            return await self._token(request)
        return self._coded(40066)

    async def _share_env(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST" and "Content-Length" not in request.headers:
            return web.Response(status=412)  # a gateway in front of WeChat wants the length
        token = request.query.get("access_token", "")
        asked = Asked(request.method, token, await request.read())
        fault = self._queue.popleft() if self._queue else self._standing
        match fault:
            case None:
                return self._coded(self._share(asked))
            case Code(errcode, errmsg, as_string):
                if errcode == 0:
                    return self._coded(self._share(asked))
                self._record(asked, errcode)
                return self._coded(errcode, errmsg, as_string=as_string)
            case _:
                return await failed(
                    fault,
                    request,
                    self._loopback,
                    normal=lambda: self._coded(self._share(asked)),
                    nothing=lambda: self._record(asked, None),
                )

    def _share(self, asked: Asked) -> int:
        token = self._tokens.get(asked.token)
        errcode = judge(asked, token)
        if errcode == 0 and token is not None:
            self.shared.append((token.owner, asked.argument("env"), asked.argument("appid")))
        self._record(asked, errcode)
        return errcode

    def _record(self, asked: Asked, errcode: int | None) -> None:
        call = Call(asked.argument("env"), asked.argument("appid"), asked.token, errcode)
        self.calls.append(call)
        self.changed()

    async def _token(self, request: web.BaseRequest) -> web.StreamResponse:
        owner = request.path.removeprefix("/token/")
        self.token_calls.append(owner)
        self.changed()
        fault = self._token_queue.popleft() if self._token_queue else None
        match fault:
            case None:
                return self._handed_out(request, owner)
            case Code(errcode, errmsg, as_string):
                return self._coded(errcode, errmsg, as_string=as_string)
            case _:
                return await failed(
                    fault,
                    request,
                    self._loopback,
                    normal=lambda: self._handed_out(request, owner),
                    nothing=lambda: None,
                )

    def _handed_out(self, request: web.BaseRequest, owner: str) -> web.Response:
        """Hand out the owner's current token, a new one if that is worth nothing any more."""
        if request.headers.get("Authorization") != self.authorization:
            return web.json_response({"error": "unauthorized"}, status=401)
        if request.method != "GET":
            return web.json_response({"error": "method not allowed"}, status=405)
        token = self._current.get(owner)
        if token is None or self._tokens[token].state != "current":
            token = self.issue(owner)
        return web.json_response({"authorizer_access_token": token, "expires_in": EXPIRES_IN})

    def _coded(
        self, errcode: int, errmsg: str | None = None, *, as_string: bool = False
    ) -> web.Response:
        """Answer as WeChat does, whose Content-Type can't be trusted: every second one lies."""
        self._answers += 1
        return web.Response(
            body=answer(errcode, self._answers, errmsg, as_string=as_string),
            headers={"Content-Type": CONTENT_TYPES[self._answers % 2]},
        )
