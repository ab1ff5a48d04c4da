"""Responses to a command outside of the Web API: the ack's body, and response_url."""

import json
from dataclasses import dataclass, replace

from aiohttp import web

from bot.playground.loopback import JsonObject, json_object
from bot.playground.slack.calls import Called, Calls
from bot.playground.slack.chat import MAX_TEXT, content
from bot.playground.slack.refusals import RefusedError, flag_argument, text_argument
from bot.playground.slack.transcript import PostedMessage, Via
from bot.playground.slack.workspace import Workspace

NAME = "response_url"
MAX_USES = 5
LIFETIME = 30 * 60
_GONE = ("used_url", "expired_url", "message_not_found")


def show(workspace: Workspace, body: JsonObject, channel: str, ephemeral_to: str, via: Via) -> None:
    """Show a response: to one person, or to all with `in_channel`. Raises RefusedError if it is invalid."""
    said = content(body, MAX_TEXT)
    in_channel = body.get("response_type") == "in_channel"
    message = replace(
        said.posted(workspace, channel),
        thread_ts=text_argument(body, "thread_ts") or None,
        ephemeral_to=None if in_channel else ephemeral_to,
        via=via,
    )
    if in_channel:
        workspace.post(message)
    else:
        workspace.whisper(message)


def show_ack(workspace: Workspace, body: JsonObject, command: JsonObject) -> None:
    """Show the message in a command's ack; an invalid body is not shown but recorded as a violation.

    Source: docs.slack.dev, implementing-slash-commands: a response with `in_channel` also shows what the person typed, even
    if it has no other content.
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


@dataclass(frozen=True, slots=True)
class _Hook:
    channel: str
    user: str
    expires: float
    original: PostedMessage | None = None
    uses: int = 0


class ResponseUrls:
    """The response_url of each command: five uses within thirty minutes.

    Source: docs.slack.dev, handling-user-interaction: it does not need membership in the channel, and its response is a
    plain `ok` without a timestamp.
    """

    def __init__(self, workspace: Workspace, calls: Calls) -> None:
        self._workspace = workspace
        self._calls = calls
        self._hooks: dict[str, _Hook] = {}

    def open(self, channel: str, user: str, original: PostedMessage | None = None) -> str:
        """Return the path of a new response_url for one person in one channel.

        `original` is the clicked message, which it can replace.
        """
        kind = "commands" if original is None else "actions"
        path = f"/{kind}/{self._workspace.world.team_id}/{len(self._hooks) + 1}/made-up"
        expires = self._workspace.clock() + LIFETIME
        self._hooks[path] = _Hook(channel, user, expires, original)
        return path

    async def use(self, request: web.BaseRequest) -> web.StreamResponse:
        """Show what was posted to a response_url, or apply the fault planned for its person."""
        raw, path = await request.read(), request.path
        args, hook = json_object(raw), self._hooks.get(path)

        def run() -> web.Response:
            if args is None:
                raise RefusedError("invalid_payload")
            self._use(path, args)
            return web.Response(text="ok")

        def no(refused: RefusedError, status: int | None) -> web.Response:
            status = status or (404 if refused.error in _GONE else 400)
            return web.json_response({"ok": False, "error": refused.error}, status=status)

        meets: JsonObject = {"user": hook.user} if hook else {}
        called = Called(NAME, args or {}, run, no, 404, meets, path.encode() + raw)
        return await self._calls.answer(request, called)

    def _use(self, path: str, args: JsonObject) -> None:
        hook = self._hooks.get(path)
        if hook is None or self._workspace.clock() >= hook.expires:
            raise RefusedError("expired_url")
        if hook.uses >= MAX_USES:
            raise RefusedError("used_url")
        if hook.original is not None and flag_argument(args, "replace_original"):
            _replace(self._workspace, args, hook.original)
        else:
            show(self._workspace, args, hook.channel, hook.user, "response_url")
        self._hooks[path] = replace(hook, uses=hook.uses + 1)


def _replace(workspace: Workspace, body: JsonObject, original: PostedMessage) -> None:
    """Replace the clicked message, even if it is ephemeral."""
    message = workspace.at(original.channel, original.ts)
    if message is None:
        raise RefusedError("message_not_found")
    workspace.edit(content(body, MAX_TEXT).edited(message))
