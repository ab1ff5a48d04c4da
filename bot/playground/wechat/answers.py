"""How the stand-in WeChat answers a call: HTTP 200 whatever happened, and a Content-Type that cannot be trusted."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from bot.playground.faults import Code, Faults, RateLimited
from bot.playground.loopback import Json, JsonObject, Loopback
from bot.playground.wechat.rules import Asked, body_of, judge_method
from bot.playground.wire import Service, answer

CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")

Verdict: TypeAlias = int | JsonObject


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of WeChat's calls: `judge` does what was asked and returns an errcode or what is to be told.

    `note` hears of each call and its errcode, None where there was none.
    """

    judge: Callable[[Asked], Verdict]
    note: Callable[[Asked, int | None], None]


class Answers:
    """Answers calls as usual, or with the faults that are planned for them."""

    def __init__(self, loopback: Loopback, faults: Faults) -> None:
        self._loopback = loopback
        self._faults = faults
        self._answers = 0

    async def call(
        self, request: web.BaseRequest, asked: Asked, endpoint: Endpoint
    ) -> web.StreamResponse:
        """Answer a call of one of WeChat's endpoints."""

        def usual() -> web.Response:
            verdict = judge_method(asked) or endpoint.judge(asked)
            if isinstance(verdict, int):
                endpoint.note(asked, verdict)
                return self.coded(verdict)
            endpoint.note(asked, 0)
            return self._response(json.dumps(verdict, ensure_ascii=False).encode())

        def nothing(errcode: int | None) -> None:
            endpoint.note(asked, errcode)

        return await self.answer(request, request.path, asked.body, usual, nothing)

    async def answer(
        self,
        request: web.BaseRequest,
        method: str,
        args: Mapping[str, Json],
        usual: Callable[[], web.Response],
        nothing: Callable[[int | None], None],
    ) -> web.StreamResponse:
        """Answer as usual or with the fault that is planned for such a call.

        `usual` does what was asked; `nothing` hears the errcode, if there is one, with which it was not done.
        """

        def refused(fault: Code | RateLimited) -> web.Response:
            if isinstance(fault, Code):
                nothing(int(fault.code))
                return self.coded(fault.code, fault.text)
            nothing(None)
            return web.Response(status=429, headers={"Retry-After": str(fault.retry_after)})

        service = Service(
            usual,
            refused,
            lost=lambda _: nothing(None),
            done=lambda _: usual(),
            cleared=self._faults.cleared(method),
        )
        fault = self._faults.meet(method, args)
        return await answer(fault, request, self._loopback, service)

    def coded(self, errcode: int | str, errmsg: str | None = None) -> web.Response:
        """Answer with an errcode."""
        return self._response(body_of(errcode, self._answers + 1, errmsg))

    def _response(self, body: bytes) -> web.Response:
        """Answer as WeChat does, whose Content-Type lies every second time."""
        self._answers += 1
        headers = {"Content-Type": CONTENT_TYPES[self._answers % 2]}
        return web.Response(body=body, headers=headers)
