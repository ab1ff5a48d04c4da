"""Renew the chain's tokens in the background: before they expire, and as soon as a ticket arrives."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bot.domain.link import Link, LinkState
from bot.guidance import by_key
from bot.ledger.seal import PUT_BACK, Sealed
from bot.ledger.tokens import COMPONENT, TICKET, StoredToken, Tokens
from bot.ledger.writer import LedgerDownError
from bot.wechat.api import NoAnswer
from bot.wechat.chain import Chain, link_of

_RENEW_AT = 0.1  # the share of a token's life that is left when it is renewed
_SPREAD = 0.02  # jitter, as a share of the life, so that replicas and owners do not renew at once
_AT_ONCE = 5
_CHECK_EVERY = 30.0  # seconds
_MOST_SKIPPED = 64  # rounds

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, repr=False)
class Upkeep:
    """Checks the tokens every `every` seconds, and renews those of the platform, of `owners` and with codes that are due."""

    _chain: Chain
    _tokens: Tokens
    _owners: Callable[[], Sequence[str]]
    _jitter: Callable[[], float]
    _clock: Callable[[], float]
    every: float = _CHECK_EVERY
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _seen: tuple[Mapping[str, StoredToken], float] | None = field(default=None, init=False)
    """All tokens, and when they were read, by `_clock`."""
    _lost: list[str] = field(default_factory=list, init=False)
    """Those that no key decrypted at the last look."""
    _failures: Counter[str] = field(default_factory=Counter, init=False)
    _skipping: Counter[str] = field(default_factory=Counter, init=False)

    def wake(self) -> None:
        """Check now, because a token or the owners have changed; forget earlier failures."""
        self._failures.clear()
        self._skipping.clear()
        self._woken.set()

    async def run(self) -> None:
        """Renew what is due, in a loop that runs until it is cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._check()
                await self._look()
            except LedgerDownError as error:
                _log.warning("the ledger is down", extra={"reason": str(error)})
            except Exception:  # noqa: BLE001  # this loop has to survive: without it tokens would be renewed too late
                _log.exception("unforeseen error")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.every):
                    await self._woken.wait()

    def states(self) -> Sequence[LinkState]:
        """Return the state of the ticket, of the platform token and of each owner's token, as of the last check.

        Before the first check there is none.
        """
        if self._seen is None:
            return ()
        kept, at = self._seen
        return link_states(kept, self._owners(), self._clock() - at)

    async def _look(self) -> Mapping[str, StoredToken]:
        kept = await self._tokens.all()
        self._seen = kept, self._clock()
        lost = sorted(name for name, each in kept.items() if each.lost)
        if lost and lost != self._lost:
            why = {"whose": ", ".join(lost), "reason": Sealed.LOST.value, "fix": PUT_BACK}
            _log.warning("stored tokens cannot be decrypted", extra=why)
        self._lost = lost
        return kept

    async def _check(self) -> None:
        kept = await self._look()
        if not await self._renew_if_due(COMPONENT, kept.get(COMPONENT)):
            return  # owners' tokens are made with the platform token
        turns = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(owner: str) -> None:
            async with turns:
                await self._renew_if_due(owner, kept.get(owner))

        with_codes = [name for name, each in kept.items() if each.code]
        await asyncio.gather(*map(in_turn, dict.fromkeys([*self._owners(), *with_codes])))

    async def _renew_if_due(self, name: str, kept: StoredToken | None) -> bool:
        """Renew a token if it is due; False if that failed, or is skipped after repeated failures."""
        if not self._is_due(kept):
            return True
        if self._skipping[name] > 0:
            self._skipping[name] -= 1
            return False
        if isinstance(await self._chain.renew_early(name, kept.value if kept else None), NoAnswer):
            self._failures[name] += 1
            self._skipping[name] = rounds_skipped(self._failures[name])
            return False
        del self._failures[name]
        return True

    def _is_due(self, kept: StoredToken | None) -> bool:
        if kept is None or kept.value is None or kept.code:
            return True
        return kept.left <= kept.life * (_RENEW_AT + _SPREAD * self._jitter())


def rounds_skipped(failures: int) -> int:
    """Return how many rounds are skipped after so many failures in a row: twice as many each time, up to half an hour."""
    return min((1 << failures) - 2, _MOST_SKIPPED)


def link_states(
    kept: Mapping[str, StoredToken], owners: Sequence[str], age: float = 0.0
) -> list[LinkState]:
    """Return the state of each link, from the tokens that were read from the ledger `age` seconds ago."""
    return [_state(name, kept.get(name), age) for name in (TICKET, COMPONENT, *owners)]


def _state(name: str, kept: StoredToken | None, age: float) -> LinkState:
    link = link_of(name)
    owner = name if link is Link.OWNER else None
    if kept is None:
        return LinkState(link, owner, good_until=None, renewed=None)
    left = max(0.0, kept.left - age) if kept.value is not None else 0.0
    trouble = by_key(kept.error) if kept.error else None
    until = kept.expires if left else None
    return LinkState(
        link,
        owner,
        good_until=until,
        renewed=kept.issued,
        trouble=trouble,
        trouble_at=kept.error_at,
        address=kept.address,
        left=left,
    )
