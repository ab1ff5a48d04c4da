"""Responses to a command outside of the Web API, which its person alone sees: the ack's body, and response_url."""

import json
from dataclasses import dataclass, replace

from aiohttp import web

from bot.playground.loopback import JsonObject, json_object
from bot.playground.slack.calls import Called
from bot.playground.slack.chat import drafted, edit
from bot.playground.slack.refusals import RefusedError, flag_argument, text_argument
from bot.playground.slack.transcript import Via
from bot.playground.slack.workspace import Workspace

NAME = "response_url"
MAX_USES = 5
LIFETIME = 30 * 60
_GONE = ("used_url", "expired_url", "message_not_found")


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
            self._use(path, args)
            return web.Response(text="ok")

        def no(refused: RefusedError) -> web.Response:
            status = 404 if refused.error in _GONE else 400
            return web.json_response({"ok": False, "error": refused.error}, status=status)

        meets: JsonObject = {"user": hook.user} if hook else {}
        return Called(NAME, args or {}, meets, path.encode() + raw, run, no)

    def _use(self, path: str, args: JsonObject) -> None:
        hook = self._hooks.get(path)
        if hook is None or self._workspace.clock() >= hook.expires:
            raise RefusedError("expired_url")
        if hook.uses >= MAX_USES:
            raise RefusedError("used_url")
        if hook.original and flag_argument(args, "replace_original"):
            message = self._workspace.at(hook.channel, hook.original)
            if message is None:
                raise RefusedError("message_not_found")
            edit(self._workspace, message, args)
        else:
            show(self._workspace, args, hook.channel, hook.user, "response_url")
        hook.uses += 1
