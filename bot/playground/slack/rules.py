"""What the stand-in Slack refuses, and with which words.

Source: docs.slack.dev, reference/methods: each method's page lists its errors.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.blocks import block_errors, too_long
from bot.playground.slack.refused import RefusedError, invalid_arguments, invalid_blocks
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.world import Channel, ChannelKind, World

TokenKind: TypeAlias = Literal["bot", "app"]

APP_SCOPE = "connections:write"
MAX_TEXT = 40_000
MAX_MARKDOWN = 12_000
MAX_METADATA = 8000

SCOPE_FAMILY: dict[ChannelKind, str] = {
    "public": "channels",
    "private": "groups",
    "im": "im",
    "mpim": "mpim",
}


def token_kind(world: World, token: str) -> TokenKind:
    """Return whose token this is, or refuse it."""
    if not token:
        raise RefusedError("not_authed")
    if token == world.bot_token:
        return "bot"
    if token == world.app_token:
        return "app"
    raise RefusedError("invalid_auth")


def granted(scopes: Collection[str], kind: TokenKind) -> list[str]:
    """Return the scopes that a token carries, sorted."""
    return sorted(each for each in scopes if (each == APP_SCOPE) == (kind == "app"))


def require_scope(scopes: Collection[str], kind: TokenKind, *needed: str) -> None:
    """Refuse unless one of the needed scopes is granted."""
    provided = granted(scopes, kind)
    if not set(needed) & set(provided):
        details: JsonObject = {"needed": ",".join(needed), "provided": ",".join(provided)}
        raise RefusedError("missing_scope", details)


def text_argument(args: JsonObject, name: str, *, required: bool = False) -> str:
    """Return a string argument, empty if it is left out and not required."""
    value = args.get(name)
    if value is None or value == "":
        if required:
            raise invalid_arguments(f"[ERROR] missing required field: {name}")
        return ""
    if isinstance(value, (dict, list)):
        raise invalid_arguments(f"[ERROR] must be a string [json-pointer:/{name}]")
    return str(value)


def flag_argument(args: JsonObject, name: str) -> bool:
    """Return a boolean argument, which forms and queries spell as text."""
    return args.get(name) in {True, "true", "True", "1"}


def json_argument(args: JsonObject, name: str, error: str) -> Json:
    """Return a structured argument, which may also come as JSON in a string."""
    value = args.get(name)
    if not isinstance(value, str):
        return value
    if not value:
        return None
    try:
        decoded: Json = json.loads(value)
    except ValueError:
        raise RefusedError(error) from None
    return decoded


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, once Slack has accepted it; `blocks` None where none were given."""

    text: str
    blocks: tuple[JsonObject, ...] | None
    metadata: JsonObject | None


def content(args: JsonObject, most: int | None = None) -> Content:
    """Return what a message is to say, or refuse it; `most` is how many characters its text may have."""
    given = json_argument(args, "blocks", "invalid_blocks_format")
    if given is not None and not isinstance(given, list):
        raise RefusedError("invalid_blocks_format")
    if errors := block_errors(given or []):
        raise invalid_blocks(*errors)
    if too_long(given):
        raise RefusedError("msg_blocks_too_long")
    text, markdown = text_argument(args, "text"), text_argument(args, "markdown_text")
    if markdown and (text or given):
        raise RefusedError("markdown_text_conflict")
    if not (text or markdown or given):
        raise RefusedError("no_text")
    if len(markdown) > MAX_MARKDOWN or (most is not None and len(text) > most):
        raise RefusedError("msg_too_long")
    blocks = None if given is None else tuple(objects(given))
    return Content(text or markdown, blocks, _metadata(args))


def _metadata(args: JsonObject) -> JsonObject | None:
    metadata = json_argument(args, "metadata", "invalid_metadata_format")
    if metadata is None or metadata == {}:
        return None
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_metadata_format")
    event, payload = metadata.get("event_type"), metadata.get("event_payload")
    if not (isinstance(event, str) and event and isinstance(payload, dict)):
        raise RefusedError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > MAX_METADATA:
        raise RefusedError("metadata_too_large")
    return metadata


def postable(workspace: Workspace, channel_id: str) -> Channel:
    """Return the channel if the bot may post there; a name will do, and a person's id stands for their messages tab."""
    if channel_id.startswith("U"):
        channel = workspace.direct_message(channel_id)
    else:
        channel = workspace.visible(workspace.named(channel_id) or channel_id)
    if channel is None:
        raise RefusedError("channel_not_found")
    if channel.archived:
        raise RefusedError("is_archived")
    if not workspace.is_member(channel) and "chat:write.public" not in workspace.scopes:
        raise RefusedError("not_in_channel")
    if channel.read_only:
        raise RefusedError("restricted_action_read_only_channel")
    return channel


def thread_parent(workspace: Workspace, channel: Channel, args: JsonObject) -> str | None:
    """Return the thread to post in, or None for the channel; a thread_ts must be a parent's, not that of a reply.

    Of these errors chat.postMessage documents cannot_reply_to_message alone; bolt-js, issue 2307, has the other.
    """
    ts = text_argument(args, "thread_ts")
    if not ts or (workspace.orphans == "top level" and workspace.is_deleted(channel.id, ts)):
        return None
    parent = workspace.find(channel.id, ts)
    if parent is None or is_reply(parent):
        raise RefusedError("thread_not_found")
    if not parent.can_have_replies:
        raise RefusedError("cannot_reply_to_message")
    return ts


def is_reply(message: PostedMessage) -> bool:
    """Return whether a message stands in another's thread."""
    return message.thread_ts is not None and message.thread_ts != message.ts


def readable(workspace: Workspace, args: JsonObject, access: Literal["read", "history"]) -> Channel:
    """Return the channel of a conversations.* call if it exists for the bot and its scopes."""
    require_scope(workspace.scopes, "bot", *(f"{each}:{access}" for each in SCOPE_FAMILY.values()))
    channel = workspace.visible(text_argument(args, "channel", required=True))
    if channel is None:
        raise RefusedError("channel_not_found")
    require_scope(workspace.scopes, "bot", f"{SCOPE_FAMILY[channel.kind]}:{access}")
    if access == "history" and not workspace.is_member(channel):
        raise RefusedError("not_in_channel")
    return channel
