"""A local WeChat. Source: developers.weixin.qq.com, cloudbase-common: api_shareenv, api_getenvinfo, api_getfuntionlist."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from aiohttp import web

from bot.playground.faults import Code, Fault, Faults
from bot.playground.loopback import Json, JsonObject, StandIn, cut
from bot.playground.wechat.asked import Asked, CodedError, Run, body_of
from bot.playground.wechat.component import PREFIX, ComponentCalls
from bot.playground.wechat.platform import PlatformCall, PlatformStandIn
from bot.playground.wechat.tokens import LIFETIME, Codes, IssuedTokens
from bot.playground.world import OWNER

SHARE = "shareenv"
CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")

_ENVS = ("prod-1", "test-1")  # the first owner's, to begin with
_FUNCTIONS = {"cloudbase_auth": "Active", "login": "Active"}
_APPID = re.compile(r"wx[0-9a-f]{16}")
_TOKEN: Codes = {
    "missing": 41001,
    "unknown": 40014,
    "expired": 42001,
    "superseded": 40001,
    "revoked": 61003,
}


class ShareCall(NamedTuple):
    """One call of /tcb/shareenv with WeChat's verdict, None if it got none."""

    env: str
    appid: str
    token: str
    errcode: int | None


class LocalWeChat(StandIn):
    """WeChat on 127.0.0.1 inside `async with`.

    `url` is the bot's WECHAT_API_URL, `platform` its third-party platform. `latency`, in seconds, delays each response.
    `envs` has the owners' envs and their states, for /tcb/getenvinfo, and `functions` those of each env, for
    /tcb/listfunctions, which lists `most_listed` at once; `add_env` gives an owner another env. `in_flight` is the
    number of unanswered calls of /tcb/shareenv, `most_at_once` its maximum so far. `fail` plans faults for calls, by the
    last part of their paths; `clear` removes them.
    """

    def __init__(self, latency: float = 0.0) -> None:
        super().__init__()
        self.latency = latency
        self.shared: list[tuple[str, str, str]] = []
        self.calls: list[ShareCall] = []
        self.in_flight = 0
        self.most_at_once = 0
        self._ahead = 0.0
        self._tokens = IssuedTokens("made-up-token", self._clock, _TOKEN)
        self._lines: list[str] = []
        self._answers = 0
        self._answering = asyncio.Event()
        self._answering.set()
        self.envs: dict[str, dict[str, str]] = {OWNER: {}}
        self.functions: dict[str, dict[str, str]] = {}
        self.most_listed = 100
        for env in _ENVS:
            self.add_env(OWNER, env)
        self.platform = PlatformStandIn(self._clock, self._tokens, self._note)
        component = ComponentCalls(self.platform, self._clock)
        self._calls: dict[str, Run] = {
            f"/tcb/{SHARE}": self._for_owner(self._share),
            "/tcb/getenvinfo": self._for_owner(self._list_envs),
            "/tcb/listfunctions": self._for_owner(self._list_functions),
            **{f"{PREFIX}{name}": run for name, run in component.calls.items()},
        }
        self.faults = Faults(self._calls)
        self.fail, self.clear = self.faults.plan, self.faults.clear

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self.faults.settled()
        await self.platform.stop()  # last, since any call until now may have asked for pushes

    @property
    def url(self) -> str:
        """The base URL of WeChat's API."""
        return self._loopback.origin

    @contextmanager
    def thinking(self) -> Iterator[None]:
        """Answer no call of /tcb/shareenv until the context is left."""
        self._answering.clear()
        try:
            yield
        finally:
            self._answering.set()

    def advance(self, seconds: float) -> None:
        """Move the clock ahead by these seconds, for everything that can expire."""
        self._ahead += seconds

    def _clock(self) -> float:
        return time.monotonic() + self._ahead

    def issue(self, owner: str) -> str:
        """Return a new authorizer_access_token of an owner."""
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
        self.changed()
        try:
            await self._answering.wait()
            return await self._answer(request)
        finally:
            self.in_flight -= 1
            self.changed()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.latency and not await self._loopback.hold(self.latency):
            return cut(request)
        if request.method == "POST" and "Content-Length" not in request.headers:
            # The gateway in front of WeChat requires it.
            return web.Response(status=412)
        run = self._calls.get(request.path)
        if run is None:
            return self._coded(40066)
        if request.method != "POST":
            return self._coded(43002)
        asked = await Asked.read(request)

        def usual() -> web.Response:
            try:
                told = run(asked)
            except CodedError as coded:
                self._record(request.path, asked, coded.errcode)
                return self._coded(coded.errcode)
            self._record(request.path, asked, 0)
            return self._response(json.dumps(told, ensure_ascii=False).encode())

        def failed(fault: Fault) -> web.Response:
            code = fault if isinstance(fault, Code) else None
            self._record(request.path, asked, int(code.code) if code else None)
            return self._coded(code.code, code.text) if code else web.Response()

        hold = partial(self._loopback.hold, told=self.faults.cleared(request.path))
        fault = self.faults.meet(request.path, asked.body or {})
        return await self.faults.answer(fault, request, hold, usual, failed)

    def _coded(self, errcode: int | str, errmsg: str | None = None) -> web.Response:
        return self._response(body_of(errcode, self._answers + 1, errmsg))

    def _response(self, body: bytes) -> web.Response:
        """Respond as WeChat does: HTTP 200 in any case, and every second time a wrong Content-Type."""
        self._answers += 1
        headers = {"Content-Type": CONTENT_TYPES[self._answers % 2]}
        return web.Response(body=body, headers=headers)

    def _for_owner(self, run: Callable[[str, Asked], JsonObject]) -> Run:
        """Return a call that is for the owner of its token."""

        def judged(asked: Asked) -> JsonObject:
            owner = self._tokens.judged(asked.token)
            asked.judge_json()
            return {"errcode": 0, "errmsg": "ok", **run(owner, asked)}

        return judged

    def _share(self, owner: str, asked: Asked) -> JsonObject:
        env, appid = asked.named("env", 40101), asked.named("appid", 40101)
        if not _APPID.fullmatch(appid):
            raise CodedError(40097)
        self.shared.append((owner, env, appid))
        return {}

    def add_env(self, owner: str, env: str) -> None:
        """Give an owner another env, ready to be shared."""
        self.envs[owner][env] = "NORMAL"
        self.functions[env] = dict(_FUNCTIONS)

    def _list_envs(self, owner: str, _asked: Asked) -> JsonObject:
        """Return an owner's envs with their states; an empty list is left out."""
        listed: list[Json] = [
            {"env": env, "alias": env, "status": status}
            for env, status in self.envs.get(owner, {}).items()
        ]
        return {"info_list": listed} if listed else {}

    def _list_functions(self, owner: str, asked: Asked) -> JsonObject:
        """Return a page of an env's functions with their states.

        The errcode for another owner's env, and for one of which no functions are known, is a guess.
        """
        env = asked.named("env", 40101)
        limit, offset = min(asked.number("limit"), self.most_listed), asked.number("offset")
        known = env in self.envs.get(owner, {}) and env in self.functions
        if not known or limit <= 0 or offset < 0:
            raise CodedError(40097)
        listed: list[Json] = [
            {"name": name, "status": status} for name, status in self.functions[env].items()
        ]
        return {"total_count": len(listed), "functions": listed[offset : offset + limit]}

    def _record(self, path: str, asked: Asked, errcode: int | None) -> None:
        """Record a call and its errcode, None if it got no verdict."""
        name = path.rpartition("/")[2]
        if name == SHARE:
            call = ShareCall(asked.text("env"), asked.text("appid"), asked.token, errcode)
            self.calls.append(call)
            self._note(f"shareenv {call.env} {call.appid}: {errcode}")
        elif name.startswith("api_"):
            code = asked.text("authorization_code")
            owner = self.platform.codes.owner(code) or asked.text("authorizer_appid")
            self.platform.calls.append(PlatformCall(name, owner, errcode))
            self._note(f"{name} {owner}".rstrip() + f": {errcode}")
        else:
            self._note(f"{name} of {self._tokens.owner(asked.token) or 'nobody'}: {errcode}")

    def _note(self, line: str) -> None:
        self._lines.append(line)
        self.changed()
