"""Fault injection for both stand-ins: what can go wrong with a call, and which calls are affected."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from bot.playground.loopback import Json


@dataclass(frozen=True, slots=True)
class Code:
    """The API's own error, with HTTP 200: Slack's `error` or WeChat's `errcode`; the call has no effect.

    WeChat's errcode is a number, or a string as in some of its APIs. `Code(0)` is the usual answer.
    """

    after_effect: ClassVar = False
    code: int | str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; the call has no effect."""

    after_effect: ClassVar = False
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


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A fault that waits for one call, or for all until it is cleared; only for calls with these arguments."""

    fault: Fault
    lasts: bool
    only: Mapping[str, str]


class Faults:
    """The planned faults of a stand-in, by method, which can be named by its path: `/tcb/shareenv` is `shareenv`."""

    def __init__(self, methods: Collection[str]) -> None:
        self._planned: dict[str, list[Planned]] = {_name(method): [] for method in methods}
        self._cleared: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def __iter__(self) -> Iterator[tuple[str, Fault]]:
        """Iterate over all planned faults, with their methods."""
        return ((method, each.fault) for method, all_ in self._planned.items() for each in all_)

    def plan(self, method: str, *faults: Fault, times: int | None = 1, **only: str) -> None:
        """Plan faults for the next calls of a method, in order: each for so many calls, or None for all until it is cleared.

        `only` restricts them to calls with these arguments.
        """
        try:
            planned = self._planned[_name(method)]
        except KeyError:
            raise ValueError(f"there is no method {method}") from None
        for fault in faults:
            planned += [Planned(fault, times is None, only) for _ in range(times or 1)]

    def clear(self, method: str | None = None, **only: str) -> None:
        """Remove planned faults, of one method or for certain arguments; calls that are silent go on at once."""
        for each in list(self._planned) if method is None else [_name(method)]:
            self._planned[each] = [
                planned
                for planned in self._planned[each]
                if not only.items() <= planned.only.items()
            ]
            self._cleared.pop(each, asyncio.Event()).set()

    def meet(self, method: str, args: Mapping[str, Json]) -> Fault | None:
        """Return the fault for a call, and remove it unless it lasts; None for the usual answer.

        Those for certain arguments come first, and lasting ones last.
        """
        planned = self._planned.get(_name(method), [])
        fitting = [each for each in planned if each.only.items() <= args.items()]
        if not fitting:
            return None
        met = min(fitting, key=lambda each: (not each.only, each.lasts))
        if not met.lasts:
            planned.remove(met)
        return met.fault

    def cleared(self, method: str) -> asyncio.Event:
        """Return the event that is set when this method's faults are cleared."""
        return self._cleared[_name(method)]


def _name(method: str) -> str:
    return method.rpartition("/")[2]
