"""The Web API over HTTP: parsing calls and building responses."""

import contextlib
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.loopback import JsonObject, json_object
from bot.playground.slack.calls import Called, Calls
from bot.playground.slack.methods import Method, call
from bot.playground.slack.refusals import RefusedError, granted, token_kind
from bot.playground.slack.workspace import Workspace

JSON_TYPE = "application/json; charset=utf-8"


class WebApi:
    """Answers calls by GET or POST, with arguments as JSON, a form or a query."""

    def __init__(self, workspace: Workspace, methods: Mapping[str, Method], calls: Calls) -> None:
        self._workspace = workspace
        self._methods = methods
        self._calls = calls

    async def answer(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        """Answer a call of a method; a token in the header takes precedence over one in the arguments."""
        raw = await request.read()
        args: JsonObject = {**request.query, **_arguments(request, raw)}
        given = args.pop("token", None)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            token = given if isinstance(given, str) else ""
        token = token.strip()

        def run() -> web.Response:
            body = call(self._workspace, self._methods, name, token, args)
            return self._response(token, body, 200)

        def no(refused: RefusedError, status: int | None) -> web.Response:
            body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
            return self._response(token, body, status or 200)

        return await self._calls.answer(request, Called(name, args, run, no, 200, args, raw))

    def _response(self, token: str, body: JsonObject, status: int) -> web.Response:
        headers = {"Content-Type": JSON_TYPE}
        with contextlib.suppress(RefusedError):  # an unknown token has no scopes
            kind = token_kind(self._workspace.world, token)
            headers["x-oauth-scopes"] = ",".join(granted(self._workspace.scopes, kind))
        return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)


def _arguments(request: web.BaseRequest, raw: bytes) -> JsonObject:
    if request.content_type != "application/json":
        return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return json_object(raw) or {}
