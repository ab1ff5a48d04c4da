"""How calls of the Web API and of response_urls are limited, answered, as usual or not, and recorded.

Source: docs.slack.dev, apis/web-api/rate-limits: limits hold in a workspace for an app, whoever it is called for.
"""

import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from aiohttp import web

from bot.playground.faults import Code, Fault, Faults, Hang, RateLimited, Slow, Status
from bot.playground.loopback import Json, JsonObject, Loopback
from bot.playground.slack.refusals import RefusedError
from bot.playground.slack.transcript import ApiCall
from bot.playground.slack.workspace import Workspace
from bot.playground.wire import Service, answer

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


@dataclass(frozen=True, slots=True)
class Called:
    """One call: `run` does what was asked and answers, or raises RefusedError, of which `no` makes an answer.

    `coded` is the status of an error that a fault asks for. A fault looks at `meets`, and `body` tells that the same
    call comes again.
    """

    method: str
    args: JsonObject
    run: Callable[[], web.Response]
    no: Callable[[RefusedError, int | None], web.Response]
    coded: int
    meets: JsonObject
    body: bytes


class Calls:
    """Answers one call after the other."""

    def __init__(self, workspace: Workspace, loopback: Loopback, limits: Limits) -> None:
        self._workspace = workspace
        self._loopback = loopback
        self._limits = limits

    async def answer(self, request: web.BaseRequest, called: Called) -> web.StreamResponse:
        """Answer a call, with the next fault that is planned for its method, unless it comes too early."""

        def record(error: str | None, status: int = 200) -> None:
            self._workspace.record(ApiCall(called.method, called.args, error, status))

        def no(error: RefusedError, status: int | None = None) -> web.Response:
            response = called.no(error, status)
            record(error.error, response.status)
            return response

        def usual() -> web.Response:
            try:
                response = called.run()
            except RefusedError as error:
                return no(error)
            record(None)
            return response

        def refused(fault: Code | RateLimited) -> web.Response:
            if isinstance(fault, Code):
                return no(RefusedError(str(fault.code)), called.coded)
            response = no(RefusedError("ratelimited"), 429)
            response.headers["Retry-After"] = str(fault.retry_after)
            return response

        def done(fault: Fault) -> None:
            with contextlib.suppress(RefusedError):
                called.run()
            record(*_lost(fault))

        fault = self._limits.meet(called.method, called.meets, called.body)
        cleared = self._limits.faults.cleared(called.method)
        service = Service(usual, refused, lambda fault: record(*_lost(fault)), done, cleared)
        return await answer(fault, request, self._loopback, service)


def _lost(fault: Fault) -> tuple[str, int]:
    """Return the error and the status that are recorded for a call whose usual answer was not sent."""
    match fault:
        case Slow() | Hang():
            return "hangs", 0
        case Status(code):
            return "not an answer", code
        case _:
            return "dropped", 0
