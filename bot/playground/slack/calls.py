"""Calls of the Web API: how they are parsed, the form of their responses, and Slack's rate limits.

Source: docs.slack.dev, apis/web-api/rate-limits: limits apply per app and workspace, not per token.
"""

import contextlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil

from aiohttp import web

from bot.playground.faults import Fault, Faults, RateLimited
from bot.playground.loopback import Json, JsonObject, json_object
from bot.playground.slack.methods import METHODS, call
from bot.playground.slack.refusals import RefusedError, granted, token_kind
from bot.playground.slack.workspace import Workspace

_JSON = "application/json; charset=utf-8"
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Called:
    """One call of the Web API or of a response_url: `run` performs it and answers, or raises RefusedError, which `no` turns into a response.

    Faults match `meets`; calls with the same `body` are repetitions.
    """

    method: str
    args: JsonObject
    meets: JsonObject
    body: bytes
    run: Callable[[], web.Response]
    no: Callable[[RefusedError], web.Response]


def api_call(workspace: Workspace, request: web.BaseRequest, raw: bytes) -> Called:
    """Return the call of a method by GET or POST, with arguments as JSON or as a query."""
    name = request.path.removeprefix("/api/")
    token = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
    args: JsonObject = {**request.query, **(json_object(raw) or {})}

    def run() -> web.Response:
        return _response(workspace, token, call(workspace, name, token, args))

    def no(refused: RefusedError) -> web.Response:
        body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
        return _response(workspace, token, body)

    return Called(name, args, args, raw, run, no)


def _response(workspace: Workspace, token: str, body: JsonObject) -> web.Response:
    headers = {"Content-Type": _JSON}
    with contextlib.suppress(RefusedError):  # an unknown token has no scopes
        kind = token_kind(workspace.world, token)
        headers["x-oauth-scopes"] = ",".join(granted(workspace.scopes, kind))
    return web.Response(body=json.dumps(body).encode(), headers=headers)


class Limits:
    """Returns the fault for each call; once it is `on`, also rate-limits each method to its calls a minute.

    `violated` is called when a call with the same body is repeated before its Retry-After. Other calls are not reported:
    their callers may not know of the limit. `clock` returns seconds.
    """

    def __init__(
        self, faults: Faults, clock: Callable[[], float], violated: Callable[[str], None]
    ) -> None:
        self.on = False
        self._faults = faults
        self._clock = clock
        self._violated = violated
        self._waits: dict[tuple[str, bytes], float] = {}
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def meet(self, called: Called) -> Fault | None:
        """Count a call and return its fault, if any; a rate-limited call is not counted."""
        now, same = self._clock(), (called.method, called.body)
        if called.body and now < self._waits.get(same, now):
            self._violated(f"{called.method}: called again before Slack's Retry-After was over")
        fault = self._faults.meet(called.method, called.meets)
        if isinstance(fault, RateLimited):
            self._waits[same] = now + fault.retry_after
        return fault or self._counted(called.method, called.args, now)

    def _counted(self, method: str, args: Mapping[str, Json], now: float) -> RateLimited | None:
        most = METHODS[method].a_minute if method in METHODS else None
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
