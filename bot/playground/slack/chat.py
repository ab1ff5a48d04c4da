"""What the bot or a response_url may post, edit and delete. Source: docs.slack.dev, the methods chat.… with their errors."""

import json
from dataclasses import replace

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.block_kit import block_errors, too_long
from bot.playground.slack.conversations import named_message, rendered
from bot.playground.slack.refusals import RefusedError, text_argument
from bot.playground.slack.surfaces import identified
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.world import Channel

MAX_TEXT = 40_000
MAX_EDITED_TEXT = 4_000
MAX_MARKDOWN = 12_000
MAX_METADATA = 8000


def drafted(
    workspace: Workspace, args: JsonObject, channel: str, most: int = MAX_TEXT
) -> PostedMessage:
    """Return the message of the bot that a call describes, not posted yet, or refuse it.

    `most` limits the characters of its text.
    """
    given = args.get("blocks")
    if given is not None and not isinstance(given, list):
        raise RefusedError("invalid_blocks_format")
    if flaws := [str(each) for each in block_errors(given or [])]:
        bare: list[Json] = [each.removeprefix("[ERROR] ") for each in flaws]
        told: JsonObject = {"errors": bare, "response_metadata": {"messages": [*flaws]}}
        raise RefusedError("invalid_blocks", told)
    if too_long(given):
        raise RefusedError("msg_blocks_too_long")
    text, markdown = text_argument(args, "text"), text_argument(args, "markdown_text")
    if markdown and (text or given):
        raise RefusedError("markdown_text_conflict")
    if not (text or markdown or given):
        raise RefusedError("no_text")
    if len(text) > most or len(markdown) > MAX_MARKDOWN:
        raise RefusedError("msg_too_long")
    ts, bot, metadata = workspace.next_ts(), workspace.world.bot_user_id, _metadata(args)
    blocks = tuple(identified(objects(given)))
    return PostedMessage(ts, channel, bot, text or markdown, blocks=blocks, metadata=metadata)


def _metadata(args: JsonObject) -> JsonObject | None:
    metadata = args.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise RefusedError("invalid_metadata_format")
    if metadata and not (metadata.get("event_type") and "event_payload" in metadata):
        raise RefusedError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > MAX_METADATA:
        raise RefusedError("metadata_too_large")
    return metadata or None


def postable(workspace: Workspace, channel_id: str) -> Channel:
    """Return the channel if the bot may post there; its name will do, and a user's id stands for their messages tab."""
    id_ = workspace.named(channel_id) or channel_id
    channel = workspace.direct_message(id_) or workspace.visible(id_)
    if channel.archived:
        raise RefusedError("is_archived")
    if not workspace.is_member(channel):
        raise RefusedError("not_in_channel")
    if channel.read_only:
        raise RefusedError("restricted_action_read_only_channel")
    return channel


def thread_parent(workspace: Workspace, channel: Channel, args: JsonObject) -> str | None:
    """Return the thread to post in, or None for the channel; thread_ts must be a parent's, not a reply's.

    Of these errors, chat.postMessage documents only cannot_reply_to_message; the other is in bolt-js, issue 2307.
    """
    ts = text_argument(args, "thread_ts")
    sought = workspace.sought(ts)
    gone = sought is not None and sought.deleted and sought.channel == channel.id
    if not ts or (gone and workspace.orphans == "top level"):
        return None
    parent = workspace.find(channel.id, ts)
    if parent is None or parent.thread_ts:
        raise RefusedError("thread_not_found")
    if not parent.can_have_replies:
        raise RefusedError("cannot_reply_to_message")
    return ts


def post_message(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Post for everybody in the channel."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    thread_ts = thread_parent(workspace, channel, args)
    message = replace(drafted(workspace, args, channel.id), thread_ts=thread_ts)
    workspace.post(message)
    shown = rendered(workspace, message, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def update(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Edit a message of the bot's own; a text without blocks replaces the blocks.

    Source: docs.slack.dev, chat.update (blocks; is_inactive, where other methods say is_archived).
    """
    message = _own(workspace, args, "cant_update_message")
    if workspace.channels[message.channel].archived:
        raise RefusedError("is_inactive")
    edited = edit(workspace, message, args, MAX_EDITED_TEXT)
    shown = rendered(workspace, edited)
    return {"channel": edited.channel, "ts": edited.ts, "text": edited.text, "message": shown}


def edit(
    workspace: Workspace, message: PostedMessage, args: JsonObject, most: int = MAX_TEXT
) -> PostedMessage:
    """Give a message other content; metadata that is left out is kept, and an empty object removes it."""
    new = drafted(workspace, args, message.channel, most)
    metadata = message.metadata if args.get("metadata") is None else new.metadata
    said = replace(message, text=new.text, blocks=new.blocks, metadata=metadata)
    edited = replace(said, edits=message.edits + 1, edited_ts=new.ts)
    workspace.edit(edited)
    return edited


def delete(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Delete a message of the bot's own."""
    message = _own(workspace, args, "cant_delete_message")
    workspace.delete(message.ts)
    return {"channel": message.channel, "ts": message.ts}


def _own(workspace: Workspace, args: JsonObject, error: str) -> PostedMessage:
    """Return the message that a call names; refuse with `error` if it is not the bot's own."""
    message = named_message(workspace, args, "ts")
    if message.user != workspace.world.bot_user_id:
        raise RefusedError(error)
    return message


def post_ephemeral(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a message to one member of the channel; for a thread without replies the response is the same."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    user = text_argument(args, "user", required=True)
    if user not in channel.members:
        raise RefusedError("user_not_in_channel")
    thread_ts = text_argument(args, "thread_ts") or None
    draft = drafted(workspace, args, channel.id)
    message = replace(draft, thread_ts=thread_ts, ephemeral_to=user)
    workspace.whisper(message)
    return {"message_ts": message.ts}
