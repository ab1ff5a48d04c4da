"""Whether this replica still holds what it took on, without asking the database.

A process that was frozen knows nothing of it when it wakes up; its clock does.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.ledger.entries import Entry

LEASE = 12.0
"""Seconds for which a replica holds its requests after its last beat."""


class Lease:
    """A time for which nobody else takes over, renewed with each beat; `seconds` may be infinite."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = -math.inf  # by time.monotonic(), which is the loop's clock too
        self._sure: set[tuple[str, int]] = set()
        self._running: set[asyncio.Timeout] = set()

    def renewed(self, began: float) -> None:
        """Count from `began`, when the beat was sent; what was held before a gap is not sure any more."""
        if began >= self._until:
            self._sure.clear()
        self._until = began + self._seconds
        for timeout in self._running:
            if not timeout.expired():
                timeout.reschedule(self._until)

    def took(self, entry: Entry) -> None:
        """Note that this replica holds a request."""
        self._sure.add(_key(entry))

    def lost(self, entry: Entry) -> None:
        """Note that it does not hold it any more."""
        self._sure.discard(_key(entry))

    def covers(self, entry: Entry) -> bool:
        """Tell whether nobody can have taken a request over."""
        return time.monotonic() < self._until and _key(entry) in self._sure

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Timeout]:
        """Cut the body short once the lease is over: raises TimeoutError.

        On waking up the loop looks at its clock before anything goes on.
        """
        async with asyncio.timeout_at(self._until) as timeout:
            self._running.add(timeout)
            try:
                yield timeout
            finally:
                self._running.discard(timeout)


def _key(entry: Entry) -> tuple[str, int]:
    return entry.request.id, entry.fence
