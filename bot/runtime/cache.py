"""Do once what many want at once; keep what was read for a while, and read it again before it is too old."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

REDELIVERED = 500
"""How many results to keep of what Slack may deliver twice, which it does within seconds.

A kept result takes some 2 kB. Past these the ledger knows what was asked for by the same trigger.
"""

_MOST = 10_000  # of one workspace's people or channels: a bound on memory, rarely met


def _never(_: object) -> bool:
    return False


class SingleFlight(Generic[T]):
    """Work by key: whoever wants a key whose work is under way gets its result, or what went wrong.

    The work goes on when whoever began it gives up waiting. The last `kept` results stay, also those that went wrong,
    and whoever comes with such a key gets that.
    """

    def __init__(self, kept: int = 0) -> None:
        self._most_kept = kept
        self._flights: dict[str, asyncio.Future[T]] = {}
        self._landed: deque[str] = deque()

    async def do(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return the result of this key's work, which is `work` if there is none yet."""
        return await asyncio.shield(self.begin(key, work))

    async def here(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> T:
        """Return what `do` does, without a task: whoever comes first does the work, which ends with them."""
        if key in self._flights:
            return await asyncio.shield(self._flights[key])
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            result = await work()
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except Exception as error:
            flight.set_exception(error)
            flight.exception()  # it is raised here, whether others wait or not
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            self._land(key)

    def begin(self, key: str, work: Callable[[], Coroutine[None, None, T]]) -> asyncio.Future[T]:
        """Begin what `do` waits for; what goes wrong is asyncio's to log if nobody waits."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(work())
            flight.add_done_callback(lambda _: self._land(key))
        return flight

    async def settled(self, key: str) -> None:
        """Wait until no work of this key is under way, however that ends."""
        if flight := self._flights.get(key):
            await asyncio.wait([flight])

    async def close(self, seconds: float = 0.0) -> None:
        """Wait up to `seconds` for what is under way, then cut it short."""
        flights = [*self._flights.values()]
        if flights:
            await asyncio.wait(flights, timeout=seconds)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _land(self, key: str) -> None:
        self._landed.append(key)
        if len(self._landed) > self._most_kept:
            del self._flights[self._landed.popleft()]


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """A value with the times by the cache's clock: read again from `early` on, of no use from `late` on."""

    value: T
    early: float
    late: float


class Cache(Generic[T]):
    """Values by key, each good for as long as `read` says; past half of that a newer one is fetched early."""

    def __init__(
        self,
        read: Callable[[str], Awaitable[tuple[T, float]]],
        clock: Callable[[], float],
        says_nothing: Callable[[T], bool] = _never,
        most: int = _MOST,
    ) -> None:
        """Take `read`, which returns a value and for how many seconds it is good; at `most` values it begins anew.

        A value that `says_nothing` does not take the place of one that is still good.
        """
        self._read = read
        self._clock = clock
        self._says_nothing = says_nothing
        self._most = most
        self._kept: dict[str, _Kept[T]] = {}
        self._readings: SingleFlight[T] = SingleFlight()

    def get(self, key: str) -> asyncio.Future[T]:
        """Return the value of `key`, never older than it is good for; if nothing good is kept, its reading has begun."""
        now, kept = self._clock(), self._kept.get(key)
        if kept is None or now >= kept.late:
            return asyncio.shield(self.ahead(key))
        if now >= kept.early:
            self.ahead(key)
        good = asyncio.get_running_loop().create_future()
        good.set_result(kept.value)
        return good

    def anew(self, key: str) -> asyncio.Future[T]:
        """Return the value of `key` as it is now, past what is kept and past a reading that is under way."""
        return asyncio.create_task(self._after_what_is_under_way(key))

    def ahead(self, key: str) -> asyncio.Future[T]:
        """Begin to read `key`, so that whoever asks for it first need not wait."""
        return self._readings.begin(key, partial(self._fetch, key))

    async def close(self) -> None:
        """Give up what is being read."""
        await self._readings.close()

    async def _after_what_is_under_way(self, key: str) -> T:
        await self._readings.settled(key)
        return await asyncio.shield(self.ahead(key))

    async def _fetch(self, key: str) -> T:
        value, seconds = await self._read(key)
        now, before = self._clock(), self._kept.get(key)
        if before and now < before.late and self._says_nothing(value):
            self._kept[key] = _Kept(before.value, now + seconds / 2, before.late)
            return value
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[key] = _Kept(value, now + seconds / 2, now + seconds)
        return value
