"""Remember what was read for a while; read once however many ask, and again before it is too old."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

V = TypeVar("V")

_MOST = 10_000  # of one workspace's people or channels: a bound on memory, rarely met


def _never(_: object) -> bool:
    return False


class Remembered(Generic[V]):
    """Values by key, each good for as long as `read` says; past half of that a newer one is fetched early."""

    def __init__(
        self,
        read: Callable[[str], Awaitable[tuple[V, float]]],
        clock: Callable[[], float],
        says_nothing: Callable[[V], bool] = _never,
    ) -> None:
        """Take `read`, which returns a value and for how many seconds it is good.

        A value that `says_nothing` does not take the place of one that is still good.
        """
        self._read = read
        self._clock = clock
        self._says_nothing = says_nothing
        self._kept: dict[str, tuple[V, float, float]] = {}
        self._reading: dict[str, asyncio.Task[V]] = {}

    async def get(self, key: str) -> V:
        """Return the value of `key`, never older than it is good for."""
        now = self._clock()
        if key in self._kept:
            value, early, late = self._kept[key]
            if now < late:
                if now >= early:
                    self._start(key)
                return value
        # Shielded: whoever gives up waiting leaves the value for the next who asks.
        return await asyncio.shield(self._start(key))

    async def anew(self, key: str) -> V:
        """Return the value of `key` as it is now, past what is remembered."""
        if key in self._reading:  # begun before now was
            await asyncio.wait([self._reading[key]])
        return await asyncio.shield(self._start(key))

    def ahead(self, key: str) -> None:
        """Begin to read `key`, so that whoever asks for it first need not wait."""
        self._start(key)

    def close(self) -> None:
        """Give up what is being read."""
        for task in self._reading.values():
            task.cancel()

    def _start(self, key: str) -> asyncio.Task[V]:
        if key not in self._reading:
            task = asyncio.create_task(self._fetch(key))
            self._reading[key] = task
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return self._reading[key]

    async def _fetch(self, key: str) -> V:
        value, seconds = await self._read(key)
        now = self._clock()
        before = self._kept.get(key)
        if before and now < before[2] and self._says_nothing(value):
            self._kept[key] = before[0], now + seconds / 2, before[2]
            return value
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = value, now + seconds / 2, now + seconds
        return value
