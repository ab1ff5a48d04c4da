"""The methods of the stand-in Slack's Web API that post messages, change them and delete them."""

from dataclasses import replace

from bot.playground.loopback import JsonObject
from bot.playground.slack.reading import named_message, rendered
from bot.playground.slack.refused import RefusedError
from bot.playground.slack.rules import (
    MAX_TEXT,
    content,
    flag_argument,
    postable,
    text_argument,
    thread_parent,
)
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.workspace import Workspace

MAX_EDITED_TEXT = 4_000


def post_message(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Post for everybody in the channel; a text over 40,000 characters is cut off with a warning."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    thread_ts = thread_parent(workspace, channel, args)
    said = content(args)
    message = PostedMessage(
        ts=workspace.next_ts(),
        channel=channel.id,
        user=workspace.world.bot_user_id,
        text=said.text[:MAX_TEXT],
        blocks=said.blocks or (),
        thread_ts=thread_ts,
        metadata=said.metadata,
        reply_broadcast=thread_ts is not None and flag_argument(args, "reply_broadcast"),
    )
    workspace.post(message)
    answer: JsonObject = {
        "channel": channel.id,
        "ts": message.ts,
        "message": rendered(workspace, message, with_metadata=True),
    }
    if len(said.text) > MAX_TEXT:
        answer["warning"] = "message_truncated"
        answer["response_metadata"] = {"warnings": ["message_truncated"]}
    return answer


def update(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Change a message of the bot's own; where blocks are left out, a text takes their place.

    Source: docs.slack.dev, chat.update (blocks; is_inactive, where others say is_archived).
    """
    message = _own(workspace, args, "cant_update_message")
    if workspace.channels[message.channel].archived:
        raise RefusedError("is_inactive")
    said = content(args, MAX_EDITED_TEXT)
    edited = replace(
        message,
        text=said.text,
        blocks=said.blocks or (),
        metadata=message.metadata if said.metadata is None else said.metadata,
        edits=message.edits + 1,
    )
    workspace.updated(edited)
    shown = rendered(workspace, edited)
    return {"channel": message.channel, "ts": message.ts, "text": said.text, "message": shown}


def delete(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Delete a message of the bot's own."""
    message = _own(workspace, args, "cant_delete_message")
    workspace.delete(message)
    return {"channel": message.channel, "ts": message.ts}


def _own(workspace: Workspace, args: JsonObject, error: str) -> PostedMessage:
    """Return the message that a call names; an `error` if it is not the bot's own."""
    message = named_message(workspace, args, "ts")
    if message.user != workspace.world.bot_user_id:
        raise RefusedError(error)
    return message


def post_ephemeral(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show something to one member of the channel; what is for a thread that is not active is answered alike."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    user = text_argument(args, "user", required=True)
    if user not in channel.members:
        raise RefusedError("user_not_in_channel")
    said = content(args, MAX_TEXT)
    message = PostedMessage(
        ts=workspace.next_ts(),
        channel=channel.id,
        user=workspace.world.bot_user_id,
        text=said.text,
        blocks=said.blocks or (),
        thread_ts=text_argument(args, "thread_ts") or None,
        ephemeral_to=user,
    )
    workspace.whisper(message)
    return {"message_ts": message.ts}
