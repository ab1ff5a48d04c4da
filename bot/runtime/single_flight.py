"""Single flight: what many want at once is done once, and all get what came of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Flights(Generic[T]):
    """The flights under way, by name; each goes on even if nobody waits for it any more."""

    def __init__(self) -> None:
        self._flying: dict[str, asyncio.Task[T]] = {}

    async def join(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the flight of this name brings, which is `work` if there is none."""
        flight = self._flying.get(name)
        if flight is None:
            flight = asyncio.create_task(work())
            self._flying[name] = flight
            flight.add_done_callback(lambda done: self._landed(name, done))
        return await asyncio.shield(flight)

    async def land(self, seconds: float) -> None:
        """Wait up to `seconds` for what is under way, then cut it short."""
        flights = [*self._flying.values()]
        if flights:
            await asyncio.wait(flights, timeout=seconds)
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _landed(self, name: str, flight: asyncio.Task[T]) -> None:
        if self._flying.get(name) is flight:
            del self._flying[name]
        if not flight.cancelled():
            flight.exception()  # whoever waits gets it; asyncio need not complain if nobody does
