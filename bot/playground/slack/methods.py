"""The stand-in's table of Web API methods: for each its scope, arguments and rate limit."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.block_kit import block_errors
from bot.playground.slack.chat import delete, post_ephemeral, post_message, update
from bot.playground.slack.conversations import (
    conversation,
    conversations,
    history,
    permalink,
    replies,
)
from bot.playground.slack.refusals import (
    APP_SCOPE,
    RefusedError,
    TokenKind,
    flag_argument,
    invalid_arguments,
    require_scope,
    text_argument,
    token_kind,
)
from bot.playground.slack.views import open_view, publish_view, view_errors
from bot.playground.slack.workspace import Workspace

Run: TypeAlias = Callable[[Workspace, JsonObject], JsonObject]

ANYBODY = "team_id"
"""Accepted by every method: Bolt for Python sends it with each call of a listener's client."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its function, its arguments besides the token, and its calls per minute.

    `scope` is the one it needs, unless it checks by itself, `token` the kind of token; without `a_minute` there is no limit,
    and without `arguments` it takes any.
    """

    run: Run
    scope: str | None
    arguments: str | None
    a_minute: int | None
    token: TokenKind | None = "bot"


def call(workspace: Workspace, name: str, token: str, args: JsonObject) -> JsonObject:
    """Return a method's response, or raise RefusedError with Slack's error."""
    method = METHODS.get(name)
    if method is None:
        raise RefusedError("unknown_method", {"req_method": name})
    if method.token is not None:
        kind = token_kind(workspace.world, token)
        if kind != method.token:
            raise RefusedError("not_allowed_token_type")
        if method.scope is not None:
            require_scope(workspace.scopes, kind, method.scope)
    known = args if method.arguments is None else {ANYBODY, *method.arguments.split()}
    if unknown := sorted(args.keys() - known):
        raise invalid_arguments(*(f"[ERROR] unknown argument: {each}" for each in unknown))
    return {"ok": True, **method.run(workspace, args)}


def api_test(_workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return the arguments; with `error`, refuse with that."""
    if error := text_argument(args, "error"):
        raise RefusedError(error, {"args": args})
    return {"args": args} if args else {}


def auth_test(workspace: Workspace, _args: JsonObject) -> JsonObject:
    """Return whose token this is; of an organisation's, the team is the organisation.

    Source: java-slack-sdk, its auth.test with `is_enterprise_install`.
    """
    world = workspace.world
    name, home = world.team_domain, world.team_id
    told: JsonObject = {"url": f"https://{name}.slack.com/", "is_enterprise_install": False}
    if org := world.organisation:
        name, home = org.domain, org.id
        told = {"url": f"https://{name}.enterprise.slack.com/", "is_enterprise_install": True}
        told["enterprise_id"] = home
    return {
        **told,
        "team": name,
        "user": workspace.people[world.bot_user_id].name,
        "team_id": home,
        "user_id": world.bot_user_id,
        "bot_id": world.bot_id,
    }


def teams(workspace: Workspace, _args: JsonObject) -> JsonObject:
    """List the workspaces of the organisation that have the app. Source: slack-ruby/slack-api-ref, auth.teams.list."""
    if (org := workspace.world.organisation) is None:
        raise RefusedError("invalid_auth")
    listed: list[Json] = [{"id": id_, "name": name} for id_, name in org.workspaces.items()]
    return {"teams": listed, "response_metadata": {"next_cursor": ""}}


