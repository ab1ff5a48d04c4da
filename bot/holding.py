"""Write to the ledger however often it takes, and speak only while this replica holds the request."""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.ledger import Entry, Ledger, LedgerDownError

_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[bool]]


class LostError(Exception):
    """Somebody else holds the request now."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What every step of a request needs of the ledger."""

    ledger: Ledger
    sleep: Callable[[float], Awaitable[None]]

    async def while_held(self, entry: Entry, say: Callable[[float | None], Awaitable[T]]) -> T:
        """Return what `say` returns, which looks back if it may have been said; raises LostError.

        A replica that was frozen wakes up in the midst of it, long after somebody else has said it.
        """
        since = entry.created if entry.taken_over else None
        while await self.surely([], partial(self.ledger.replica.hold, entry)):
            try:
                async with self.ledger.replica.lease.running() as lease:
                    return await say(since)
            except TimeoutError:
                if not lease.expired():
                    raise
                since = entry.created
        raise LostError

    async def holds(self, entry: Entry) -> bool:
        """Tell whether this replica still holds a request, however long it takes to find out."""
        return await self.insist(partial(self.ledger.replica.hold, entry))

    async def end(self, entry: Entry, owed: list[Write], how: str) -> None:
        """Record the end, with all the time it takes: until then the same pair counts as under way."""
        await self.surely(owed, partial(self.ledger.end, entry, how), patience=math.inf)

    async def surely(
        self, owed: list[Write], write: Write, patience: float = _PATIENCE_ALONE
    ) -> bool:
        """Write what is owed and then `write`, however often it takes; False if somebody else holds the request.

        Where nobody else can take the request over, an answer is worth more than its record: after `patience`
        seconds it goes on, owing it.
        """
        pause, waited = 0.1, _PATIENCE_ALONE if owed else 0.0
        owed.append(write)
        while owed:
            began, oldest = time.monotonic(), owed.pop(0)
            try:
                if not await oldest():
                    return False
                continue
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
                owed.insert(0, oldest)
            if self.ledger.exclusive and waited >= patience:
                return True
            await self.sleep(pause)
            waited += pause + time.monotonic() - began
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Return what the ledger answers, however long it takes; nothing goes on without it."""
        pause = 0.1
        while True:
            try:
                return await write()
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
            await self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
