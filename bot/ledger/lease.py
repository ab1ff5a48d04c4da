"""Whether this replica still holds its requests, without asking the database.

A process that was frozen, or whose machine was suspended, notices it only by a clock that went on meanwhile. asyncio's
clock stops while the machine is suspended, see clock_gettime(2).
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bot.ledger.entries import Entry

LEASE = 6.0
"""Seconds for which a replica holds its requests after its last heartbeat, by its own clock.

Another one takes them over once it has seen no heartbeat for as long, by its own.
"""

# Seconds of the loop's clock: how long work may go on after the machine has woken up.
_CHECK_EVERY = 0.1


class Lease:
    """The lease of one replica: the time by `clock` until which no other takes over, and the requests it holds.

    Each heartbeat renews it for `seconds`, which may be infinite.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._until = -math.inf
        self._held: set[tuple[str, int]] = set()
        self._timeouts: dict[asyncio.Timeout, None] = {}
        self._checking: asyncio.TimerHandle | None = None

    def renew(self, began: float) -> None:
        """Renew from `began`, when the heartbeat was sent.

        If the lease had expired before the heartbeat arrived, another replica may have taken the requests over. Work that
        runs under the old lease is then cancelled, in spite of the new one.
        """
        if self._clock() >= self._until:
            self._held.clear()
            self._reschedule()
            self._timeouts.clear()
        self._until = began + self._seconds
        self._reschedule()

    def acquired(self, entry: Entry) -> None:
        """Record that this replica holds a request."""
        self._held.add(_key(entry))

    def released(self, entry: Entry) -> None:
        """Record that this replica no longer holds a request."""
        self._held.discard(_key(entry))

    def covers(self, entry: Entry) -> bool:
        """Tell whether this replica certainly holds a request; if False, only the database knows."""
        return self._clock() < self._until and _key(entry) in self._held

    @asynccontextmanager
    async def timeout(self) -> AsyncIterator[asyncio.Timeout]:
        """Run the body until the lease expires, which raises TimeoutError.

        After a suspension the lease's clock is checked within 0.1 s.
        """
        async with asyncio.timeout_at(self._when()) as timeout:
            self._timeouts[timeout] = None
            if self._checking is None and self._until < math.inf:
                self._check()
            try:
                yield timeout
            finally:
                self._timeouts.pop(timeout, None)

    def _check(self) -> None:
        """Adjust the timeouts to the lease's clock every 0.1 s while there are any."""
        self._reschedule()
        on = self._timeouts and self._until < math.inf
        later = asyncio.get_running_loop().call_later
        self._checking = later(_CHECK_EVERY, self._check) if on else None

    def _reschedule(self) -> None:
        """Adjust the timeouts that are not due.

        A due one fires in this iteration of the loop. Rescheduled, it would fire in the next one, where a task whose
        answer arrived during a freeze may run before it and post.
        """
        now = asyncio.get_running_loop().time()
        for timeout in self._timeouts:
            when = timeout.when()
            if not timeout.expired() and (when is None or when > now):
                timeout.reschedule(self._when())

    def _when(self) -> float | None:
        """Return when the lease expires by the loop's clock; None for never, which needs no timer."""
        if self._until == math.inf:
            return None
        return asyncio.get_running_loop().time() + self._until - self._clock()


def _key(entry: Entry) -> tuple[str, int]:
    return entry.request.id, entry.fence
