"""Calls of the Web API over HTTP: how they are parsed, and the form of their responses."""

import contextlib
import json
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.loopback import JsonObject, json_object
from bot.playground.slack.calls import Called
from bot.playground.slack.methods import call
from bot.playground.slack.refusals import RefusedError, granted, token_kind
from bot.playground.slack.workspace import Workspace

JSON_TYPE = "application/json; charset=utf-8"


def api_call(workspace: Workspace, request: web.BaseRequest, raw: bytes) -> Called:
    """Return the call of a method by GET or POST, with arguments as JSON, a form or a query."""
    name = request.path.removeprefix("/api/")
    token = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
    args: JsonObject = {**request.query, **_arguments(request, raw)}

    def run() -> web.Response:
        return _response(workspace, token, call(workspace, name, token, args))

    def no(refused: RefusedError) -> web.Response:
        body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
        return _response(workspace, token, body)

    return Called(name, args, args, raw, run, no)


def _response(workspace: Workspace, token: str, body: JsonObject) -> web.Response:
    headers = {"Content-Type": JSON_TYPE}
    with contextlib.suppress(RefusedError):  # an unknown token has no scopes
        kind = token_kind(workspace.world, token)
        headers["x-oauth-scopes"] = ",".join(granted(workspace.scopes, kind))
    return web.Response(body=json.dumps(body).encode(), headers=headers)


def _arguments(request: web.BaseRequest, raw: bytes) -> JsonObject:
    if request.content_type != "application/json":
        return dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
    return json_object(raw) or {}
