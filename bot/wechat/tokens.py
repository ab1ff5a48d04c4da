"""The sources of owners' access tokens: the port, a fixed token, and a central token server.

A token becomes invalid a few minutes after any system refreshes it, so companies run one server that refreshes tokens
and from which all other systems read. Source: developers.weixin.qq.com, "AccessToken" (third-party platforms).
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import httpx

from bot.domain.finding import Problem
from bot.domain.in_general import in_general
from bot.domain.link import Link, LinkState
from bot.domain.sentence import Sentence
from bot.guidance import AutoRetry, Guidance, Trouble
from bot.runtime.cache import SingleFlight
from bot.runtime.observers import RENEWED, TOKEN_SERVER, Renewed, no_op
from bot.wechat.api import NoAnswer
from bot.wechat.token_answer import read_token
from bot.wechat.transport import UnansweredError

_READ_AGAIN_AFTER = 60.0
_MARGIN = 0.9
_TIMEOUT = 5.0
_FIXES = {
    3: Sentence(
        "Set WECHAT_TOKEN_SERVER_URL to the address that it redirects to, since the bot follows none. "
        "If that is a sign-in page, let the bot's calls pass without it."
    ),
    5: Sentence("Read the token server's own log, or that of the proxy in front of it."),
}
"""By the class of the HTTP status."""
_OK, _UNAUTHORISED, _FORBIDDEN, _SERVER_ERROR = 200, 401, 403, 500
_NO_ANSWER = (Trouble.TOKEN_SERVER_DOWN.value, Trouble.TOKEN_SERVER_SLOW.value)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cached:
    """A token, when to read it again, and when it expires, by the clock of whoever caches it."""

    value: str = field(repr=False)
    reread_at: float
    expires: float


def refused_with(got: object, errcodes: frozenset[int]) -> bool:
    """Tell whether there is no token because WeChat answered with one of these errcodes."""
    return isinstance(got, NoAnswer) and got.said is not None and got.said.errcode in errcodes


class TokenSource(Protocol):
    """Provides the authorizer_access_token of an owner, or the reason why there is none."""

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:
        """Return a token that should be valid, other than the one that WeChat `refused`."""


@dataclass(slots=True, eq=False, repr=False)
class FixedToken:
    """Token source 1: one fixed token of one owner, which cannot be renewed."""

    _owner: str
    _token: str
    _now: Callable[[], float]
    _refused_at: float | None = field(default=None, init=False)

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:
        """Return the token; a NoAnswer for any other owner, or if it was refused."""
        if owner != self._owner:
            return NoAnswer(Trouble.TOKEN_FIXED_OTHER_OWNER.value)
        return NoAnswer(Trouble.TOKEN_FIXED_DEAD.value) if refused else self._token

    def answered(self, why: Guidance | None) -> None:
        """Note what WeChat answered to a call with the token: why it did not do it, or None if it did."""
        if why is None:
            self._refused_at = None
        elif why.retry is AutoRetry.RENEW:
            self._refused_at = self._now()

    def states(self) -> Sequence[LinkState]:
        """Return the state of the token if WeChat has refused it since it last did what was asked; how long it is good is unknown."""
        if self._refused_at is None:
            return ()
        dead = Trouble.TOKEN_FIXED_DEAD.value
        return (
            LinkState(
                Link.OWNER,
                self._owner,
                good_until=None,
                renewed=None,
                trouble=dead,
                trouble_at=self._refused_at,
            ),
        )


@dataclass(slots=True, eq=False, repr=False)
class TokenServer:
    """Token source 2: reads tokens from the company's token server and caches each for a minute.

    While the server does not answer, or with a 5xx, the last one is used for as long as it is valid, unless WeChat refuses it.
    Any other answer without a token ends its use, since the server may have dropped the owner. An answer may have a MiB,
    like WeChat's (`ANSWER_LIMIT` in `wechat/api.py`); a longer one counts as one without a token.
    """

    _http: httpx.AsyncClient
    _url: str
    _authorization: str | None
    _clock: Callable[[], float]
    _now: Callable[[], float]
    timeout: float = _TIMEOUT
    renewed: Renewed = no_op
    _cached: dict[str, Cached] = field(default_factory=dict, init=False)
    _failed: dict[str, tuple[Guidance, float]] = field(default_factory=dict, init=False)
    """For each owner whose last reading failed: why, and when, in Unix seconds."""
    _logged: dict[str, Problem] = field(default_factory=dict, init=False)
    """For each owner what was logged since it last had a token."""
    _readings: SingleFlight[str | NoAnswer] = field(default_factory=SingleFlight, init=False)

    async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:
        """Return the cached token; read it again after a minute, or if it is the refused one."""
        cached = self._cached.get(owner)
        if cached and cached.value != refused and self._clock() < cached.reread_at:
            return cached.value
        read = partial(self._read, owner, refused)
        return await self._readings.do_newer(owner, read, refused)

    def states(self, owners: Collection[str]) -> Sequence[LinkState]:
        """Return the states of the tokens of those owners whose last reading failed, the most recent failure last."""
        return [self._state(owner, *why) for owner, why in self._failed.items() if owner in owners]

    async def close(self) -> None:
        """Cancel pending reads."""
        await self._readings.close()

    def _state(self, owner: str, why: Guidance, at: float) -> LinkState:
        """Return the state after a failed reading; a token that WeChat refused is not good, though the server gave it."""
        cached = self._cached.get(owner) if why is not Trouble.TOKEN_SERVER_STALE.value else None
        left = max(0.0, cached.expires - self._clock()) if cached else 0.0
        good_until = self._now() + left if left else None
        return LinkState(
            Link.OWNER,
            owner,
            good_until=good_until,
            renewed=None,
            trouble=why,
            trouble_at=at,
            left=left,
        )

    async def _read(self, owner: str, refused: str | None) -> str | NoAnswer:
        """Read the server once and cache the token."""
        last = self._cached.pop(owner, None)
        read = await self._fetch(owner)
        self._failed.pop(owner, None)
        now = self._clock()
        if not isinstance(read, NoAnswer):
            token, life = read
            expires = now + life * _MARGIN
            self._cached[owner] = Cached(token, min(expires, now + _READ_AGAIN_AFTER), expires)
            if token != refused:
                self._logged.pop(owner, None)
                self.renewed(TOKEN_SERVER, RENEWED)
                return token
            read = NoAnswer(Trouble.TOKEN_SERVER_STALE.value)
        self._log_new(owner, read.problem)
        self._failed[owner] = (read.guidance, self._now())
        self.renewed(TOKEN_SERVER, read.guidance.key)
        away = read.guidance in _NO_ANSWER or (read.status or 0) >= _SERVER_ERROR
        if away and last and last.value != refused and now < last.expires:
            reread_at = min(last.expires, now + _READ_AGAIN_AFTER)
            self._cached[owner] = replace(last, reread_at=reread_at)
            return last.value
        return read

    def _log_new(self, owner: str, why: Problem) -> None:
        """Log why there is no token, unless the last line about this owner says so."""
        if self._logged.get(owner) != why:
            self._logged[owner] = why
            facts = {"whose": owner, "reason": why.found, "fix": why.fix}
            _log.warning("no token from the token server", extra=facts)

    async def _fetch(self, owner: str) -> tuple[str, float] | NoAnswer:
        """Return the server's token and its life in seconds."""
        authorization = {"Authorization": self._authorization} if self._authorization else {}
        address, _, query = self._url.replace("{appid}", owner).partition("#")[0].partition("?")
        extensions = {"query": query}  # may hold a key
        try:
            response = await self._http.get(
                address, headers=authorization, timeout=self.timeout, extensions=extensions
            )
        except UnansweredError as error:
            late = error.why.guidance is Trouble.TIMEOUT.value
            why = Trouble.TOKEN_SERVER_SLOW if late else Trouble.TOKEN_SERVER_DOWN
            return NoAnswer(why.value, way=error.why.way)
        status = response.status_code
        if status in {_UNAUTHORISED, _FORBIDDEN}:
            return NoAnswer(Trouble.TOKEN_SERVER_REFUSED.value, status=status)
        unusable = Trouble.TOKEN_SERVER_ANSWER.value
        if status != _OK:
            fix = _FIXES.get(status // 100) or in_general(unusable.steps[0])
            came = Problem(Sentence("HTTP {status} came", status=status), fix)
            return NoAnswer(unusable, status=status, came=came)
        read = read_token(response.content, owner)
        return NoAnswer(unusable, came=read) if isinstance(read, Problem) else read
