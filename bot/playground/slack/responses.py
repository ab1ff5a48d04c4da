"""Answers to a command outside of the Web API: the body of its ack, and response_url."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from bot.playground.faults import Code, Fault, RateLimited
from bot.playground.loopback import JsonObject, Loopback
from bot.playground.slack.chat import MAX_TEXT, content
from bot.playground.slack.limits import Limits, lost
from bot.playground.slack.refusals import RefusedError, flag_argument, text_argument
from bot.playground.slack.transcript import ApiCall, PostedMessage, Via
from bot.playground.slack.workspace import Workspace
from bot.playground.wire import Service, answer

NAME = "response_url"
MAX_USES = 5
LIFETIME = 30 * 60


def show(workspace: Workspace, body: JsonObject, channel: str, ephemeral_to: str, via: Via) -> None:
    """Show an answer: to one person, unless it says `in_channel`; RefusedError if it is invalid."""
    said = content(body, MAX_TEXT)
    in_channel = body.get("response_type") == "in_channel"
    message = PostedMessage(
        ts=workspace.next_ts(),
        channel=channel,
        user=workspace.world.bot_user_id,
        text=said.text,
        blocks=said.blocks or (),
        thread_ts=text_argument(body, "thread_ts") or None,
        ephemeral_to=None if in_channel else ephemeral_to,
        via=via,
        metadata=said.metadata,
    )
    if in_channel:
        workspace.post(message)
    else:
        workspace.whisper(message)


def show_ack(workspace: Workspace, body: JsonObject, command: JsonObject) -> None:
    """Show what a command's ack says; an invalid body is not shown, and noted as a violation.

    Source: docs.slack.dev, implementing-slash-commands: an answer with `in_channel` also shows
    what the person typed, even if it says nothing else.
    """
    channel, user = str(command["channel_id"]), str(command["user_id"])
    if body.get("response_type") == "in_channel":
        typed = f"{command['command']} {command['text']}".rstrip()
        workspace.post(PostedMessage(workspace.next_ts(), channel, user, typed, via="slack"))
    if not body.keys() - {"response_type"}:
        return
    try:
        show(workspace, body, channel, user, "ack")
    except RefusedError as refused:
        workspace.violations.append(f"ack: {refused.error} {json.dumps(refused.details)}")
        workspace.changed()


def show_failure(workspace: Workspace, error: str, command: JsonObject) -> None:
    """Show what Slack tells a person whose command got no good answer."""
    workspace.post(
        PostedMessage(
            ts=workspace.next_ts(),
            channel=str(command["channel_id"]),
            user="USLACKBOT",
            text=f'{command["command"]} failed with the error "{error}"',
            ephemeral_to=str(command["user_id"]),
            via="slack",
        )
    )


@dataclass(frozen=True, slots=True)
class _Hook:
    channel: str
    user: str
    expires: float
    original: PostedMessage | None = None
    uses: int = 0


class ResponseUrls:
    """The response_url of each command: five uses in thirty minutes.

    Source: docs.slack.dev, handling-user-interaction: it passes by the rules of posting in a
    channel, and answers with a plain `ok` that holds no timestamp.
    """

    def __init__(
        self,
        workspace: Workspace,
        loopback: Loopback,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._workspace = workspace
        self._loopback = loopback
        self._clock = clock
        self._hooks: dict[str, _Hook] = {}

    def open(self, channel: str, user: str, original: PostedMessage | None = None) -> str:
        """Return the path of a new response_url for one person in one channel.

        `original` is the message that was clicked, which may be replaced.
        """
        kind = "commands" if original is None else "actions"
        path = f"/{kind}/{self._workspace.world.team_id}/{len(self._hooks) + 1}/made-up"
        self._hooks[path] = _Hook(channel, user, self._clock() + LIFETIME, original)
        return path

    async def use(self, request: web.BaseRequest) -> web.StreamResponse:
        """Show what was posted to a response_url, unless a fault waits for its person."""
        raw, hook = await request.read(), self._hooks.get(request.path)
        only, body = {"user": hook.user} if hook else {}, request.path.encode() + raw
        service = Service(
            usual=lambda: self._used(request.path, raw),
            refused=self._no,
            lost=lambda fault: self._record(*lost(fault)),
            done=lambda fault: self._done(request.path, raw, fault),
            cleared=self._limits.faults.cleared(NAME),
        )
        fault = self._limits.meet(NAME, only, body)
        return await answer(fault, request, self._loopback, service)

    def _no(self, fault: Code | RateLimited) -> web.Response:
        if isinstance(fault, Code):
            return self._refused(str(fault.code), 404)
        response = self._refused("ratelimited", 429)
        response.headers["Retry-After"] = str(fault.retry_after)
        return response

    def _done(self, path: str, raw: bytes, fault: Fault) -> None:
        self._used(path, raw)
        self._record(*lost(fault))

    def _used(self, path: str, raw: bytes) -> web.Response:
        args: JsonObject = {}
        try:
            args = _body(raw)
            self._use(path, args)
        except RefusedError as refused:
            gone = refused.error in {"used_url", "expired_url", "message_not_found"}
            return self._refused(refused.error, 404 if gone else 400, args)
        self._record(None, 200, args)
        return web.Response(text="ok")

    def _refused(self, error: str, status: int, args: JsonObject | None = None) -> web.Response:
        self._record(error, status, args)
        return web.json_response({"ok": False, "error": error}, status=status)

    def _record(self, error: str | None, status: int, args: JsonObject | None = None) -> None:
        self._workspace.record(ApiCall(NAME, args or {}, error, status))

    def _use(self, path: str, args: JsonObject) -> None:
        hook = self._hooks.get(path)
        if hook is None or self._clock() >= hook.expires:
            raise RefusedError("expired_url")
        if hook.uses >= MAX_USES:
            raise RefusedError("used_url")
        if hook.original is not None and flag_argument(args, "replace_original"):
            _replace(self._workspace, args, hook.original)
        else:
            show(self._workspace, args, hook.channel, hook.user, "response_url")
        self._hooks[path] = replace(hook, uses=hook.uses + 1)


def _replace(workspace: Workspace, body: JsonObject, original: PostedMessage) -> None:
    """Replace the message that was clicked, an ephemeral one as well."""
    message = workspace.at(original.channel, original.ts)
    if message is None:
        raise RefusedError("message_not_found")
    said = content(body, MAX_TEXT)
    blocks = said.blocks or ()
    workspace.edit(replace(message, text=said.text, blocks=blocks, edits=message.edits + 1))


def _body(raw: bytes) -> JsonObject:
    try:
        body = json.loads(raw)
    except ValueError:
        raise RefusedError("invalid_payload") from None
    if not isinstance(body, dict):
        raise RefusedError("invalid_payload")
    return body
