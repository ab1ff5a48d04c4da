"""Keep the chain fresh: renew every owner's token before it runs out, and as soon as there is a ticket."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from bot.domain.link import Link, LinkState
from bot.guidance import by_key
from bot.ledger import LedgerDownError
from bot.ledger.tokens import COMPONENT, TICKET, Kept, Tokens
from bot.wechat.chain import Chain
from bot.wechat.tokens import NoToken

_AT_LEFT = 0.1  # of its life: a token is renewed at 90 per cent
_SPREAD = 0.02  # of its life, so that replicas and owners do not all come at once
_AT_ONCE = 5
_LOOK_EVERY = 30.0  # seconds
_MOST_SKIPPED = 64  # looks, after failures in a row: half an hour
_LINKS = {TICKET: Link.TICKET, COMPONENT: Link.PLATFORM}

_log = logging.getLogger(__name__)


class Upkeep:
    """Looks `every` so many seconds after the tokens of the platform and of all who are `owners` by then."""

    def __init__(
        self,
        chain: Chain,
        tokens: Tokens,
        owners: Callable[[], Sequence[str]],
        jitter: Callable[[], float],
        *,
        every: float = _LOOK_EVERY,
    ) -> None:
        self._chain = chain
        self._tokens = tokens
        self._owners = owners
        self._jitter = jitter
        self._every = every
        self._woken = asyncio.Event()
        self._left: dict[Link, list[float]] = {}
        self._seen = 0.0  # by time.monotonic()
        self._renewals = 0  # since then
        self._failures: Counter[str] = Counter()
        self._skipping: Counter[str] = Counter()

    def wake(self) -> None:
        """Look at once, because something has changed."""
        self._failures.clear()
        self._skipping.clear()
        self._woken.set()

    async def keep(self) -> None:
        """Renew what is due, over and over; runs until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._look()
                if self._renewals:
                    self._note(await self._tokens.all())
            except LedgerDownError as error:
                _log.warning("the ledger is down", extra={"reason": str(error)})
            except Exception:  # noqa: BLE001  # without it every token would be renewed too late
                _log.exception("unforeseen error")
            try:
                async with asyncio.timeout(self._every):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def states(self) -> list[LinkState]:
        """Return how the ticket, the platform's token and each owner's token stand."""
        return link_states(await self._tokens.all(), self._owners())

    def left(self) -> Mapping[Link, Sequence[float]]:
        """Return for how many seconds each token of a link is good yet, as the last look found it; nothing before the first."""
        passed = time.monotonic() - self._seen
        return {
            link: [max(0.0, left - passed) for left in each] for link, each in self._left.items()
        }

    def _note(self, kept: Mapping[str, Kept]) -> None:
        self._seen, self._renewals = time.monotonic(), 0
        self._left = {link: [] for link in Link}
        for name in (TICKET, COMPONENT, *self._owners()):
            found = kept.get(name)
            good = found.left if found and found.value is not None else 0.0
            self._left[_LINKS.get(name, Link.OWNER)].append(good)

    async def _look(self) -> None:
        kept = await self._tokens.all()
        self._note(kept)
        if not await self._renewed(COMPONENT, kept.get(COMPONENT)):
            return  # no owner's token can be made without it
        turns = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(owner: str) -> None:
            async with turns:
                await self._renewed(owner, kept.get(owner))

        await asyncio.gather(*map(in_turn, self._owners()))

    async def _renewed(self, name: str, kept: Kept | None) -> bool:
        """Renew a token if it is due; False if that fails, or failed too often to be tried at each look."""
        if not self._is_due(kept):
            return True
        if self._skipping[name] > 0:
            self._skipping[name] -= 1
            return False
        if isinstance(await self._chain.renew_early(name, kept.value if kept else None), NoToken):
            self._failures[name] += 1
            self._skipping[name] = min(2 ** self._failures[name] - 2, _MOST_SKIPPED)
            return False
        del self._failures[name]
        self._renewals += 1
        return True

    def _is_due(self, kept: Kept | None) -> bool:
        if kept is None or kept.value is None:
            return True
        return kept.left <= kept.life * (_AT_LEFT + _SPREAD * self._jitter())


def link_states(kept: Mapping[str, Kept], owners: Sequence[str]) -> list[LinkState]:
    """Return how each link stands, from what the ledger has kept of it."""
    return [_state(name, kept.get(name)) for name in (TICKET, COMPONENT, *owners)]


def _state(name: str, kept: Kept | None) -> LinkState:
    link = _LINKS.get(name, Link.OWNER)
    owner = name if link is Link.OWNER else None
    if kept is None:
        return LinkState(link, owner, None, None)
    good = kept.value is not None and kept.left > 0
    trouble = by_key(kept.error) if kept.error else None
    until = kept.expires if good else None
    return LinkState(link, owner, until, kept.issued, trouble, kept.error_at)
