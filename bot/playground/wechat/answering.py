"""How the stand-in WeChat answers at all of its paths, and what is to go wrong at one of them."""

import json
from collections import deque
from collections.abc import Callable

from aiohttp import web

from bot.playground.loopback import JsonObject, Loopback
from bot.playground.wechat.failing import failed
from bot.playground.wechat.faults import Answer, Code
from bot.playground.wechat.rules import answer

CONTENT_TYPES = ("application/json; encoding=utf-8", "text/plain")


class Faults:
    """The answers that one path gives instead of its usual ones."""

    def __init__(self) -> None:
        self._queue: deque[Answer] = deque()
        self._standing: Answer | None = None
        self._about: dict[str, deque[Answer]] = {}

    def next(self, *answers: Answer) -> None:
        """Let the next calls be answered so, one after the other."""
        self._queue.extend(answers)

    def always(self, standing: Answer | None) -> None:
        """Let every call that no queued answer meets be answered so."""
        self._standing = standing

    def about(self, name: str, *answers: Answer) -> None:
        """Let the calls about one env or owner be answered so, the last answer for good; without any, as usual."""
        self._about[name] = deque(answers)

    def take(self, name: str = "") -> Answer | None:
        """Return what meets the call at hand, which is about `name`; None for the usual answer."""
        own = self._about.get(name)
        if own:
            return own.popleft() if len(own) > 1 else own[0]
        return self._queue.popleft() if self._queue else self._standing


class Answering:
    """WeChat's manner: HTTP 200 whatever happened, and a Content-Type which can't be trusted."""

    def __init__(self, loopback: Loopback) -> None:
        self._loopback = loopback
        self._answers = 0

    async def answer(
        self,
        request: web.BaseRequest,
        fault: Answer | None,
        normal: Callable[[], web.Response],
        nothing: Callable[[int | None], None],
    ) -> web.StreamResponse:
        """Answer as usual or with a fault.

        `normal` does what was asked; `nothing` notes the errcode, if there is one, with which it
        was not done.
        """
        match fault:
            case None | Code(0):
                return normal()
            case Code(errcode, errmsg, as_string):
                nothing(errcode)
                return self.coded(errcode, errmsg, as_string=as_string)
            case _:
                return await failed(
                    fault, request, self._loopback, normal, nothing=lambda: nothing(None)
                )

    def coded(
        self, errcode: int, errmsg: str | None = None, *, as_string: bool = False
    ) -> web.Response:
        """Answer with an errcode."""
        return self._response(answer(errcode, self._answers + 1, errmsg, as_string=as_string))

    def granted(self, body: JsonObject) -> web.Response:
        """Answer with what was asked for, and no errcode unless it is part of that."""
        return self._response(json.dumps(body, ensure_ascii=False).encode())

    def _response(self, body: bytes) -> web.Response:
        """Answer as WeChat does, whose Content-Type lies every second time."""
        self._answers += 1
        headers = {"Content-Type": CONTENT_TYPES[self._answers % 2]}
        return web.Response(body=body, headers=headers)
