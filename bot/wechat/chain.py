"""Token source 3: the bot itself keeps the platform's token chain, from ticket to platform token to owner's token.

Source: developers.weixin.qq.com, oplatform, "Third-party platform: tokens". It avoids failures that are known from other
implementations: concurrent renewals, lost refresh tokens, lost tickets, endless retries. A token is cached for a
minute, as "AccessToken" there asks: after another replica has renewed it, WeChat accepts the old one for five.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bot.domain.link import Link
from bot.guidance import Trouble, by_key
from bot.ledger.tokens import COMPONENT, TICKET, StoredToken, Tokens
from bot.ledger.writer import LedgerDownError
from bot.runtime.cache import SingleFlight
from bot.runtime.observers import RENEWED, Renewed, no_op
from bot.wechat.api import NoAnswer
from bot.wechat.component import DEAD_TICKET, DEAD_TOKEN, Authorization, Component, Issued
from bot.wechat.tokens import Cached, refused_with

TOKEN_TIMEOUT = 20.0
"""Seconds that a caller waits for a token before it gets a NoAnswer."""

PUSH_EVERY = 600.0
"""Seconds between two requests to WeChat to push tickets again, counted over all replicas."""

CLAIM_SECONDS = 10.0
"""For how long a replica claims a renewal; if it dies, another may renew the token after that."""

RENEWAL_TIMEOUT = 8.0
"""Seconds that a renewal may take; shorter than the claim."""

_CACHED_FOR = 60.0
_MARGIN = 10.0
_POLL = 0.25
_FAILED_FOR = 5.0  # seconds a failure is cached: all callers share the chain, and the platform's calls have quotas
_LOST = frozenset({61023})
_SPENT = frozenset({61003, 61009, 61010})  # what WeChat says of a code that can be used no more
_LINKS = {TICKET: Link.TICKET, COMPONENT: Link.PLATFORM}

_log = logging.getLogger(__name__)

T = TypeVar("T")
_Make = Callable[[StoredToken], Awaitable[Issued | NoAnswer]]


def link_of(name: str) -> Link:
    """Return the link of the chain that a ticket or token of this name is."""
    return _LINKS.get(name, Link.OWNER)


def _push_answered(answer: str) -> dict[str, object]:
    """Return the extras of a log line on WeChat's answer to the call that starts its pushes (api_startpushticket)."""
    stopped = "they had stopped", "Wait ten minutes for the next."
    lost = (
        "they go out, and do not arrive",
        "Check 授权事件接收URL, its reverse proxy and the firewall.",
    )
    why, fix = stopped if answer == "ok" else lost
    return {"answer": answer, "why": why, "fix": fix}


@dataclass(slots=True, eq=False, repr=False)
class TokenCache:
    """Caches the tokens of one platform; `refused` is one that WeChat rejected. Raises LedgerDownError."""

    _tokens: Tokens
    _clock: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]]
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

    async def renew(self, name: str, make: _Make, refused: str | None = None) -> str | NoAnswer:
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
                if await self._tokens.failed(claim, issued.guidance.key, issued.said):
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


