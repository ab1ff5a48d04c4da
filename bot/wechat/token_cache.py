"""A cache of the tokens in the ledger: an entry is used for a minute, and only one replica at a time renews a token.

WeChat accepts the old token for five minutes after a renewal, so one minute is short enough to notice a renewal by
another replica. Source: developers.weixin.qq.com, oplatform, "AccessToken": cache a token for at most a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.domain.link import Link
from bot.guidance import Trouble
from bot.ledger import LedgerDownError
from bot.ledger.tokens import COMPONENT, TICKET, StoredToken, Tokens
from bot.wechat.api import NoAnswer
from bot.wechat.component import Issued
from bot.wechat.tokens import Cached

CLAIM_SECONDS = 10.0
"""For how long a replica claims a renewal; if it dies, another may renew the token after that."""

RENEWAL_TIMEOUT = 8.0
"""Seconds that a renewal may take; shorter than the claim."""

_CACHED_FOR = 60.0
_MARGIN = 10.0
_POLL = 0.25

Make = Callable[[StoredToken], Awaitable[Issued | NoAnswer]]

_LINKS = {TICKET: Link.TICKET, COMPONENT: Link.PLATFORM}


def link_of(name: str) -> Link:
    """Return the link of the chain that a ticket or token of this name is."""
    return _LINKS.get(name, Link.OWNER)


@dataclass(slots=True, eq=False, repr=False)
class TokenCache:
    """Caches the tokens of one platform. `refused` is a token that WeChat rejected. Raises LedgerDownError."""

    _tokens: Tokens
    _clock: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _entries: dict[str, Cached] = field(default_factory=dict, init=False)

    def cached(self, name: str, refused: str | None = None) -> str | None:
        """Return the cached token if it was read within the last minute; no I/O."""
        entry = self._entries.get(name)
        fresh = entry and entry.value != refused and self._clock() < entry.reread_at
        return entry.value if entry and fresh else None

    def invalidate(self, name: str) -> None:
        """Drop the cached token, so that it is read from the ledger before its next use."""
        self._entries.pop(name, None)

    async def load(self, name: str, refused: str | None = None) -> str | None:
        """Return the ledger's token if it is valid. While the ledger is down, return the cached one until it expires."""
        try:
            kept = await self._tokens.find(name)
        except LedgerDownError:
            entry = self._entries.get(name)
            if entry and entry.value != refused and self._clock() < entry.expires:
                return entry.value
            raise
        return self._usable(kept, refused) if kept else None

    async def renew(self, name: str, make: Make, refused: str | None = None) -> str | NoAnswer:
        """Return a token from `make`, called under the claim, or one that another replica has stored in the meantime."""
        while True:
            claim = await self._tokens.claim(name, CLAIM_SECONDS)
            if claim is None:
                await self._sleep(_POLL)
                if found := await self.load(name, refused):
                    return found
                continue
            if found := self._usable(claim, refused):
                self._tokens.release(claim)
                return found
            try:
                async with asyncio.timeout(RENEWAL_TIMEOUT):
                    issued = await make(claim)
            except TimeoutError:
                issued = NoAnswer(Trouble.NO_TOKEN_ANSWER.value, link=link_of(name))
            except BaseException:
                # Also when cancelled: other replicas need not wait for the claim to expire.
                self._tokens.release(claim)
                raise
            if isinstance(issued, NoAnswer):
                if await self._tokens.failed(claim, issued.guidance.key):
                    return issued
            elif await self._tokens.save(claim, issued.token, issued.refresh_token, issued.life):
                self._store(name, issued.token, issued.life)
                return issued.token
            # The claim expired and another replica renewed the token, so its token is the valid one: try again.

    def _usable(self, kept: StoredToken, refused: str | None) -> str | None:
        if kept.value is None or kept.value == refused or kept.left <= _MARGIN:
            return None
        self._store(kept.name, kept.value, kept.left)
        return kept.value

    def _store(self, name: str, value: str, left: float) -> None:
        now, left = self._clock(), left - _MARGIN
        self._entries[name] = Cached(value, now + min(left, _CACHED_FOR), now + left)
