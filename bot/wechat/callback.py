"""Behind `POST /wechat/events`: take WeChat's pushes, and answer `success` within a second whatever becomes of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

from aiohttp import web

from bot.ledger import LedgerDownError
from bot.runtime.bodies import Unread, read_body
from bot.runtime.observers import nobody
from bot.wechat.push import HandledPush, Other, Platform, Push, PushRefusal, read_push

BODY_LIMIT = 64 << 10
"""Bytes; WeChat's pushes have one or two thousand."""

_SUCCESS = "success"
_IN_TIME = 0.8  # seconds; WeChat raises an alarm after five, and the house rule is one
_BROKEN = frozenset({PushRefusal.NOT_XML, PushRefusal.INCOMPLETE})
_TRIES, _PAUSE = 3, 1.0
_NAME_LIMIT = 40

_log = logging.getLogger(__name__)


class Callback:
    """Answers WeChat's pushes, and lets `hear` take them in, again after a while where that raises LedgerDownError.

    `start` runs what need not be waited for; `refused` hears why a push is not believed.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # the last is for whoever counts
        self,
        platform: Platform,
        hear: Callable[[HandledPush], Awaitable[None]],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        start: Callable[[Coroutine[None, None, None]], None],
        refused: Callable[[PushRefusal | Unread], None] = nobody,
    ) -> None:
        self._platform = platform
        self._hear = hear
        self._now = now
        self._sleep = sleep
        self._start = start
        self._refused = refused

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one push: `success` to every genuine one, 4xx to all else."""
        body = await read_body(request, BODY_LIMIT)
        if isinstance(body, Unread):
            return self._no(body.status, body)
        push = read_push(self._platform, request.query, body, self._now())
        if isinstance(push, PushRefusal):
            return self._no(400 if push in _BROKEN else 403, push)
        done = asyncio.Event()
        self._start(self._take(push, done))
        try:
            async with asyncio.timeout(_IN_TIME):
                await done.wait()
        except TimeoutError:
            _log.info("a push is still worked on", extra={"push": type(push).__name__.lower()})
        return web.Response(text=_SUCCESS)

    def _no(self, status: int, why: PushRefusal | Unread) -> web.Response:
        self._refused(why)
        return web.Response(status=status, text="not understood")

    async def _take(self, push: Push, done: asyncio.Event) -> None:
        """Work on a push, again after a while if the ledger does not take it."""
        try:
            for number in range(1, _TRIES + 1):
                if await self._kept(push):
                    break
                await self._sleep(_PAUSE * number)
        finally:
            done.set()

    async def _kept(self, push: Push) -> bool:
        if isinstance(push, Other):
            _log.info("a push of no concern", extra={"push": push.info_type[:_NAME_LIMIT]})
            return True
        try:
            await self._hear(push)
        except LedgerDownError as error:
            facts = {"push": type(push).__name__.lower(), "reason": str(error)}
            _log.error("a push was not kept", extra=facts)  # no trace
            return False
        return True
