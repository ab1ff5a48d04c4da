"""How calls of the Web API and of response_urls are answered, as usual or with what limits them, and recorded."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from bot.playground.faults import Code, Fault, Hang, RateLimited, Slow, Status
from bot.playground.loopback import JsonObject, Loopback
from bot.playground.slack.limits import Limits
from bot.playground.slack.refusals import RefusedError
from bot.playground.slack.transcript import ApiCall
from bot.playground.slack.workspace import Workspace
from bot.playground.wire import Service, answer


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
