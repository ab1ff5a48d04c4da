"""`POST /wechat/events`: answer WeChat's pushes with `success` within a second, and apply them to the token chain.

After the `success` WeChat does not repeat a push, even if it could not be applied. That does no harm: the next ticket comes
within ten minutes, an owner's code is in the ledger until a renewal has used it, and calls fail once an owner has withdrawn.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from aiohttp import web

from bot.ledger.tokens import TICKET, OwnerPush, Tokens
from bot.ledger.writer import LedgerDownError
from bot.runtime.bounded import BODIES, Unread
from bot.runtime.observers import no_op
from bot.settings.access import PlatformSettings
from bot.wechat.chain import Chain
from bot.wechat.push import Authorized, Push, PushRefusal, Ticket, Unauthorized, read_push

BODY_LIMIT = 64 << 10
"""Bytes; a push of WeChat's has one or two thousand."""

_IN_TIME = 0.8  # seconds; WeChat reports a callback as failing after five, our own limit is one
_BROKEN = frozenset({PushRefusal.NOT_XML, PushRefusal.INCOMPLETE})
_NOT_AUTHORISED = "61003"
_MARK = 16  # characters

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, repr=False)
class Callback:
    """Verifies WeChat's pushes, answers them, and passes each to `handle`.

    `_platform` returns the settings in force. `start` runs a coroutine in the background; `refused` is called with the reason when a push is rejected.
    """

    _platform: Callable[[], PlatformSettings]
    _handle: Callable[[Push], Awaitable[None]]
    _now: Callable[[], float]
    _start: Callable[[Coroutine[None, None, None]], None]
    _refused: Callable[[PushRefusal | Unread], None] = no_op

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one push: `success` if it is genuine, else a 4xx."""
        body = await request.app[BODIES].read(request, BODY_LIMIT)
        if isinstance(body, Unread):
            return self._refuse(body.status, body)
        push = read_push(self._platform(), request.query, body, self._now())
        if isinstance(push, PushRefusal):
            return self._refuse(400 if push in _BROKEN else 403, push)
        if push is not None:
            done = asyncio.Event()
            self._start(self._process(push, done))
            with suppress(TimeoutError):
                async with asyncio.timeout(_IN_TIME):
                    await done.wait()
        return web.Response(text="success")

    def _refuse(self, status: int, why: PushRefusal | Unread) -> web.Response:
        self._refused(why)
        return web.Response(status=status, text="not understood")

    async def _process(self, push: Push, done: asyncio.Event) -> None:
        await self._handle(push)
        done.set()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PushHandler:
    """Stores what pushes bring in the ledger and calls `wake`. Idempotent: a push that was handled before changes nothing."""

    _chain: Chain
    _tokens: Tokens
    _wake: Callable[[], None]

    async def handle(self, push: Push) -> None:
        """Apply one push, once. Whether that works or not, the next renewal starts anew."""
        try:
            new = await self._apply(push)
        except LedgerDownError as error:
            facts = {"push": type(push).__name__.lower(), "reason": str(error)}
            _log.error("a push could not be stored", extra=facts)  # without a traceback
            new = True  # or not: perhaps it was stored before the connection broke
        if new:
            self._chain.invalidate(TICKET if isinstance(push, Ticket) else push.owner)
            self._wake()

    async def _apply(self, push: Push) -> bool:
        """Store a push; False if it, or a later one, was stored before."""
        match push:
            case Ticket(created, ticket):
                return await self._tokens.ticket(ticket, created)
            case Authorized(owner=owner, code=code):
                before = await self._tokens.grant(_owner_push(push), code)
                if before is None:
                    return False
                await self._chain.renew_early(owner, before.value)
                return True
            case Unauthorized(owner=owner):
                new = await self._tokens.revoke(_owner_push(push), _NOT_AUTHORISED)
                if new:
                    _log.warning("authorisation withdrawn", extra={"owner": owner})
                return new
            case _:
                assert_never(push)


def _owner_push(push: Authorized | Unauthorized) -> OwnerPush:
    """Return the OwnerPush. WeChat's times are whole seconds, so a hash of the code tells two pushes apart."""
    code = push.code if isinstance(push, Authorized) else ""
    mark = hashlib.sha256(code.encode(errors="replace")).hexdigest()[:_MARK]
    return OwnerPush(push.owner, push.created, mark)
