"""The methods of the stand-in Slack's Web API."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.arguments import check_arguments
from bot.playground.slack.reading import conversation, history, rendered, replies
from bot.playground.slack.refused import RefusedError
from bot.playground.slack.rules import (
    TokenKind,
    content,
    flag_argument,
    postable,
    require_scope,
    text_argument,
    thread_parent,
    token_kind,
)
from bot.playground.slack.transcript import Message
from bot.playground.slack.views import open_view, publish_view, push_view, update_view
from bot.playground.slack.workspace import Workspace

Run: TypeAlias = Callable[[Workspace, JsonObject], JsonObject]

ORG = "E0PLAYGROUND"
MAX_TEXT = 40_000
MAX_EDITED_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Method:
    """A method: the kind of token it takes, the scope it needs, and what it does."""

    run: Run
    scope: str | None
    token: TokenKind = "bot"


def call(
    workspace: Workspace, methods: dict[str, Method], name: str, token: str, args: JsonObject
) -> JsonObject:
    """Return the answer of a method, or raise RefusedError with Slack's reason."""
    method = methods.get(name)
    if method is None:
        raise RefusedError("unknown_method", {"req_method": name})
    kind = token_kind(workspace.world, token)
    if kind != method.token:
        raise RefusedError("not_allowed_token_type")
    if method.scope is not None:
        require_scope(workspace.scopes, kind, method.scope)
    check_arguments(name, args)
    return {"ok": True, **method.run(workspace, args)}


def auth_test(workspace: Workspace, _args: JsonObject) -> JsonObject:
    """Say whose token this is."""
    world = workspace.world
    return {
        "url": f"https://{world.team_domain}.slack.com/",
        "team": world.team_domain,
        "user": workspace.people[world.bot_user_id].name,
        "team_id": world.team_id,
        "user_id": world.bot_user_id,
        "bot_id": world.bot_id,
        "is_enterprise_install": False,
    }


def post_message(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Post for everybody in the channel; a text over 40,000 characters is cut off with a warning."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    thread_ts = thread_parent(workspace, channel, args)
    said = content(args)
    message = Message(
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
    channel = workspace.visible(text_argument(args, "channel", required=True))
    if channel is None:
        raise RefusedError("channel_not_found")
    message = workspace.find(channel.id, text_argument(args, "ts", required=True))
    if message is None:
        raise RefusedError("message_not_found")
    if message.user != workspace.world.bot_user_id:
        raise RefusedError("cant_update_message")
    if channel.archived:
        raise RefusedError("is_inactive")
    said = content(args)
    if len(said.text) > MAX_EDITED_TEXT:
        raise RefusedError("msg_too_long")
    edited = replace(
        message,
        text=said.text,
        blocks=said.blocks or (),
        metadata=message.metadata if said.metadata is None else said.metadata,
        edits=message.edits + 1,
    )
    workspace.updated(edited)
    shown = rendered(workspace, edited)
    return {"channel": channel.id, "ts": message.ts, "text": said.text, "message": shown}


def delete(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Delete a message of the bot's own."""
    channel = workspace.visible(text_argument(args, "channel", required=True))
    if channel is None:
        raise RefusedError("channel_not_found")
    message = workspace.find(channel.id, text_argument(args, "ts", required=True))
    if message is None:
        raise RefusedError("message_not_found")
    if message.user != workspace.world.bot_user_id:
        raise RefusedError("cant_delete_message")
    workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show something to one member of the channel; what is for a thread that is not active is answered alike."""
    channel = postable(workspace, text_argument(args, "channel", required=True))
    user = text_argument(args, "user", required=True)
    if user not in channel.members:
        raise RefusedError("user_not_in_channel")
    said = content(args)
    if len(said.text) > MAX_TEXT:
        raise RefusedError("msg_too_long")
    message = Message(
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


def open_conversation(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return the direct messages with a person.

    Source: docs.slack.dev, conversations.open (users, return_im).
    """
    channel = workspace.direct_message(text_argument(args, "users", required=True))
    if channel is None:
        raise RefusedError("user_not_found")
    return {"channel": {"id": channel.id}}


def users_info(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe a person, with the flags that tell guests, bots and strangers.

    Everybody here has authorised the app, which `is_app_user` says. Source: docs.slack.dev, "User object".
    """
    person = workspace.people.get(text_argument(args, "user", required=True))
    if person is None:
        raise RefusedError("user_not_found")
    user: JsonObject = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "real_name": person.name,
        "deleted": person.deleted,
        "is_bot": person.is_bot,
        "is_app_user": not person.is_bot,
    }
    if person.is_stranger:
        user["is_stranger"] = True
    if person.teams:
        user["enterprise_user"] = {"id": person.id, "enterprise_id": ORG, "teams": [*person.teams]}
    if not person.deleted:
        user["is_restricted"] = person.is_restricted
        user["is_ultra_restricted"] = person.is_ultra_restricted
    if flag_argument(args, "include_locale"):
        user["locale"] = person.locale
    return {"user": user}


def usergroup_users(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List the members of a user group, also of one that is disabled: no page says otherwise."""
    group = workspace.groups.get(text_argument(args, "usergroup", required=True))
    if group is None:
        raise RefusedError("no_such_subteam")
    return {"users": [*sorted(group.members)]}


def usergroups(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List the user groups, also those that were disabled if asked to."""
    shown: list[Json] = []
    for group in workspace.groups.values():
        if group.disabled and not flag_argument(args, "include_disabled"):
            continue
        told: JsonObject = {"id": group.id, "handle": group.handle}
        told["date_delete"] = int(group.disabled)
        if flag_argument(args, "include_users"):
            told["users"] = [*sorted(group.members)]
        shown.append(told)
    return {"usergroups": shown}


METHODS: dict[str, Method] = {
    "auth.test": Method(auth_test, None),
    "chat.delete": Method(delete, "chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write"),
    "chat.postMessage": Method(post_message, "chat:write"),
    "chat.update": Method(update, "chat:write"),
    "conversations.history": Method(history, None),
    "conversations.info": Method(conversation, None),
    "conversations.open": Method(open_conversation, "im:write"),
    "conversations.replies": Method(replies, None),
    "usergroups.list": Method(usergroups, "usergroups:read"),
    "usergroups.users.list": Method(usergroup_users, "usergroups:read"),
    "users.info": Method(users_info, "users:read"),
    "views.open": Method(open_view, None),
    "views.publish": Method(publish_view, None),
    "views.push": Method(push_view, None),
    "views.update": Method(update_view, None),
}
"""The methods by name; apps.connections.open stands with the sockets."""
