"""Apply WeChat's pushes to the token chain. Idempotent: a push that was delivered before changes nothing.

A push is tried again while the ledger is down, or while WeChat does not exchange its authorization code for the owner's
tokens and the code is valid: WeChat has got its `success`, and does not push it again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import assert_never

from bot.ledger import LedgerDownError
from bot.ledger.tokens import TICKET, OwnerPush, Tokens
from bot.runtime.signals import cancel_on
from bot.wechat.chain import Chain
from bot.wechat.push import Authorized, HandledPush, Ticket, Unauthorized
from bot.wechat.tokens import NoToken, refused_with

EXCHANGE_TIMEOUT = 3600.0
"""Seconds during which a push or its code is retried at most; a code is valid for an hour."""

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_DEAD_CODE = frozenset({61003, 61009, 61010})  # any other errcode is not about the code
_NOT_AUTHORISED = "61003"
_MARK = 16  # characters

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, repr=False)
class PushHandler:
    """Stores what pushes bring in the ledger and calls `wake`; times are in seconds, those of `now` in Unix seconds."""

    _chain: Chain
    _tokens: Tokens
    _wake: Callable[[], None]
    _now: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]]
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def stop(self) -> None:
        """Stop retrying. After the next start, the refresh tokens are read from WeChat's list of owners."""
        self._stopping.set()

    async def handle(self, push: HandledPush) -> None:
        """Apply one push, if need be in several tries with growing pauses."""
        again = False
        for pause in (*pauses(EXCHANGE_TIMEOUT), inf):
            until = await self._try(push, again=again)
            if until is None:
                return
            if self._now() + pause >= until:
                break
            await cancel_on(self._stopping, self._sleep(pause))
            if self._stopping.is_set():
                return
            again = True
        if isinstance(push, Authorized):
            _log_unused(push, "the code has expired")

    async def _try(self, push: HandledPush, *, again: bool) -> float | None:
        """Try to apply a push; return until when it should be tried again, None if it is settled."""
        try:
            return await self._apply(push, again=again)
        except LedgerDownError as error:
            facts = {"push": type(push).__name__.lower(), "reason": str(error)}
            _log.error("a push could not be stored", extra=facts)  # without a traceback
            return inf

    async def _apply(self, push: HandledPush, *, again: bool) -> float | None:
        """Apply a push; return until when its code should be exchanged again, None if it should not.

        `again`: an earlier try may have recorded it, so it counts unless a later one replaced it.
        """
        match push:
            case Ticket(created, ticket):
                if await self._tokens.ticket(ticket, created) or again:
                    self._invalidate(TICKET)
            case Authorized():
                which = _owner_push(push)
                new = await self._tokens.record_push(which)
                if new or (again and await self._tokens.is_latest(which)):
                    settled = await self._exchange(push)
                    # Also at a failure: meanwhile a renewal may find the refresh token in WeChat's list.
                    if settled or new:
                        self._invalidate(push.owner)
                    return None if settled else push.code_until
                if again:
                    _log_unused(push, "a later push replaces it")
            case Unauthorized():
                which = _owner_push(push)
                new = await self._tokens.revoke(which, _NOT_AUTHORISED)
                if new or (again and await self._tokens.is_latest(which)):
                    _log.warning("authorisation withdrawn", extra={"owner": push.owner})
                    self._invalidate(push.owner)
            case _:
                assert_never(push)
        return None

    async def _exchange(self, push: Authorized) -> bool:
        """Exchange a push's code once; return False if it failed and should be retried."""
        got = await self._chain.exchange_code(push.code)
        if isinstance(got, NoToken):
            _log_unused(push, got.guidance.key)
            return refused_with(got, _DEAD_CODE)
        new = got.issued
        if got.owner != push.owner:
            _log_unused(push, "the code belongs to another owner")
            return True
        try:
            kept = await self._tokens.replace(
                _owner_push(push), new.token, new.refresh_token, new.life
            )
        except LedgerDownError as error:
            _log_unused(push, f"stored as soon as the ledger is up ({error})")
            return True
        if kept:
            _log.info("authorised", extra={"owner": push.owner})
        else:
            _log_unused(push, "a later push replaces it")
        return True

    def _invalidate(self, name: str) -> None:
        self._chain.invalidate(name)
        self._wake()


def _owner_push(push: Authorized | Unauthorized) -> OwnerPush:
    """Return the OwnerPush. WeChat's times are whole seconds, so a hash of the code tells two pushes apart."""
    code = push.code if isinstance(push, Authorized) else ""
    mark = hashlib.sha256(code.encode(errors="replace")).hexdigest()[:_MARK]
    return OwnerPush(push.owner, push.created, mark)


def pauses(seconds: float) -> Iterator[float]:
    """Yield pauses that double from 5 seconds up to five minutes and together fit into `seconds`."""
    pause = _FIRST_PAUSE
    while pause < seconds:
        yield pause
        seconds -= pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _log_unused(push: Authorized, reason: str) -> None:
    _log.warning("authorisation not used", extra={"owner": push.owner, "reason": reason})
