"""The methods conversations.…, with which the bot reads back, and the Web API's format of a message."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.refusals import RefusedError, flag_argument, require_scope, text_argument
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.world import Channel, ChannelKind

_T = TypeVar("_T")


class _Names(NamedTuple):
    """What the Web API calls a kind of conversation: as a `type`, in its scopes, and in its flag."""

    type: str
    scope: str
    flag: str


NAMES: Mapping[ChannelKind, _Names] = {
    "public": _Names("public_channel", "channels", "is_channel"),
    "private": _Names("private_channel", "groups", "is_group"),
    "im": _Names("im", "im", "is_im"),
    "mpim": _Names("mpim", "mpim", "is_mpim"),
}


def rendered(
    workspace: Workspace, message: PostedMessage, *, with_metadata: bool = False
) -> JsonObject:
    """Return a message in the Web API's format; a person's has blocks too, which Slack's client made."""
    world = workspace.world
    shown: JsonObject = {"type": "message", "user": message.user, "ts": message.ts}
    shown |= {"text": message.text, "team": world.team_id}
    if message.user == world.bot_user_id:
        shown |= {"bot_id": world.bot_id, "app_id": world.app_id}
        if message.blocks:
            shown["blocks"] = [*message.blocks]
    else:
        words: list[Json] = [*_rich_text(message.text)]
        shown["blocks"] = [{"type": "rich_text", "block_id": "words", "elements": words}]
    if message.edits:
        shown["edited"] = {"user": message.user, "ts": message.edited_ts}
    if message.metadata is not None and with_metadata:
        shown["metadata"] = message.metadata
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    elif workspace.thread(message.channel, message.ts):
        shown["thread_ts"] = message.ts
    return shown


_PARTS = re.compile(r"(```.*?```|^&gt;[^\n]*(?:\n&gt;[^\n]*)*)\n?", re.DOTALL | re.MULTILINE)


def _rich_text(text: str) -> list[JsonObject]:
    """Return the parts of a text as a person's client sends them: their own words, quotes and blocks of code."""
    parts: list[JsonObject] = []
    for part in filter(None, _PARTS.split(text)):
        kind = "preformatted" if part.startswith("```") else "section"
        kind = "quote" if part.startswith("&gt;") else kind
        words: JsonObject = {"type": "text", "text": part}
        parts.append({"type": f"rich_text_{kind}", "elements": [words]})
    return parts


def named_message(workspace: Workspace, args: JsonObject, ts: str) -> PostedMessage:
    """Return the message that a call names, by the argument `ts`, or refuse it."""
    channel = workspace.visible(text_argument(args, "channel", required=True))
    message = workspace.find(channel.id, text_argument(args, ts, required=True))
    if message is None:
        raise RefusedError("message_not_found")
    return message


def permalink(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return the URL of a message; a reply's also names its thread."""
    message = named_message(workspace, args, "message_ts")
    place = f"https://{workspace.world.team_domain}.slack.com/archives/{message.channel}"
    thread = f"?thread_ts={message.thread_ts}&cid={message.channel}" if message.thread_ts else ""
    link = f"{place}/p{message.ts.replace('.', '')}{thread}"
    return {"channel": message.channel, "permalink": link}


def conversation(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe a conversation."""
    return {"channel": _described(workspace, readable(workspace, args, "read"))}


def conversations(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List the conversations of these types that the bot can see."""
    types = {*(text_argument(args, "types") or "public_channel").replace(" ", "").split(",")}
    kinds = [kind for kind, names in NAMES.items() if names.type in types]
    if len(kinds) < len(types):
        raise RefusedError("invalid_types")
    for kind in kinds:
        require_scope(workspace.scopes, "bot", f"{NAMES[kind].scope}:read")
    found = [each for each in workspace.channels.values() if each.kind in kinds]
    found = [each for each in found if workspace.can_see(each)]
    if flag_argument(args, "exclude_archived"):
        found = [each for each in found if not each.archived]
    page, cursor = _part(args, found, 100, 999)
    listed: list[Json] = [_described(workspace, each) for each in page]
    return {"channels": listed, "response_metadata": {"next_cursor": cursor}}


def _described(workspace: Workspace, channel: Channel) -> JsonObject:
    shown: JsonObject = {
        "id": channel.id,
        **{names.flag: kind == channel.kind for kind, names in NAMES.items()},
        "is_private": channel.kind != "public",
        "is_archived": channel.archived,
        "is_ext_shared": channel.ext_shared,
        "is_pending_ext_shared": False,
    }
    if channel.kind == "im":
        return {**shown, "user": min(channel.members - {workspace.world.bot_user_id})}
    return {**shown, "name": workspace.name_of(channel), "is_member": workspace.is_member(channel)}


def history(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a channel's messages, newest first, without replies."""
    channel = readable(workspace, args, "history")
    return _page(workspace, args, workspace.parents(channel.id)[::-1], 100, 999)


def replies(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a thread: the parent first, then its replies, oldest first."""
    channel = readable(workspace, args, "history", "channel_not_found")
    message = workspace.find(channel.id, text_argument(args, "ts", required=True))
    if message is None:
        raise RefusedError("thread_not_found")
    others = [] if message.thread_ts else workspace.thread(channel.id, message.ts)
    return _page(workspace, args, [message, *others], 1000, 1000)


def _page(
    workspace: Workspace, args: JsonObject, messages: list[PostedMessage], usual: int, most: int
) -> JsonObject:
    """Return a page of what lies between `oldest` and `latest`, and with `inclusive` of what has these times."""
    oldest, latest = text_argument(args, "oldest"), text_argument(args, "latest")
    ends = {oldest, latest} if flag_argument(args, "inclusive") else ()
    after, before = float(oldest or "-inf"), float(latest or "inf")
    within = [each for each in messages if after < float(each.ts) < before or each.ts in ends]
    page, cursor = _part(args, within, usual, most)
    with_metadata = flag_argument(args, "include_all_metadata")
    answer: JsonObject = {
        "messages": [rendered(workspace, each, with_metadata=with_metadata) for each in page],
        "has_more": bool(cursor),
    }
    if cursor:
        answer["response_metadata"] = {"next_cursor": cursor}
    return answer


def _part(args: JsonObject, found: Sequence[_T], usual: int, most: int) -> tuple[Sequence[_T], str]:
    """Return the part that limit (`usual` if left out) and cursor ask for, and the next cursor, empty at the end."""
    limit = text_argument(args, "limit") or str(usual)
    start = (text_argument(args, "cursor") or "next:0").removeprefix("next:")
    if not (limit.isdecimal() and 1 <= int(limit) <= most):
        raise RefusedError("invalid_limit")
    if not start.isdecimal():
        raise RefusedError("invalid_cursor")
    end = int(start) + int(limit)
    return found[int(start) : end], f"next:{end}" if end < len(found) else ""


def readable(
    workspace: Workspace,
    args: JsonObject,
    access: Literal["read", "history"],
    not_in: str = "not_in_channel",
) -> Channel:
    """Return the channel of a conversations.* call if the bot and its scopes can see it.

    `not_in` is the error about a public channel without the bot, whose history it cannot read.
    """
    scopes = {kind: f"{names.scope}:{access}" for kind, names in NAMES.items()}
    require_scope(workspace.scopes, "bot", *scopes.values())
    channel = workspace.visible(text_argument(args, "channel", required=True))
    require_scope(workspace.scopes, "bot", scopes[channel.kind])
    if access == "history" and not workspace.is_member(channel):
        raise RefusedError(not_in)
    return channel
