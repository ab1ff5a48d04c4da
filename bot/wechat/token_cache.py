"""Tokens as this replica knows them: remembered for a minute, else read from the ledger, renewed by one at a time.

WeChat lets a token live on for five minutes after it was renewed, so what others renewed is noticed early enough.
Source: developers.weixin.qq.com, oplatform, "AccessToken": workers keep a token for at most a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.domain.link import Link
from bot.guidance import Trouble, for_trouble
from bot.ledger import LedgerDownError
from bot.ledger.tokens import Kept, Tokens
from bot.wechat.component_api import Issued
from bot.wechat.tokens import NoToken

LEASE = 10.0
"""Seconds for which a renewal keeps others from the token, even if its replica dies."""

RENEWAL_TIMEOUT = 8.0
"""Seconds that a renewal may take; it is over before the lease is."""

_CACHED_FOR = 60.0
_MARGIN = 10.0
_POLL = 0.25

Make = Callable[[Kept], Awaitable[Issued | NoToken]]


@dataclass(frozen=True, slots=True)
class _Entry:
    value: str = field(repr=False)
    reread_at: float
    expires: float


class TokenCache:
    """The tokens of one platform; `refused` is one that WeChat has not accepted. Raises LedgerDownError."""

    def __init__(
        self,
        tokens: Tokens,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._sleep = sleep
        self._entries: dict[str, _Entry] = {}

    def cached(self, name: str, refused: str | None = None) -> str | None:
        """Return the token without asking anybody, if it was read within the last minute."""
        entry = self._entries.get(name)
        fresh = entry and entry.value != refused and self._clock() < entry.reread_at
        return entry.value if entry and fresh else None

    def invalidate(self, name: str) -> None:
        """Read a token again before it is used."""
        self._entries.pop(name, None)

    async def load(self, name: str, refused: str | None = None) -> str | None:
        """Return the token that the ledger has, if it is good; while the ledger is down, the one read last."""
        try:
            kept = await self._tokens.find(name)
        except LedgerDownError:
            entry = self._entries.get(name)
            if entry and entry.value != refused and self._clock() < entry.expires:
                return entry.value
            raise
        return self._usable(kept, refused) if kept else None

    async def renew(
        self, name: str, link: Link, make: Make, refused: str | None = None
    ) -> str | NoToken:
        """Return what `make` brings, or what somebody else has brought in the meantime."""
        while True:
            claim = await self._tokens.claim(name, LEASE)
            if claim is None:
                await self._sleep(_POLL)
                if found := await self.load(name, refused):
                    return found
                continue
            if found := self._usable(claim, refused):
                await self._tokens.release(claim)
                return found
            try:
                issued = await _with_deadline(link, make(claim))
            except BaseException:  # at a stop, others need not wait until the lease is over
                self._tokens.let_go(claim)
                raise
            if isinstance(issued, NoToken):
                if await self._tokens.failed(claim, issued.guidance.key):
                    return issued
            elif await self._tokens.save(claim, issued.token, issued.refresh_token, issued.life):
                self._store(name, issued.token, issued.life)
                return issued.token
            # Another replica took it for dead, and its token is the one that counts.

    def _usable(self, kept: Kept, refused: str | None) -> str | None:
        if kept.value is None or kept.value == refused or kept.left <= _MARGIN:
            return None
        self._store(kept.name, kept.value, kept.left)
        return kept.value

    def _store(self, name: str, value: str, left: float) -> None:
        now, left = self._clock(), left - _MARGIN
        self._entries[name] = _Entry(value, now + min(left, _CACHED_FOR), now + left)


async def _with_deadline(link: Link, making: Awaitable[Issued | NoToken]) -> Issued | NoToken:
    try:
        async with asyncio.timeout(RENEWAL_TIMEOUT):
            return await making
    except TimeoutError:
        return NoToken(for_trouble(Trouble.NO_TOKEN_ANSWER), link=link)
