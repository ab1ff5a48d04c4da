"""Which calls the stand-in Slack does not answer as usual: those with a fault, and those beyond a method's limit.

Source: docs.slack.dev, apis/web-api/rate-limits: limits hold in a workspace for an app, whoever it is called for.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from math import ceil

from bot.playground.faults import Fault, Faults, RateLimited
from bot.playground.loopback import Json

_MINUTE = 60.0


class Limits:
    """Meets each call with its fault or, once it is `on`, with its method's limit of calls `a_minute`.

    `violated` is told of each call with the same body that comes earlier than Slack asked; another one's maker may know
    of no limit, and what is only read, without a body, somebody else may have asked for. `clock` returns seconds.
    """

    def __init__(
        self,
        faults: Faults,
        a_minute: Mapping[str, int | None],
        clock: Callable[[], float],
        violated: Callable[[str], None],
    ) -> None:
        self.on = False
        self._a_minute = a_minute
        self.faults = faults
        self._clock = clock
        self._violated = violated
        self._waits: dict[tuple[str, bytes], float] = {}
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def meet(self, method: str, args: Mapping[str, Json], body: bytes) -> Fault | None:
        """Count a call, and return what it meets; one that comes too early is not counted."""
        now = self._clock()
        if body and now < self._waits.get((method, body), now):
            self._violated(f"{method}: called again before Slack's Retry-After was over")
        fault = self.faults.meet(method, args)
        if isinstance(fault, RateLimited):
            self._waits[method, body] = now + fault.retry_after
        return fault or self._counted(method, args, now)

    def _counted(self, method: str, args: Mapping[str, Json], now: float) -> RateLimited | None:
        most = self._a_minute.get(method)
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
