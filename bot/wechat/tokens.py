"""Where the owners' access tokens come from: the port, a fixed token, a central token server.

WeChat ends a token a few minutes after somebody refreshes it, so companies keep one server that refreshes
and lets everybody else read. Source: developers.weixin.qq.com, "AccessToken" (third-party platforms).
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import httpx

from bot.domain.link import Link
from bot.domain.outcome import Said
from bot.guidance import Guidance, Trouble, for_trouble
from bot.runtime.cache import SingleFlight
from bot.runtime.observers import Renewed, nobody
from bot.wechat.transport import UNPACKED, exchange

TOKEN_SERVER = "token server"  # noqa: S105  # a label
"""What is counted in place of a link of the chain where the token server is read."""

RENEWED = "renewed"
"""What is counted for a renewal, or a reading, that succeeded."""

_READ_AGAIN_AFTER = 60.0
_MARGIN = 0.9
_LONGEST_LIFE = 7200.0  # a number of JSON can be too large for a float
_TIMEOUT = 5.0
_BODY_LIMIT = 64 * 1024
_TOKEN = re.compile(r"\s*([!-~]+)\s*")
_OK, _UNAUTHORISED, _FORBIDDEN = 200, 401, 403


@dataclass(frozen=True, slots=True)
class NoToken:
    """Why there is no token: what it means, WeChat's own words, and the link of the platform's chain that broke."""

    guidance: Guidance
    said: Said | None = None
    link: Link | None = None


class TokenSource(Protocol):
    """Gives the authorizer_access_token of an owner, or says why it cannot."""

    async def token(self, owner: str) -> str | NoToken:
        """Return a token that is believed to be good."""

    async def renew(self, owner: str, refused: str) -> str | NoToken:
        """Return another token than the `refused` one; asks for it only if nobody else has yet."""


class FixedToken:
    """Token source 1: one token of one owner, as it was set; nothing can renew it."""

    def __init__(self, owner: str, token: str) -> None:
        self._owner = owner
        self._token = token
        self._refused = False

    async def token(self, owner: str) -> str | NoToken:
        """Return the token, if `owner` is its owner."""
        if owner != self._owner:
            return NoToken(for_trouble(Trouble.TOKEN_FIXED_OTHER_OWNER))
        return self._token

    async def renew(self, owner: str, refused: str) -> str | NoToken:  # noqa: ARG002  # the port's
        """Return that there is no other token."""
        self._refused = True
        return NoToken(for_trouble(Trouble.TOKEN_FIXED_DEAD))

    def trouble(self) -> str | None:
        """Return that WeChat refused the token, which nothing but a start with another mends."""
        return for_trouble(Trouble.TOKEN_FIXED_DEAD).title if self._refused else None


class TokenServer:
    """Token source 2: read from the company's token server, each token for at most a minute."""

    def __init__(  # noqa: PLR0913, PLR0917  # the last is for whoever counts
        self,
        http: httpx.AsyncBaseTransport,
        url: str,
        authorization: str | None,
        clock: Callable[[], float],
        timeout: float = _TIMEOUT,
        renewed: Renewed = nobody,
    ) -> None:
        self._http = http
        self._url = url
        self._headers = UNPACKED | ({"Authorization": authorization} if authorization else {})
        self._clock = clock
        self._timeout = timeout
        self._renewed = renewed
        self._kept: dict[str, tuple[str, float]] = {}
        self._failed: dict[str, Trouble] = {}
        self._readings = SingleFlight[str | NoToken]()

    async def token(self, owner: str) -> str | NoToken:
        """Return the token that was read last, or read it again after a minute."""
        kept, until = self._kept.get(owner, ("", 0.0))
        if kept and self._clock() < until:
            return kept
        return await self._readings.do(owner, partial(self._read, owner, None))

    async def renew(self, owner: str, refused: str) -> str | NoToken:
        """Return what the server gives now, unless another call already got something newer."""
        await self._readings.settled(owner)  # it may have begun before the token was refused
        kept, _ = self._kept.get(owner, ("", 0.0))
        if kept and kept != refused:
            return kept
        return await self._readings.do(owner, partial(self._read, owner, refused))

    def trouble(self) -> str | None:
        """Return why the last reading failed, for the owner whose reading failed last."""
        return for_trouble([*self._failed.values()][-1]).title if self._failed else None

    async def close(self) -> None:
        """Give up what is being read."""
        await self._readings.close()

    async def _read(self, owner: str, refused: str | None) -> str | NoToken:
        """Return what one reading brings for all who wait."""
        self._kept.pop(owner, None)
        read = await self._asked(owner)
        self._failed.pop(owner, None)
        if not isinstance(read, Trouble):
            token, life = read
            self._kept[owner] = token, self._clock() + min(life * _MARGIN, _READ_AGAIN_AFTER)
            if token != refused:
                self._renewed(TOKEN_SERVER, RENEWED)
                return token
            read = Trouble.TOKEN_SERVER_STALE
        self._failed[owner] = read
        self._renewed(TOKEN_SERVER, read.value)
        return NoToken(for_trouble(read))

    async def _asked(self, owner: str) -> tuple[str, float] | Trouble:
        """Return what the server answers: a token and the seconds it lives."""
        request = httpx.Request("GET", self._url.replace("{appid}", owner), headers=self._headers)
        answer = await exchange(self._http, request, self._timeout, _BODY_LIMIT)
        if isinstance(answer, Trouble):
            late = answer is Trouble.TIMEOUT
            return Trouble.TOKEN_SERVER_SLOW if late else Trouble.TOKEN_SERVER_DOWN
        if answer.status in {_UNAUTHORISED, _FORBIDDEN}:
            return Trouble.TOKEN_SERVER_REFUSED
        found = read_token(answer.body) if answer.status == _OK else None
        return found or Trouble.TOKEN_SERVER_ANSWER


def read_token(body: bytes) -> tuple[str, float] | None:
    """Return (token, seconds it lives) from a token server's JSON, or None if there is no token in it."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    token = answer.get("authorizer_access_token") or answer.get("access_token")
    expires_in = answer.get("expires_in", _READ_AGAIN_AFTER)
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if not found or not isinstance(expires_in, int | float):
        return None
    return found[1], float(min(expires_in, _LONGEST_LIFE))
