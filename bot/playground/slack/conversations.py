"""The methods conversations.…, with which the bot reads back, and the Web API's format of a message."""

from collections.abc import Mapping
from typing import Literal

from bot.playground.loopback import JsonObject
from bot.playground.slack.refusals import RefusedError, flag_argument, require_scope, text_argument
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.world import Channel, ChannelKind

SCOPE_FAMILY: Mapping[ChannelKind, str] = {
    "public": "channels",
    "private": "groups",
    "im": "im",
    "mpim": "mpim",
}


def rendered(
    workspace: Workspace, message: PostedMessage, *, with_metadata: bool = False
) -> JsonObject:
    """Return a message in the Web API's format."""
    world = workspace.world
    shown: JsonObject = {"type": "message", "user": message.user, "ts": message.ts}
    shown |= {"text": message.text, "team": world.team_id}
    if message.user == world.bot_user_id:
        shown |= {"bot_id": world.bot_id, "app_id": world.app_id}
    if message.blocks:
        shown["blocks"] = [*message.blocks]
    if message.edits:
        shown["edited"] = {"user": message.user, "ts": message.edited_ts}
    if message.metadata is not None and with_metadata:
        shown["metadata"] = message.metadata
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    elif workspace.thread(message.channel, message.ts):
        shown["thread_ts"] = message.ts
    return shown


def conversation(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe a conversation."""
    channel = readable(workspace, args, "read")
    return {
        "channel": {
            "id": channel.id,
            "name": workspace.name_of(channel),
            "is_member": workspace.is_member(channel),
            "is_archived": channel.archived,
            "is_ext_shared": channel.ext_shared,
        }
    }


def history(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a channel's messages, newest first, without replies."""
    channel = readable(workspace, args, "history")
    return _page(workspace, args, workspace.parents(channel.id)[::-1], 100, 999)


def replies(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a thread: the parent first, then its replies, oldest first."""
    channel = readable(workspace, args, "history")
    message = workspace.find(channel.id, text_argument(args, "ts", required=True))
    if message is None:
        raise RefusedError("thread_not_found")
    others = [] if message.thread_ts else workspace.thread(channel.id, message.ts)
    return _page(workspace, args, [message, *others], 1000, 1000)


def _page(
    workspace: Workspace, args: JsonObject, messages: list[PostedMessage], usual: int, most: int
) -> JsonObject:
    """Return the page that limit (`usual` if left out) and cursor ask for, of what is newer than `oldest`."""
    oldest = float(text_argument(args, "oldest") or "-inf")
    within = [each for each in messages if float(each.ts) > oldest]
    limit = int(text_argument(args, "limit") or usual)
    if not 1 <= limit <= most:
        raise RefusedError("invalid_limit")
    start = int(text_argument(args, "cursor").removeprefix("next:") or 0)
    end = start + limit
    with_metadata = flag_argument(args, "include_all_metadata")
    page = within[start:end]
    answer: JsonObject = {
        "messages": [rendered(workspace, each, with_metadata=with_metadata) for each in page],
        "has_more": end < len(within),
    }
    if answer["has_more"]:
        answer["response_metadata"] = {"next_cursor": f"next:{end}"}
    return answer


def readable(workspace: Workspace, args: JsonObject, access: Literal["read", "history"]) -> Channel:
    """Return the channel of a conversations.* call if the bot and its scopes can see it."""
    require_scope(workspace.scopes, "bot", *(f"{each}:{access}" for each in SCOPE_FAMILY.values()))
    channel = workspace.visible(text_argument(args, "channel", required=True))
    require_scope(workspace.scopes, "bot", f"{SCOPE_FAMILY[channel.kind]}:{access}")
    if access == "history" and not workspace.is_member(channel):
        raise RefusedError("not_in_channel")
    return channel