@dataclass(slots=True, eq=False, repr=False)
class Chain:
    """Provides the owners' access tokens. `seeds` has the initial refresh tokens, by owner."""

    _component: Component
    _tokens: Tokens
    _seeds: Mapping[str, str]
    _clock: Callable[[], float]
    _sleep: Callable[[float], Awaitable[None]]
    renewed: Renewed = no_op
    _cache: TokenCache = field(init=False)
    _single_flight: SingleFlight[str | NoAnswer] = field(default_factory=SingleFlight, init=False)
    _failed: dict[str, tuple[NoAnswer, float]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._cache = TokenCache(self._tokens, self._clock, self._sleep)

    async def token(self, name: str, refused: str | None = None) -> str | NoAnswer:
        """Return an owner's or the platform's token, renewed if it has expired, or if it is the one that WeChat `refused`."""
        if found := self._cache.cached(name, refused):
            return found
        obtain = partial(self._obtain, name, refused)
        return await self._single_flight.do_newer(name, obtain, refused)

    async def with_platform_token(
        self, call: Callable[[str], Awaitable[T | NoAnswer]]
    ) -> T | NoAnswer:
        """Return the result of `call` with the platform token. If WeChat rejects that token, renew it and call once more."""
        platform = await self.token(COMPONENT)
        if isinstance(platform, NoAnswer):
            return platform
        got = await call(platform)
        if not refused_with(got, DEAD_TOKEN):
            return got
        newer = await self.token(COMPONENT, platform)
        return newer if isinstance(newer, NoAnswer) else await call(newer)

    async def renew_early(self, name: str, current: str | None) -> str | NoAnswer:
        """Renew a token before it expires, or with a new code; callers keep using the current one meanwhile."""
        return await self._single_flight.do(f"ahead {name}", partial(self._obtain, name, current))

    async def prove(self, appsecret: str) -> NoAnswer | None:
        """Renew the platform's token by another AppSecret; return why WeChat gives none, of which the ledger has no trace.

        A refusal of the link TICKET says nothing about the AppSecret: there is no good ticket. Raises LedgerDownError.
        """
        ticket = await self._cache.load(TICKET)
        if ticket is None:
            return NoAnswer(Trouble.NO_TICKET.value, link=Link.TICKET)
        before = await self._cache.load(COMPONENT)
        issued = await self._component.token(ticket, appsecret)
        if isinstance(issued, NoAnswer):
            return issued

        async def make(_claim: StoredToken) -> Issued:
            return issued

        await self._cache.renew(COMPONENT, make, before)
        self._failed = {}
        return None

    def invalidate(self, name: str) -> None:
        """Drop the cached token after a push about a ticket or an owner; forget failures, also those of renewals under way."""
        self._cache.invalidate(name)
        self._failed = {}

    async def close(self, seconds: float) -> None:
        """Wait up to `seconds` for renewals under way: a refresh token that they receive is issued only once."""
        await self._single_flight.close(seconds)

    async def _obtain(self, name: str, refused: str | None) -> str | NoAnswer:
        """Return a token, or a NoAnswer after TOKEN_TIMEOUT seconds at the latest."""
        failures = self._failed  # of now: a push forgets them all
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT):
                if found := await self._cache.load(name, refused):
                    return found
                failed, until = self._failed.get(name, (None, 0.0))
                if failed and self._clock() < until:
                    return failed
                got = await self._make(name, refused)
        except TimeoutError:
            got = NoAnswer(Trouble.RENEWAL_SLOW.value, link=link_of(name))
        except LedgerDownError as error:
            # Without a traceback.
            _log.error("the ledger can neither read nor store tokens", extra={"reason": str(error)})
            got = NoAnswer(Trouble.TOKENS_NOT_KEPT.value, link=link_of(name))
        if isinstance(got, NoAnswer):
            failures[name] = got, self._clock() + _FAILED_FOR
        return self._record(name, got)

    def _record(self, name: str, got: str | NoAnswer) -> str | NoAnswer:
        """Log and count the result of a renewal."""
        result = RENEWED
        if isinstance(got, NoAnswer):
            why = got.problem  # not the guidance's key: that may be another code than WeChat's
            told = {**got.facts, "reason": why.found, "fix": why.fix}
            _log.warning("token not renewed", extra={"whose": name, **told})
            result = got.guidance.key
        else:
            _log.info("token renewed", extra={"whose": name})
        self.renewed(link_of(name).value, result)
        return got

    async def _make(self, name: str, refused: str | None) -> str | NoAnswer:
        if name == COMPONENT:
            return await self._cache.renew(name, self._make_platform, refused)
        return await self.with_platform_token(
            lambda token: self._cache.renew(name, partial(self._make_owner, token), refused)
        )

    async def _make_platform(self, _claim: StoredToken) -> Issued | NoAnswer:
        ticket = await self._cache.load(TICKET)
        if ticket is None:
            return await self._no_ticket()
        issued = await self._component.token(ticket)
        if refused_with(issued, DEAD_TICKET):
            await self._no_ticket()
        return issued

    async def _no_ticket(self) -> NoAnswer:
        """Ask WeChat to push a ticket, unless a replica did within the last ten minutes; return why there is no token."""
        claim = await self._tokens.claim(TICKET, PUSH_EVERY)
        if claim is not None:
            answer = await self._component.start_push()
            said = answer.facts if isinstance(answer, NoAnswer) else _push_answered(answer)
            _log.warning("no ticket: WeChat was asked to push them", extra=said)
            if isinstance(answer, NoAnswer):
                await self._tokens.failed(claim, answer.guidance.key, answer.said, free=False)
                return answer
            return NoAnswer(Trouble.NO_TICKET.value, link=Link.TICKET)
        kept = await self._tokens.find(TICKET)
        known = by_key(kept.error) if kept and kept.error else None
        return NoAnswer(known or Trouble.NO_TICKET.value, link=Link.TICKET)

    async def _make_owner(self, platform: str, claim: StoredToken) -> Issued | NoAnswer:
        """Renew an owner's token with their code, the stored refresh token, that of the settings, or the one WeChat tells.

        Until a code is exchanged, WeChat tells no refresh token (its staff, C/00046620d84dc00f435e818b454400).
        """
        owner, make = claim.name, self._component.authorizer_token
        exchanged = await self._exchange(platform, claim, claim.code) if claim.code else None
        if exchanged and (isinstance(exchanged, Issued) or refused_with(exchanged, DEAD_TOKEN)):
            return exchanged
        for known in dict.fromkeys((claim.refresh_token, self._seeds.get(owner))):
            if known:
                got = await make(platform, owner, known)
                if not refused_with(got, _LOST):
                    return got
        told = await self._component.refresh_token(platform, owner)
        if isinstance(told, str):
            return await make(platform, owner, told)
        # The code is tried again later, so report why its exchange failed: the owner need not authorise once more.
        return exchanged or told

    async def _exchange(
        self, platform: str, claim: StoredToken, code: str
    ) -> Issued | NoAnswer | None:
        """Exchange an owner's code; return why that has to be tried again, None if the code is of no use."""
        got = await self._component.query_auth(platform, code)
        if isinstance(got, NoAnswer) and refused_with(got, DEAD_TOKEN):
            return got
        if isinstance(got, Authorization) and got.owner == claim.name:
            _log.info("authorised", extra={"owner": claim.name})
            return got.issued
        why = got.guidance.key if isinstance(got, NoAnswer) else "the code belongs to another owner"
        _log.warning("authorisation not used", extra={"owner": claim.name, "reason": why})
        if isinstance(got, NoAnswer) and not refused_with(got, _SPENT):
            return got
        self._tokens.drop_code(claim)
        return None
