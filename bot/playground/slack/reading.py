"""What the bot can read back from the stand-in Slack: a conversation, its history, a thread."""

from bot.playground.loopback import JsonObject
from bot.playground.slack.refused import RefusedError
from bot.playground.slack.rules import (
    flag_argument,
    is_reply,
    readable,
    text_argument,
)
from bot.playground.slack.transcript import Message
from bot.playground.slack.workspace import Workspace

DEFAULT_LIMIT = 100
MAX_LIMIT = 999


def rendered(workspace: Workspace, message: Message, *, with_metadata: bool = False) -> JsonObject:
    """Return a message as the Web API shows it."""
    world = workspace.world
    shown: JsonObject = {"type": "message", "user": message.user, "ts": message.ts}
    shown |= {"text": message.text, "team": world.team_id}
    if message.user == world.bot_user_id:
        shown |= {"bot_id": world.bot_id, "app_id": world.app_id}
    if message.blocks:
        shown["blocks"] = [*message.blocks]
    if message.edits:
        shown["edited"] = {"user": message.user, "ts": message.ts}
    if message.metadata is not None and with_metadata:
        shown["metadata"] = message.metadata
    if message.thread_ts is not None:
        shown["thread_ts"] = message.thread_ts
    elif count := len(workspace.thread(message.channel, message.ts)):
        shown |= {"thread_ts": message.ts, "reply_count": count}
    if message.reply_broadcast:
        shown["subtype"] = "thread_broadcast"
    return shown


def conversation(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe a conversation."""
    channel = readable(workspace, args, "read")
    shown: JsonObject = {
        "id": channel.id,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "public",
        "is_archived": channel.archived,
        "is_ext_shared": channel.ext_shared,
        "is_shared": channel.ext_shared,
        "context_team_id": workspace.world.team_id,
    }
    if channel.kind == "im":
        others = sorted(channel.members - {workspace.world.bot_user_id})
        shown["user"] = others[0]
    else:
        shown["is_member"] = workspace.is_member(channel)
        shown["name"] = workspace.group_names(channel) if channel.kind == "mpim" else channel.name
    return {"channel": shown}


def history(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a channel's messages, newest first: no replies, unless they were broadcast."""
    channel = readable(workspace, args, "history")
    shown = [
        each
        for each in workspace.messages
        if each.channel == channel.id
        and each.ephemeral_to is None
        and not each.deleted
        and (each.reply_broadcast or not is_reply(each))
    ]
    return _page(workspace, args, shown[::-1])


def replies(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List a thread: the parent first, and then its replies, oldest first."""
    channel = readable(workspace, args, "history")
    message = workspace.find(channel.id, text_argument(args, "ts", required=True))
    if message is None:
        raise RefusedError("thread_not_found")
    if is_reply(message):
        return _page(workspace, args, [message])
    return _page(workspace, args, [message, *workspace.thread(channel.id, message.ts)])


def _page(workspace: Workspace, args: JsonObject, messages: list[Message]) -> JsonObject:
    """Return the part of the messages that limit, cursor, oldest and latest ask for."""
    limit = _limit(args)
    start = _start(args)
    chosen = [each for each in messages if _within(args, each.ts)]
    part = chosen[start : start + limit]
    with_metadata = flag_argument(args, "include_all_metadata")
    more = len(chosen) > start + limit
    answer: JsonObject = {
        "messages": [rendered(workspace, each, with_metadata=with_metadata) for each in part],
        "has_more": more,
    }
    if more:
        answer["response_metadata"] = {"next_cursor": f"next:{start + limit}"}
    return answer


def _limit(args: JsonObject) -> int:
    given = text_argument(args, "limit") or str(DEFAULT_LIMIT)
    if not given.isdecimal() or not 1 <= int(given) <= MAX_LIMIT:
        raise RefusedError("invalid_limit")
    return int(given)


def _start(args: JsonObject) -> int:
    cursor = text_argument(args, "cursor")
    if not cursor:
        return 0
    mark, _, at = cursor.partition(":")
    if mark != "next" or not at.isdecimal():
        raise RefusedError("invalid_cursor")
    return int(at)


def _within(args: JsonObject, ts: str) -> bool:
    """Return whether a timestamp lies between `oldest` and `latest`, themselves with `inclusive`."""
    at = float(ts)
    oldest = _bound(args, "oldest", "invalid_ts_oldest")
    latest = _bound(args, "latest", "invalid_ts_latest")
    if flag_argument(args, "inclusive"):
        return (oldest is None or at >= oldest) and (latest is None or at <= latest)
    return (oldest is None or at > oldest) and (latest is None or at < latest)


def _bound(args: JsonObject, name: str, error: str) -> float | None:
    given = text_argument(args, name)
    try:
        return float(given) if given else None
    except ValueError:
        raise RefusedError(error) from None
