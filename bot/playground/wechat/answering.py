"""How the stand-in WeChat answers at all of its paths."""

import json
from collections.abc import Callable, Mapping

from aiohttp import web

from bot.playground.faults import Code, Faults, RateLimited
from bot.playground.loopback import Json, JsonObject, Loopback
from bot.playground.wechat.rules import body_of
from bot.playground.wire import Service, answer

CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")


class Answering:
    """WeChat's manner: HTTP 200 whatever happened, and a Content-Type which can't be trusted."""

    def __init__(self, loopback: Loopback, faults: Faults) -> None:
        self._loopback = loopback
        self._faults = faults
        self._answers = 0

    async def answer(
        self,
        request: web.BaseRequest,
        method: str,
        args: Mapping[str, Json],
        usual: Callable[[], web.Response],
        nothing: Callable[[int | None], None],
    ) -> web.StreamResponse:
        """Answer as usual or with the fault that is planned for such a call.

        `usual` does what was asked; `nothing` notes the errcode, if there is one, with which it
        was not done.
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

    def granted(self, body: JsonObject) -> web.Response:
        """Answer with what was asked for, and no errcode unless it is part of that."""
        return self._response(json.dumps(body, ensure_ascii=False).encode())

    def _response(self, body: bytes) -> web.Response:
        """Answer as WeChat does, whose Content-Type lies every second time."""
        self._answers += 1
        headers = {"Content-Type": CONTENT_TYPES[self._answers % 2]}
        return web.Response(body=body, headers=headers)
