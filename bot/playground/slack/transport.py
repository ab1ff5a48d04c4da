"""How a call of the Web API arrives and leaves, and the faults that can meet it on the way."""

import contextlib
import json
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.loopback import JsonObject, Loopback, cut
from bot.playground.slack.faults import (
    Answers,
    Dropped,
    Fault,
    Hangs,
    RateLimited,
    Refuses,
    ServerError,
    Waiting,
)
from bot.playground.slack.refused import RefusedError
from bot.playground.slack.rules import granted, token_kind
from bot.playground.slack.tiers import Tiers
from bot.playground.slack.transcript import Call
from bot.playground.slack.web import Method, call
from bot.playground.slack.workspace import Workspace

JSON_TYPE = "application/json; charset=utf-8"
ERROR_PAGE = "<!DOCTYPE html><html><body><h1>Server Error</h1></body></html>"


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    token: str
    args: JsonObject


class WebApi:
    """The Web API over HTTP: GET or POST, as JSON, a form or a query."""

    def __init__(
        self, workspace: Workspace, loopback: Loopback, methods: dict[str, Method]
    ) -> None:
        self.faults = Waiting(workspace.clock, workspace.violations.append)
        self.tiers = Tiers(workspace.clock)
        self.methods = methods
        self._workspace = workspace
        self._loopback = loopback

    async def answer(self, request: web.BaseRequest, name: str) -> web.Response:
        """Answer a call, with the next fault that is queued for its method, unless it comes too early."""
        asked = await _asked(request, name)
        fault = self.faults.meet(name, asked.args, await request.read())
        fault = fault or self.tiers.meet(name, asked.args)
        if fault is None:
            return self._answered(asked)
        return await self._failed(request, asked, fault)

    def _answered(self, asked: _Asked) -> web.Response:
        try:
            body = self._run(asked)
        except RefusedError as refused:
            return self._refused(asked, refused)
        self._record(asked, None)
        return self._response(asked, body)

    async def _failed(self, request: web.BaseRequest, asked: _Asked, fault: Fault) -> web.Response:
        match fault:
            case Hangs(seconds):
                self._record(asked, "hangs", 0)
                stayed = await self._loopback.hold(seconds)
                return self._answered(asked) if stayed else cut(request)
            case RateLimited(retry_after):
                response = self._refused(asked, RefusedError("ratelimited"), 429)
                response.headers["Retry-After"] = str(retry_after)
                return response
            case Refuses(error):
                return self._refused(asked, RefusedError(error))
            case ServerError(status, after_effect):
                self._lost(asked, "server_error", status, after_effect)
                return web.Response(status=status, text=ERROR_PAGE, content_type="text/html")
            case Dropped(after_effect):
                self._lost(asked, "dropped", 0, after_effect)
                return cut(request)
            case Answers(body, content_type):
                self._record(asked, "not an answer")
                return web.Response(body=body, content_type=content_type)
            case _:
                assert_never(fault)

    def _run(self, asked: _Asked) -> JsonObject:
        return call(self._workspace, self.methods, asked.name, asked.token, asked.args)

    def _refused(self, asked: _Asked, refused: RefusedError, status: int = 200) -> web.Response:
        self._record(asked, refused.error, status)
        body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
        return self._response(asked, body, status)

    def _lost(self, asked: _Asked, error: str, status: int, after_effect: bool) -> None:
        if after_effect:
            with contextlib.suppress(RefusedError):
                self._run(asked)
        self._record(asked, error, status)

    def _record(self, asked: _Asked, error: str | None, status: int = 200) -> None:
        self._workspace.record(Call(asked.name, asked.args, error, status))

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
