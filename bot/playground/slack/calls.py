"""Calls of the Web API and of a command's response_url: how they are parsed and answered, and Slack's rate limits.

Source: docs.slack.dev, apis/web-api/rate-limits: limits apply per app and workspace, not per token.
"""

import contextlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from urllib.parse import parse_qsl

from aiohttp import web

from bot.playground.faults import Fault, Faults, RateLimited
from bot.playground.loopback import Json, JsonObject, json_object
from bot.playground.slack.chat import drafted, edit
from bot.playground.slack.methods import METHODS, call
from bot.playground.slack.refusals import (
    RefusedError,
    flag_argument,
    granted,
    text_argument,
    token_kind,
)
from bot.playground.slack.transcript import Via
from bot.playground.slack.workspace import Workspace

_JSON = "application/json; charset=utf-8"
_FORM = "application/x-www-form-urlencoded"
_STRUCTURED = {"blocks", "message", "metadata", "view"}
_MINUTE = 60.0
RESPONSE_URL = "response_url"
MAX_USES = 5
LIFETIME = 30 * 60
_GONE = ("used_url", "expired_url", "message_not_found")


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
    """Return the call of a method by GET or POST, with the token in the header or in a form."""
    form = dict(parse_qsl(raw.decode())) if request.content_type == _FORM else {}
    header = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
    token = form.pop("token", header)
    name, args = request.path.removeprefix("/api/"), _arguments(request, form, raw)

    def run() -> web.Response:
        return _response(workspace, token, call(workspace, name, token, args))

    def no(refused: RefusedError) -> web.Response:
        body: JsonObject = {"ok": False, "error": refused.error, **refused.details}
        return _response(workspace, token, body)

    return Called(name, args, args, raw, run, no)


def _arguments(request: web.BaseRequest, form: Mapping[str, str], raw: bytes) -> JsonObject:
    """Return arguments given as JSON, or as a form or query, where structured ones are JSON in a string."""
    args: JsonObject = {**request.query, **(form or json_object(raw) or {})}
    for name in _STRUCTURED & args.keys():
        if isinstance(given := args[name], str):
            with contextlib.suppress(ValueError):  # the method refuses what is not JSON
                args[name] = json.loads(given)
    return args


def _response(workspace: Workspace, token: str, body: JsonObject) -> web.Response:
    headers = {"Content-Type": _JSON}
    with contextlib.suppress(RefusedError):  # an unknown token has no scopes
        kind = token_kind(workspace.world, token)
        headers["x-oauth-scopes"] = ",".join(granted(workspace.scopes, kind))
    return web.Response(body=json.dumps(body).encode(), headers=headers)


class Limits:
    """Returns the fault for each call; once it is `on`, also rate-limits each method to its calls a minute.

    A call with the same body that is repeated before its Retry-After is a violation. Other calls are not: their callers may
    not know of the limit.
    """

    def __init__(self, workspace: Workspace, faults: Faults) -> None:
        self.on = False
        self._workspace = workspace
        self._faults = faults
        self._waits: dict[tuple[str, bytes], float] = {}
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def meet(self, called: Called) -> Fault | None:
        """Count a call and return its fault, if any; a rate-limited call is not counted."""
        now, same = self._workspace.clock(), (called.method, called.body)
        if called.body and now < self._waits.get(same, now):
            early = f"{called.method}: called again before Slack's Retry-After was over"
            self._workspace.violations.append(early)
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


def show(workspace: Workspace, body: JsonObject, channel: str, user: str, via: Via) -> None:
    """Show a response to one person; raise RefusedError if it is invalid, or for others to see, as the bot's never are."""
    if body.get("response_type", "ephemeral") != "ephemeral":
        raise RefusedError("invalid_response_type")
    message = drafted(workspace, body, channel)
    thread_ts = text_argument(body, "thread_ts") or None
    workspace.whisper(replace(message, thread_ts=thread_ts, ephemeral_to=user, via=via))


def show_ack(workspace: Workspace, body: JsonObject, command: JsonObject) -> None:
    """Show the message in a command's ack; an invalid body is not shown but recorded as a violation."""
    try:
        show(workspace, body, str(command["channel_id"]), str(command["user_id"]), "ack")
    except RefusedError as refused:
        workspace.violations.append(f"ack: {refused.error} {json.dumps(refused.details)}")
        workspace.changed()


@dataclass(slots=True)
class _Hook:
    channel: str
    user: str
    expires: float
    original: str = ""
    uses: int = 0


class ResponseUrls:
    """The response_url of each command: five uses within thirty minutes.

    Source: docs.slack.dev, handling-user-interaction: it does not need membership in the channel, and its response is a
    plain `ok` without a timestamp.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._hooks: dict[str, _Hook] = {}

    def open(self, channel: str, user: str, original: str = "") -> str:
        """Return the path of a new response_url for one person in one channel.

        `original` is the ts of the clicked message, which it can replace, even an ephemeral one.
        """
        kind = "actions" if original else "commands"
        path = f"/{kind}/{self._workspace.world.team_id}/{len(self._hooks) + 1}/made-up"
        expires = self._workspace.clock() + LIFETIME
        self._hooks[path] = _Hook(channel, user, expires, original)
        return path

    def call(self, path: str, raw: bytes) -> Called:
        """Return the call that shows what was posted to a response_url; faults for it are planned by person."""
        args, hook = json_object(raw), self._hooks.get(path)

        def run() -> web.Response:
            if args is None:
                raise RefusedError("invalid_payload")
            if hook is None or self._workspace.clock() >= hook.expires:
                raise RefusedError("expired_url")
            self._use(hook, args)
            return web.Response(text="ok")

        def no(refused: RefusedError) -> web.Response:
            status = 404 if refused.error in _GONE else 400
            return web.json_response({"ok": False, "error": refused.error}, status=status)

        meets: JsonObject = {"user": hook.user} if hook else {}
        return Called(RESPONSE_URL, args or {}, meets, path.encode() + raw, run, no)

    def _use(self, hook: _Hook, args: JsonObject) -> None:
        if hook.uses >= MAX_USES:
            raise RefusedError("used_url")
        said = "replace_original" in args
        if hook.original and (flag_argument(args, "replace_original") or not said):
            message = self._workspace.at(hook.channel, hook.original)
            if message is None:
                raise RefusedError("message_not_found")
            edit(self._workspace, message, args)
        else:
            show(self._workspace, args, hook.channel, hook.user, "response_url")
        hook.uses += 1
