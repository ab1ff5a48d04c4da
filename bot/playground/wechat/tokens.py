"""The tokens that the stand-in WeChat has issued, and their validity over time.

Source: developers.weixin.qq.com, oplatform/developers/dev/AccessToken: a token lives two hours, and the one before it
stays valid for five minutes after a renewal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Literal, TypeAlias

from bot.playground.wechat.asked import CodedError

TokenEnd: TypeAlias = Literal["expired", "superseded", "revoked"]
Codes: TypeAlias = Mapping[TokenEnd | Literal["missing", "unknown"], int]

LIFETIME = 7200
OVERLAP = 300


@dataclass(frozen=True, slots=True)
class _Issued:
    owner: str
    until: float
    then: TokenEnd = "expired"


class IssuedTokens:
    """All tokens, tickets or codes of one kind; no text is issued twice.

    `codes` are the errcodes for a missing one, for one that was never issued, and for each way to end.
    """

    def __init__(self, prefix: str, clock: Callable[[], float], codes: Codes) -> None:
        self._prefix = prefix
        self._clock = clock
        self._codes = codes
        self._issued: dict[str, _Issued] = {}

    def issue(self, owner: str, lifetime: float = inf) -> str:
        """Issue a new token, valid for this many seconds; earlier ones stay valid."""
        token = f"{self._prefix}-{len(self._issued) + 1}-of-{owner}"
        self._issued[token] = _Issued(owner, self._clock() + lifetime)
        return token

    def renew(self, owner: str, lifetime: float = inf, overlap: float = OVERLAP) -> str:
        """Issue a new token; the owner's other tokens are superseded after `overlap` seconds."""
        end = self._clock() + overlap
        for token, issued in self._issued.items():
            if issued.owner == owner and issued.until > end:
                self._issued[token] = replace(issued, until=end, then="superseded")
        return self.issue(owner, lifetime)

    def end(self, token: str, then: TokenEnd) -> None:
        """End a token now, for this reason."""
        self._issued[token] = _Issued(self._issued[token].owner, -inf, then)

    def revoke(self, owner: str) -> None:
        """Revoke everything that was issued for an owner."""
        for token, issued in self._issued.items():
            if issued.owner == owner:
                self.end(token, "revoked")

    def owner(self, token: str) -> str | None:
        """Return the owner for whom a token was issued, None if it never was."""
        issued = self._issued.get(token)
        return issued.owner if issued else None

    def judged(self, token: str) -> str:
        """Return a token's owner; raises CodedError unless the token is valid now."""
        issued = self._issued.get(token)
        if issued is None:
            raise CodedError(self._codes["unknown" if token else "missing"])
        if self._clock() >= issued.until:
            raise CodedError(self._codes[issued.then])
        return issued.owner

    def has_ended(self, owner: str) -> bool:
        """Return whether the owner's newest token is no longer valid."""
        newest = self.newest(owner)
        return newest is not None and self._clock() >= self._issued[newest].until

    def newest(self, owner: str) -> str | None:
        """Return the owner's newest token, valid or not; None if there is none."""
        owned = (token for token in reversed(self._issued) if self._issued[token].owner == owner)
        return next(owned, None)
