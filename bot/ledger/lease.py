"""Whether this replica still holds what it took on, without asking the database.

A process that was frozen, or whose machine was suspended, learns of it only from a clock that ran on meanwhile. The
clock of asyncio's loop stands still while the machine is suspended, see clock_gettime(2).
"""

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.ledger.entries import Entry

LEASE = 9.0
"""Seconds for which a replica holds its requests after its last beat."""

_LOOK_AGAIN = 0.1  # seconds of the loop's clock: for so long something may go on after the machine has woken up


def since_boot() -> float:
    """Return the seconds since the machine was started, time in suspension included where the system counts it."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """A time by `clock` for which nobody else takes over, renewed with each beat; `seconds` may be infinite."""

    def __init__(self, seconds: float, clock: Callable[[], float] = since_boot) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until = -math.inf
        self._held: set[tuple[str, int]] = set()
        self._timeouts: set[asyncio.Timeout] = set()
        self._looking: asyncio.TimerHandle | None = None

    def renew(self, began: float) -> None:
        """Count from `began`, when the beat was sent; what was held before a gap is not sure any more."""
        if began >= self._until:
            self._held.clear()
        self._until = began + self._seconds
        self._reschedule()

    def acquired(self, entry: Entry) -> None:
        """Note that this replica holds a request."""
        self._held.add(_key(entry))

    def released(self, entry: Entry) -> None:
        """Note that it does not hold it any more."""
        self._held.discard(_key(entry))

    def covers(self, entry: Entry) -> bool:
        """Tell whether nobody can have taken a request over."""
        return self._clock() < self._until and _key(entry) in self._held

    @asynccontextmanager
    async def timeout(self) -> AsyncIterator[asyncio.Timeout]:
        """Cut the body short once the lease is over: raises TimeoutError.

        After a suspension the loop checks its own clock before anything goes on, and the lease's clock soon after.
        """
        async with asyncio.timeout_at(self._when()) as timeout:
            self._timeouts.add(timeout)
            if self._looking is None and self._until < math.inf:
                self._look()
            try:
                yield timeout
            finally:
                self._timeouts.discard(timeout)

    def _look(self) -> None:
        """Bring the time limits in line with the lease's clock every so often, as long as anything is running."""
        self._reschedule()
        on = self._timeouts and self._until < math.inf
        later = asyncio.get_running_loop().call_later
        self._looking = later(_LOOK_AGAIN, self._look) if on else None

    def _reschedule(self) -> None:
        for timeout in self._timeouts:
            if not timeout.expired():
                timeout.reschedule(self._when())

    def _when(self) -> float | None:
        """Return when the lease is over by the loop's clock; None for never, which costs no timer."""
        if self._until == math.inf:
            return None
        return asyncio.get_running_loop().time() + self._until - self._clock()


def _key(entry: Entry) -> tuple[str, int]:
    return entry.request.id, entry.fence
