"""The handler for `POST /wechat/events`: it answers WeChat's pushes with `success` within a second and processes them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from aiohttp import web

from bot.runtime.bodies import Unread, read_body
from bot.runtime.observers import no_op
from bot.wechat.push import HandledPush, Other, Platform, PushRefusal, read_push

BODY_LIMIT = 64 << 10
"""Bytes; a push of WeChat's has one or two thousand."""

_SUCCESS = "success"
_IN_TIME = 0.8  # seconds; WeChat reports a callback as failing after five, our own limit is one
_BROKEN = frozenset({PushRefusal.NOT_XML, PushRefusal.INCOMPLETE})
_NAME_LIMIT = 40

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, repr=False)
class Callback:
    """Verifies WeChat's pushes, answers them, and passes each to `handle`.

    `start` runs a coroutine in the background; `refused` is called with the reason when a push is rejected.
    """

    _platform: Platform
    _handle: Callable[[HandledPush], Awaitable[None]]
    _now: Callable[[], float]
    _start: Callable[[Coroutine[None, None, None]], None]
    _refused: Callable[[PushRefusal | Unread], None] = no_op

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one push: `success` if it is genuine, else a 4xx."""
        body = await read_body(request, BODY_LIMIT)
        if isinstance(body, Unread):
            return self._refuse(body.status, body)
        push = read_push(self._platform, request.query, body, self._now())
        if isinstance(push, PushRefusal):
            return self._refuse(400 if push in _BROKEN else 403, push)
        if isinstance(push, Other):
            _log.info("push ignored", extra={"push": push.info_type[:_NAME_LIMIT]})
            return web.Response(text=_SUCCESS)
        done = asyncio.Event()
        self._start(self._process(push, done))
        try:
            async with asyncio.timeout(_IN_TIME):
                await done.wait()
        except TimeoutError:
            _log.info(
                "a push is still being processed", extra={"push": type(push).__name__.lower()}
            )
        return web.Response(text=_SUCCESS)

    def _refuse(self, status: int, why: PushRefusal | Unread) -> web.Response:
        self._refused(why)
        return web.Response(status=status, text="not understood")

    async def _process(self, push: HandledPush, done: asyncio.Event) -> None:
        await self._handle(push)
        done.set()
