"""Fault injection for both stand-ins: what can go wrong with a call, and which calls are affected."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from bot.playground.loopback import Json


@dataclass(frozen=True, slots=True)
class Code:
    """The API's own error, with HTTP 200: Slack's `error` or WeChat's `errcode`; the call has no effect.

    WeChat's errcode is a number, or a string as in some of its APIs. `Code(0)` is the usual answer.
    """

    code: int | str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; the call has no effect."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Status:
    """Any HTTP response, as from a gateway or a proxy; with `after_effect`, the call has its effect first."""

    code: int
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    content_type: str = "text/html"
    after_effect: bool = False
    location: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """Raw bytes in place of a response, then the connection closes; with `after_effect`, the call has its effect first.

    A complete response should have `Connection: close`; else the client may reuse a connection that is closed.
    """

    sent: bytes
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Huge:
    """A body of this many bytes, optionally sent as a small gzip; the call has no effect."""

    after_effect: ClassVar = False
    bytes: int
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed, or reset (RST), after this share of the usual response, from 0 to 1.

    The call has its effect with `after_effect`, and whenever a part of the response is sent.
    """

    after_effect: bool = False
    part: float = 0.0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The usual response after this many seconds, or once the faults are cleared; with None, only then.

    The call has its effect after the silence; with `after_effect`, before it.
    """

    seconds: float | None = None
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence as for Slow, then the connection closes; the call has no effect."""

    after_effect: ClassVar = False
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Drip:
    """The usual response, one byte at a time; the call has its effect."""

    after_effect: ClassVar = True
    seconds_per_byte: float


Fault: TypeAlias = Code | RateLimited | Status | Raw | Huge | Drop | Slow | Hang | Drip


@dataclass(slots=True, eq=False)
class Planned:
    """A fault that waits for calls: how many it affects (None: all until it is cleared), and until when.

    It affects only calls with these arguments. `until` is a time on the stand-in's clock.
    """

    fault: Fault
    times: int | None = 1
    until: float | None = None
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[bool, bool]:
        """Sort key: faults for certain arguments first, permanent ones last."""
        return not self.only, self.times is None

    def fits(self, args: Mapping[str, Json]) -> bool:
        """Return whether it affects a call with these arguments."""
        return all(args.get(name) == value for name, value in self.only.items())


class Faults:
    """The planned faults of a stand-in, by method; `clock` returns seconds.

    A method can be named by its path: `/tcb/shareenv` is `shareenv`.
    """

    def __init__(self, methods: Collection[str], clock: Callable[[], float]) -> None:
        self._planned: dict[str, list[Planned]] = {_name(method): [] for method in methods}
        self._cleared: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._clock = clock

    def __iter__(self) -> Iterator[tuple[str, Planned]]:
        """Iterate over all planned faults, with their methods."""
        return ((method, each) for method in self._planned for each in self._due(method))

    def plan(
        self,
        method: str,
        *faults: Fault,
        times: int | None = 1,
        until: float | None = None,
        **only: str,
    ) -> None:
        """Plan faults for the next calls of a method, in order; `only` restricts them to calls with these arguments."""
        self._of(method).extend(Planned(fault, times, until, only) for fault in faults)

    def clear(self, method: str | None = None, **only: str) -> None:
        """Remove planned faults, of one method or for certain arguments; calls that are silent go on at once."""
        for each in list(self._planned) if method is None else [_name(method)]:
            self._of(each)[:] = [
                planned for planned in self._of(each) if not only.items() <= planned.only.items()
            ]
            self._cleared.pop(each, asyncio.Event()).set()

    def meet(self, method: str, args: Mapping[str, Json]) -> Fault | None:
        """Return the fault for a call and count it down; None for the usual answer."""
        if not self._planned.get(_name(method)):
            return None
        due = self._due(method)
        met = min((each for each in due if each.fits(args)), key=lambda p: p.order, default=None)
        if met is None:
            return None
        if met.times is not None:
            met.times -= 1
            if not met.times:
                due.remove(met)
        return met.fault

    def cleared(self, method: str) -> asyncio.Event:
        """Return the event that is set when this method's faults are cleared."""
        return self._cleared[_name(method)]

    def _due(self, method: str) -> list[Planned]:
        planned, now = self._of(method), self._clock()
        planned[:] = [each for each in planned if each.until is None or now < each.until]
        return planned

    def _of(self, method: str) -> list[Planned]:
        try:
            return self._planned[_name(method)]
        except KeyError:
            raise ValueError(f"there is no method {method}") from None


def _name(method: str) -> str:
    return method.rpartition("/")[2]
