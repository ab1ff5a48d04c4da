"""The faults of both stand-ins: what can go wrong with a call, and which of their calls it meets."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bot.playground.loopback import Json


@dataclass(frozen=True, slots=True)
class Code:
    """The API's own error, with HTTP 200: Slack's `error` or WeChat's `errcode`; nothing is done.

    WeChat's errcode is a number, or a text as some of its APIs send it. `Code(0)` is the usual answer.
    """

    code: int | str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; nothing is done."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Status:
    """Any HTTP answer, as a gateway or a proxy gives it; with `after_effect` what was asked is done."""

    code: int
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    content_type: str = "text/html"
    after_effect: bool = False
    location: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes in place of an answer, then the end of the connection; with `after_effect` what was asked is done.

    A whole answer should announce the end (Connection: close), else the next call may use a connection that is dead.
    """

    sent: bytes
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Huge:
    """A body of so many bytes, packed into a small one by gzip on demand; nothing is done."""

    bytes: int
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection closes, or is reset (RST), after so much of the usual answer, from 0 to 1.

    What was asked is done with `after_effect`, and wherever a part of the answer is sent.
    """

    after_effect: bool = False
    part: float = 0.0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The usual answer after so many seconds, or once the faults are cleared; None waits for that alone.

    What was asked is done after the silence, or with `after_effect` before it.
    """

    seconds: float | None = None
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence as for Slow, and then the connection closes; nothing is done."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Drip:
    """The usual answer, one byte at a time; what was asked is done."""

    seconds_per_byte: float


Fault: TypeAlias = Code | RateLimited | Status | Raw | Huge | Drop | Slow | Hang | Drip


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that waits for calls: how often it comes (None: until it is cleared), and until when.

    It meets only calls that have these arguments. `until` is a time of the stand-in's clock.
    """

    fault: Fault
    times: int | None = 1
    until: float | None = None
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[bool, bool]:
        """What is planned for certain arguments comes first, and what stays comes last."""
        return not self.only, self.times is None

    def fits(self, args: Mapping[str, Json]) -> bool:
        """Tell whether a call with these arguments meets it."""
        return all(args.get(name) == value for name, value in self.only.items())


class Faults:
    """What is planned for each method of a stand-in; `clock` returns seconds.

    A method may be named by its path: `/tcb/shareenv` is `shareenv`.
    """

    def __init__(self, methods: Collection[str], clock: Callable[[], float]) -> None:
        self._planned: dict[str, list[Planned]] = {_name(method): [] for method in methods}
        self._cleared: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._clock = clock

    def __iter__(self) -> Iterator[tuple[str, Planned]]:
        """Return all that is planned, with its method."""
        return ((method, each) for method in self._planned for each in self._due(method))

    def plan(
        self,
        method: str,
        *faults: Fault,
        times: int | None = 1,
        until: float | None = None,
        **only: str,
    ) -> None:
        """Let the next calls of a method go wrong, those with these arguments: each fault so often, in turn."""
        self._of(method).extend(Planned(fault, times, until, only) for fault in faults)

    def clear(self, method: str | None = None, **only: str) -> None:
        """Take away what is planned, of one method, for these arguments; silent calls of it go on at once."""
        for each in list(self._planned) if method is None else [_name(method)]:
            self._of(each)[:] = [
                planned for planned in self._of(each) if not only.items() <= planned.only.items()
            ]
            self._cleared.pop(each, asyncio.Event()).set()

    def meet(self, method: str, args: Mapping[str, Json]) -> Fault | None:
        """Return the fault that a call meets, which has then come once more; None for the usual answer."""
        if not self._planned.get(_name(method)):
            return None
        due = self._due(method)
        met = min((each for each in due if each.fits(args)), key=lambda p: p.order, default=None)
        if met is None:
            return None
        if met.times is not None:
            at = next(at for at, each in enumerate(due) if each is met)
            due[at : at + 1] = [replace(met, times=met.times - 1)] if met.times > 1 else []
        return met.fault

    def cleared(self, method: str) -> asyncio.Event:
        """Return the event that is set once this method's faults are cleared."""
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
