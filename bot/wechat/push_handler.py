"""What WeChat's pushes change in the token chain; a push that was heard before changes nothing.

Codes are exchanged for owners' tokens again and again while WeChat does not say, as long as a code lives.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import assert_never

from bot.ledger import LedgerDownError
from bot.ledger.tokens import TICKET, News, Tokens
from bot.runtime.signals import unless
from bot.wechat.chain import Chain
from bot.wechat.push import Authorized, HandledPush, Ticket, Unauthorized
from bot.wechat.tokens import NoToken

EXCHANGE_TIMEOUT = 3600.0
"""Seconds for which an exchange is tried at most, which is as long as a code lives."""

_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_DEAD_CODE = frozenset({61003, 61009, 61010})  # whatever else WeChat says is not about the code
_NOT_AUTHORISED = "61003"
_MARK = 16  # characters

_log = logging.getLogger(__name__)


class PushHandler:
    """Takes pushes into the ledger, and lets `wake` know; `start` runs what need not be waited for.

    Times are in seconds, those of `now` in Unix seconds.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # its clock and its sleep are passed in
        self,
        chain: Chain,
        tokens: Tokens,
        wake: Callable[[], None],
        start: Callable[[Coroutine[None, None, None]], None],
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._chain = chain
        self._tokens = tokens
        self._wake = wake
        self._start = start
        self._now = now
        self._sleep = sleep
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Exchange no code again from now on: after a start WeChat's list has what it was worth."""
        self._stopping.set()

    async def handle(self, push: HandledPush) -> None:
        """Take in a push; it may be told again, also where this raises LedgerDownError."""
        match push:
            case Ticket():
                await self._ticket(push)
            case Authorized():
                await self._authorized(push)
            case Unauthorized():
                await self._unauthorized(push)
            case _:
                assert_never(push)

    async def _ticket(self, push: Ticket) -> None:
        """Keep a ticket, if it is the newest."""
        if await self._tokens.ticket(push.ticket, push.created):
            self._invalidate(TICKET)

    async def _authorized(self, push: Authorized) -> None:
        """Exchange the code for the owner's tokens, unless this or a later push of theirs was heard.

        Where that fails, the next renewal may find the owner's refresh token in WeChat's list; and it is tried again.
        """
        news = _news(push.owner, push.created, push.code)
        if not await self._tokens.hear(news):
            return
        settled = await self._exchange(news, push)
        self._invalidate(push.owner)
        if not settled:
            self._start(self._retry(news, push))

    async def _unauthorized(self, push: Unauthorized) -> None:
        """Drop the owner's tokens, unless this or a later push of theirs was heard."""
        news = _news(push.owner, push.created, "")
        if await self._tokens.forget(news, _NOT_AUTHORISED):
            _log.warning("authorisation withdrawn", extra={"owner": push.owner})
            self._invalidate(push.owner)

    async def _exchange(self, news: News, push: Authorized) -> bool:
        """Exchange the code of a push; False if it has come to nothing yet and may another time."""
        got = await self._chain.exchange_code(push.code)
        if isinstance(got, NoToken):
            _log_ignored(news, got.guidance.key)
            return got.said is not None and got.said.errcode in _DEAD_CODE
        new = got.issued
        if got.owner != news.owner or not new.refresh_token:
            _log_ignored(news, "the code was not theirs")
            return True
        try:
            kept = await self._tokens.replace(news, new.token, new.refresh_token, new.life)
        except LedgerDownError as error:
            _log_ignored(news, f"kept once the ledger is up ({error})")
            return True
        if kept:
            _log.info("authorised", extra={"owner": news.owner})
        else:
            _log_ignored(news, "there is newer news")
        return True

    async def _retry(self, news: News, push: Authorized) -> None:
        """Exchange the code of a push, after pauses that grow, as long as it is wanted and lives."""
        end = min(push.code_until, self._now() + EXCHANGE_TIMEOUT)
        for pause in pauses(end - self._now()):
            if not await self._pause(pause) or self._now() >= end:
                return
            if not await self._is_wanted(news):
                return
            if await self._exchange(news, push):
                self._invalidate(push.owner)
                return
        _log_ignored(news, "the code's time is over")

    async def _is_wanted(self, news: News) -> bool:
        try:
            if await self._tokens.is_latest(news):
                return True
        except LedgerDownError:
            return True  # it is asked again before anything is kept
        _log_ignored(news, "there is newer news")
        return False

    async def _pause(self, seconds: float) -> bool:
        """Return after so many seconds, or False as soon as the bot stops."""
        await unless(self._stopping, self._sleep(seconds))
        return not self._stopping.is_set()

    def _invalidate(self, name: str) -> None:
        self._chain.invalidate(name)
        self._wake()


def _news(owner: str, created: float, code: str) -> News:
    """Return what a push tells of an owner; of one second, two pushes with one code are the same."""
    mark = hashlib.sha256(code.encode(errors="replace")).hexdigest()[:_MARK]
    return News(owner, created, mark)


def pauses(seconds: float) -> Iterator[float]:
    """Yield pauses, each twice as long as the one before and at last five minutes, that fit into `seconds`."""
    pause = _FIRST_PAUSE
    while pause < seconds:
        yield pause
        seconds -= pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _log_ignored(news: News, reason: str) -> None:
    _log.warning("authorisation not taken in", extra={"owner": news.owner, "reason": reason})
