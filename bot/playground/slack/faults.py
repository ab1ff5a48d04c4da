"""The ways in which a call of the stand-in Slack can be made to go wrong."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bot.playground.loopback import Json


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; nothing is done, and to write the same before they are over is a violation."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class ServerError:
    """An HTML page with a 5xx status; with `after_effect` the call was carried out before."""

    status: int = 503
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection closes without an answer; with `after_effect` the call was carried out."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Hangs:
    """Silence for some seconds, and then the usual answer.

    The call is recorded when the silence begins, with the error "hangs", and when it is answered.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuses:
    """`ok: false` with this error; nothing is done."""

    error: str


@dataclass(frozen=True, slots=True)
class Answers:
    """HTTP 200 with a body that Slack would not send; nothing is done."""

    body: bytes
    content_type: str = "application/json"


Fault: TypeAlias = RateLimited | ServerError | Dropped | Hangs | Refuses | Answers


@dataclass(frozen=True, slots=True)
class _Limit:
    body: bytes
    until: float


class Waiting:
    """The faults that wait for their calls, by method; each meets one call.

    `violated` is told of each call with the same body that comes earlier than Slack asked; another one's maker may know
    of no limit, and what is only read, without a body, somebody else may have asked for. `clock` returns seconds.
    """

    def __init__(self, clock: Callable[[], float], violated: Callable[[str], None]) -> None:
        self._waiting: defaultdict[str, list[tuple[Fault, Mapping[str, str]]]] = defaultdict(list)
        self._limits: defaultdict[str, list[_Limit]] = defaultdict(list)
        self._clock = clock
        self._violated = violated

    def add(self, method: str, faults: tuple[Fault, ...], only: Mapping[str, str]) -> None:
        """Let the next calls of a method go wrong, or the next with these arguments."""
        self._waiting[method].extend((fault, only) for fault in faults)

    def meet(self, method: str, args: Mapping[str, Json], body: bytes) -> Fault | None:
        """Return the fault that this call meets, which waits no more."""
        now = self._clock()
        limits = self._limits[method] = [each for each in self._limits[method] if each.until > now]
        if body and any(limit.body == body for limit in limits):
            self._violated(f"{method}: called again before Slack's Retry-After was over")
        waiting = self._waiting.get(method, [])
        for at, (fault, only) in enumerate(waiting):
            if all(args.get(name) == value for name, value in only.items()):
                del waiting[at]
                if isinstance(fault, RateLimited):
                    self._limits[method].append(_Limit(body, now + fault.retry_after))
                return fault
        return None
