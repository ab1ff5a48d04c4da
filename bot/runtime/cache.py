"""Single flight, and a cache on top of it that refreshes its values before they expire."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 10_000  # entries; bounds the memory for a workspace's people or channels, rarely reached


def _never(_: object) -> bool:
    return False


class SingleFlight(Generic[T]):
    """Single flight by key: callers that come while a key's work is running share its result or its exception.

    The work goes on if the caller that started it is cancelled.
    """

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Future[T]] = {}

    def do(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> asyncio.Future[T]:
        """Return a future of the result for `key`; call `work` unless it is running.

        If nobody awaits it, asyncio logs its exception.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(work())
            flight.add_done_callback(partial(self._flights.pop, key))
        return asyncio.shield(flight)

    async def do_newer(
        self, key: str, work: Callable[[], Coroutine[None, None, T]], refused: object
    ) -> T:
        """Return the result of `do`, or if it is the `refused` one, of a second `do`: the first may have begun earlier."""
        got = await self.do(key, work)
        return await self.do(key, work) if got == refused else got

    async def close(self, seconds: float = 0.0) -> None:
        """Wait up to `seconds` for running work, then cancel it."""
        flights = [*self._flights.values()]
        if flights:
            await asyncio.wait(flights, timeout=seconds)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """A value, as a done future, with the times on the cache's clock from which it is refreshed and has expired."""

    value: asyncio.Future[T]
    stale_at: float
    expires: float


class Cache(Generic[T]):
    """A cache by key. `read` says how long a value is valid; in the second half of that time it is refreshed."""

    def __init__(
        self,
        read: Callable[[str], Awaitable[tuple[T, float]]],
        clock: Callable[[], float],
        says_nothing: Callable[[T], bool] = _never,
        most: int = _MOST,
    ) -> None:
        """Take `read`, which returns a value and the seconds that it is valid; at `most` entries the cache is cleared.

        A value for which `says_nothing` is true does not replace one that is still valid.
        """
        self._read = read
        self._clock = clock
        self._says_nothing = says_nothing
        self._most = most
        self._kept: dict[str, _Kept[T]] = {}
        self._reads = SingleFlight[T]()

    def get(self, key: str) -> asyncio.Future[T]:
        """Return a future of the value of `key`: done if a valid one is cached, else that of a read that has begun."""
        now, kept = self._clock(), self._kept.get(key)
        if kept is None or now >= kept.expires:
            return self.reread(key)
        if now >= kept.stale_at:
            self.reread(key)
        return kept.value

    def reread(self, key: str) -> asyncio.Future[T]:
        """Start reading `key`, unless that is running, and return a future of what is read."""
        return self._reads.do(key, partial(self._fetch, key))

    async def close(self) -> None:
        """Cancel pending reads."""
        await self._reads.close()

    async def _fetch(self, key: str) -> T:
        value, seconds = await self._read(key)
        now, before = self._clock(), self._kept.get(key)
        if before and now < before.expires and self._says_nothing(value):
            self._kept[key] = _Kept(before.value, now + seconds / 2, before.expires)
            return value
        if len(self._kept) >= self._most:
            self._kept.clear()
        good = asyncio.get_running_loop().create_future()
        good.set_result(value)
        self._kept[key] = _Kept(good, now + seconds / 2, now + seconds)
        return value
