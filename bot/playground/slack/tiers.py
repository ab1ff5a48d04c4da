"""Which calls the stand-in Slack does not answer as usual: those with a fault, and those beyond a method's limit.

Source: docs.slack.dev, apis/web-api/rate-limits, and “Rate limits” of each method's page. Slack promises the least of a
tier and tolerates bursts; here the least is the most, in any minute.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from bot.playground.faults import Fault, Faults, Hang, RateLimited, Slow, Status
from bot.playground.loopback import Json

TIER_2, TIER_3, TIER_4 = 20, 50, 100
A_SECOND = 60
"""The special limit of chat.postMessage, for each channel: one a second, with bursts."""
TIERS = {
    "apps.connections.open": TIER_3,
    "chat.delete": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": A_SECOND,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}
"""Calls in a minute; auth.test allows hundreds, and has none here."""
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class _Wait:
    method: str
    body: bytes
    until: float


class Limits:
    """Meets each call with its fault or, once it is `on`, its method's limit; `clock` returns seconds.

    `violated` is told of each call with the same body that comes earlier than Slack asked; another one's maker may know
    of no limit, and what is only read, without a body, somebody else may have asked for.
    """

    def __init__(
        self, faults: Faults, clock: Callable[[], float], violated: Callable[[str], None]
    ) -> None:
        self.on = False
        self.faults = faults
        self._clock = clock
        self._violated = violated
        self._waits: list[_Wait] = []
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def meet(self, method: str, args: Mapping[str, Json], body: bytes) -> Fault | None:
        """Count a call, and return what it meets; one that comes too early is not counted."""
        now = self._clock()
        self._waits = [each for each in self._waits if each.until > now]
        if body and any((each.method, each.body) == (method, body) for each in self._waits):
            self._violated(f"{method}: called again before Slack's Retry-After was over")
        fault = self.faults.meet(method, args)
        if isinstance(fault, RateLimited):
            self._waits.append(_Wait(method, body, now + fault.retry_after))
        return fault or self._counted(method, args, now)

    def _counted(self, method: str, args: Mapping[str, Json], now: float) -> RateLimited | None:
        most = TIERS.get(method)
        if most is None or not self.on:
            return None
        channel = args.get("channel") if method == "chat.postMessage" else ""
        calls = self._calls[method, str(channel)]
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= most:
            return RateLimited(ceil(calls[0] + _MINUTE - now))
        calls.append(now)
        return None


def lost(fault: Fault) -> tuple[str, int]:
    """Return the error and the status under which a call is recorded whose usual answer is not heard."""
    match fault:
        case Slow() | Hang():
            return "hangs", 0
        case Status(code):
            return "not an answer", code
        case _:
            return "dropped", 0