def open_conversation(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return the direct message with a person."""
    user = text_argument(args, "users", required=True)
    channel, person = workspace.direct_message(user), workspace.people.get(user)
    if channel is None:
        raise RefusedError("user_disabled" if person and person.deleted else "user_not_found")
    return {"channel": {"id": channel.id}}


def users_info(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe a user, with the flags for guests, bots and strangers.

    `is_app_user` is true: everybody here has authorised the app. Source: docs.slack.dev, "User object".
    """
    person = workspace.people.get(text_argument(args, "user", required=True))
    if person is None:
        raise RefusedError("user_not_found")
    user: JsonObject = {**asdict(person), "is_app_user": not person.is_bot}
    org, within = user.pop("organisation"), user.pop("teams")
    if within:
        user["enterprise_user"] = {"id": person.id, "enterprise_id": org, "teams": within}
    if not person.is_stranger:
        del user["is_stranger"]
    if person.deleted:
        del user["is_restricted"], user["is_ultra_restricted"]
    if not flag_argument(args, "include_locale"):
        del user["locale"]
    return {"user": user}


def bots_info(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Describe the app's bot, the only one there is. Source: docs.slack.dev, bots.info."""
    world = workspace.world
    if text_argument(args, "bot") != world.bot_id:
        raise RefusedError("bot_not_found")
    name = workspace.people[world.bot_user_id].name
    bot: JsonObject = {"id": world.bot_id, "deleted": False, "name": name, "app_id": world.app_id}
    return {"bot": {**bot, "user_id": world.bot_user_id}}


def usergroups(workspace: Workspace, args: JsonObject) -> JsonObject:
    """List the user groups of a workspace, including disabled ones on request.

    A token of an organisation has to name the workspace. Source: slack-ruby/slack-api-ref, usergroups.list.
    """
    shown: list[Json] = []
    world, team_id = workspace.world, text_argument(args, "team_id")
    if world.organisation and not team_id:
        raise RefusedError("missing_argument")
    if world.organisation and team_id not in world.organisation.workspaces:
        raise RefusedError("invalid_team")
    for group in workspace.groups.values():
        if world.organisation and group.team_id != team_id:
            continue
        if group.disabled and not flag_argument(args, "include_disabled"):
            continue
        told: JsonObject = {"id": group.id, "team_id": group.team_id}
        told |= {"name": group.handle, "handle": group.handle}
        told["date_delete"] = int(group.disabled)
        if flag_argument(args, "include_users"):
            told["users"] = [*sorted(group.members)]
        shown.append(told)
    return {"usergroups": shown}


def validate(_workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return an empty response if blocks, a message or a view are valid, or refuse them with all errors and their places."""
    given = [kind for kind in ("blocks", "message", "view") if args.get(kind)]
    if len(given) != 1:
        raise invalid_arguments("[ERROR] provide exactly one of blocks, view, or message")
    (kind,) = given
    found = args[kind]
    inner = found if isinstance(found, dict) else {}
    root = "/blocks" if kind == "blocks" else "/view"
    if kind == "blocks":
        problems = block_errors(found)
    elif kind == "message":
        problems = block_errors(inner.get("blocks", []))
    else:
        problems = view_errors(found, "home" if inner.get("type") == "home" else "modal")
    if problems:
        errors: list[Json] = [
            {"pointer": at.removeprefix(root), "code": "failed_constraint", "message": what}
            for what, at in problems
        ]
        raise RefusedError(f"invalid_{kind}", {"errors": errors})
    return {}


_TIER_2, _TIER_3, _TIER_4 = 20, 50, 100
_A_SECOND = 60  # chat.postMessage has a special limit: one a second per channel, with bursts
_SAID = "blocks channel link_names markdown_text parse text"
_POSTED = f"{_SAID} metadata mrkdwn thread_ts unfurl_links unfurl_media"
_PAGED = "channel cursor include_all_metadata inclusive latest limit oldest"
_LISTED = "cursor exclude_archived limit types"
_GROUPS = "include_disabled include_users"

METHODS: Mapping[str, Method] = {
    "api.test": Method(api_test, None, None, _TIER_4, None),
    "apps.connections.open": Method(
        lambda workspace, _: {"url": workspace.socket_url()}, APP_SCOPE, "", _TIER_3, "app"
    ),
    "auth.teams.list": Method(teams, None, "cursor include_icon limit", _TIER_2),
    "auth.test": Method(auth_test, None, "", None),
    "blocks.validate": Method(validate, None, "blocks message view", _TIER_3),
    "bots.info": Method(bots_info, "users:read", "bot", _TIER_3),
    "chat.delete": Method(delete, "chat:write", "channel ts", _TIER_3),
    "chat.getPermalink": Method(permalink, None, "channel message_ts", None),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write", f"{_SAID} thread_ts user", _TIER_4),
    "chat.postMessage": Method(post_message, "chat:write", _POSTED, _A_SECOND),
    "chat.update": Method(update, "chat:write", f"{_SAID} metadata ts", _TIER_3),
    "conversations.history": Method(history, None, _PAGED, _TIER_3),
    "conversations.info": Method(conversation, None, "channel", _TIER_3),
    "conversations.list": Method(conversations, None, _LISTED, _TIER_2),
    "conversations.open": Method(open_conversation, "im:write", "users", _TIER_3),
    "conversations.replies": Method(replies, None, f"{_PAGED} ts", _TIER_3),
    "usergroups.list": Method(usergroups, "usergroups:read", _GROUPS, _TIER_2),
    "users.info": Method(users_info, "users:read", "include_locale user", _TIER_4),
    "views.open": Method(open_view, None, "trigger_id view", _TIER_4),
    "views.publish": Method(publish_view, None, "user_id view", _TIER_4),
}
"""The methods by name, each with the arguments that the bot sends.

Source: docs.slack.dev, reference/methods: each page has the tier; apis/web-api/rate-limits has the minimum of each tier.
Slack tolerates bursts; here the minimum is the limit for any minute.
"""
