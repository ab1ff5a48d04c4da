"""The Web API over HTTP: how a call is read, answered and recorded."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.faults import Code, Fault, RateLimited
from bot.playground.loopback import JsonObject, Loopback
from bot.playground.slack.limits import Limits, lost
from bot.playground.slack.methods import Method, call
from bot.playground.slack.refusals import RefusedError, granted, token_kind
from bot.playground.slack.transcript import ApiCall
from bot.playground.slack.workspace import Workspace
from bot.playground.wire import Service, answer

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    token: str
    args: JsonObject


class WebApi:
    """Answers calls by GET or POST, with arguments as JSON, a form or a query."""

    def __init__(
        self,
        workspace: Workspace,
        loopback: Loopback,
        methods: Mapping[str, Method],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._methods = methods
        self._workspace = workspace
        self._loopback = loopback

    async def answer(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        """Answer a call, with the next fault that is planned for its method, unless it comes too early."""
        asked = await _asked(request, name)
        service = Service(
            usual=lambda: self._answered(asked),
            refused=lambda fault: self._no(asked, fault),
            lost=lambda fault: self._record(asked, *lost(fault)),
            done=lambda fault: self._done(asked, fault),
            cleared=self._limits.faults.cleared(name),
        )
        fault = self._limits.meet(name, asked.args, await request.read())
        return await answer(fault, request, self._loopback, service)

    def _answered(self, asked: _Asked) -> web.Response:
        try:
            body = self._run(asked)
        except RefusedError as refused:
            return self._refused(asked, refused)
        self._record(asked, None)
        return self._response(asked, body)

    def _no(self, asked: _Asked, fault: Code | RateLimited) -> web.Response:
        if isinstance(fault, Code):
            return self._refused(asked, RefusedError(str(fault.code)))
        response = self._refused(asked, RefusedError("ratelimited"), 429)
        response.headers["Retry-After"] = str(fault.retry_after)
        return response

    def _run(self, asked: _Asked) -> JsonObject:
        return call(self._workspace, self._methods, asked.name, asked.token, asked.args)

    def _refused(self, asked: _Asked, refused: RefusedError, status: int = 200) -> web.Response:
        self._record(asked, refused.error, status)
        body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
        return self._response(asked, body, status)

    def _done(self, asked: _Asked, fault: Fault) -> None:
        with contextlib.suppress(RefusedError):
            self._run(asked)
        self._record(asked, *lost(fault))

    def _record(self, asked: _Asked, error: str | None, status: int = 200) -> None:
        self._workspace.record(ApiCall(asked.name, asked.args, error, status))

    def _response(self, asked: _Asked, body: JsonObject, status: int = 200) -> web.Response:
        headers = {"Content-Type": JSON_TYPE}
        with contextlib.suppress(RefusedError):  # an unknown token has no scopes to show
            kind = token_kind(self._workspace.world, asked.token)
            headers["x-oauth-scopes"] = ",".join(granted(self._workspace.scopes, kind))
        return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)


async def _asked(request: web.BaseRequest, name: str) -> _Asked:
    """Read the token and the other arguments of a call; the header's token wins."""
    args: JsonObject = dict(request.query)
    raw = await request.read()
    if raw and request.content_type == "application/json":
        args |= _json_arguments(raw)
    elif raw:
        args |= dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    given = args.pop("token", None)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return _Asked(name, token.strip(), args)
    return _Asked(name, given if isinstance(given, str) else "", args)


def _json_arguments(raw: bytes) -> JsonObject:
    try:
        args = json.loads(raw)
    except ValueError:
        return {}
    return args if isinstance(args, dict) else {}
