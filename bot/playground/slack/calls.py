"""Limit, answer (as usual or with a fault) and record calls of the Web API and of response_urls.

Source: docs.slack.dev, apis/web-api/rate-limits: limits apply per app and workspace, not per token.
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
    """Returns the fault for each call; once it is `on`, also rate-limits each method to its calls `a_minute`.

    `violated` is called when a call with the same body is repeated before its Retry-After. Other calls are not reported:
    their callers may not know of the limit. `clock` returns seconds.
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
        """Count a call and return its fault, if any; a rate-limited call is not counted."""
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
    """One call: `run` performs it and answers, or raises RefusedError, which `no` turns into a response.

    `coded` is the HTTP status for an error that a fault demands. Faults match `meets`; calls with the same `body` are
    repetitions.
    """

    method: str
    args: JsonObject
    run: Callable[[], web.Response]
    no: Callable[[RefusedError, int | None], web.Response]
    coded: int
    meets: JsonObject
    body: bytes


class Calls:
    """Answers calls one by one."""

    def __init__(self, workspace: Workspace, loopback: Loopback, limits: Limits) -> None:
        self._workspace = workspace
        self._loopback = loopback
        self._limits = limits

    async def answer(self, request: web.BaseRequest, called: Called) -> web.StreamResponse:
        """Answer a call, with the planned fault for its method, or with a 429 if it comes too early."""

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
    """Return the error and the status to record for a call whose usual response was not sent."""
    match fault:
        case Slow() | Hang():
            return "hangs", 0
        case Status(code):
            return "not an answer", code
        case _:
            return "dropped", 0
