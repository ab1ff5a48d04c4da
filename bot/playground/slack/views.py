"""The methods of the stand-in Slack's Web API that show views, and a view as they return it."""

from bot.playground.loopback import JsonObject
from bot.playground.slack.refused import RefusedError, invalid_arguments
from bot.playground.slack.rules import json_argument, text_argument
from bot.playground.slack.surfaces import MAX_STACK, View
from bot.playground.slack.values import values
from bot.playground.slack.view_rules import completed
from bot.playground.slack.workspace import Workspace


def shown(workspace: Workspace, view: View) -> JsonObject:
    """Return a view as the Web API and the payloads show it, with its state."""
    world = workspace.world
    return {
        "id": view.id,
        "team_id": world.team_id,
        **view.body,
        "state": {"values": values(view.blocks, view.typed)},
        "hash": view.hash,
        "root_view_id": view.root,
        "previous_view_id": view.previous,
        "app_id": world.app_id,
        "app_installed_team_id": world.team_id,
        "bot_id": world.bot_id,
    }


def open_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a modal to the person behind a trigger_id."""
    body = _body(workspace, args, "modal")
    trigger = workspace.triggers.exchange(text_argument(args, "trigger_id", required=True))
    return {"view": shown(workspace, workspace.surfaces.open(trigger.user, body))}


def push_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a modal on top of the one that the trigger_id comes from."""
    body = _body(workspace, args, "modal")
    trigger = workspace.triggers.exchange(text_argument(args, "trigger_id", required=True))
    below = workspace.surfaces.find(trigger.view_id)
    if below is None or below.kind != "modal":
        raise RefusedError("not_found")
    if len(workspace.surfaces.stack(trigger.user)) >= MAX_STACK:
        raise RefusedError("push_limit_reached")
    return {"view": shown(workspace, workspace.surfaces.push(trigger.user, body))}


def update_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Update an open view; refuse it if the given hash is not the present one."""
    external, view_id = text_argument(args, "external_id"), text_argument(args, "view_id")
    if not external and not view_id:
        raise invalid_arguments("[ERROR] missing required field: view_id")
    surfaces = workspace.surfaces
    view = surfaces.find(view_id) if view_id else surfaces.named(external)
    if view is None:
        raise RefusedError("not_found")
    body = _body(workspace, args, view.kind, view)
    if text_argument(args, "hash") not in {"", view.hash}:
        raise RefusedError("hash_conflict")
    return {"view": shown(workspace, surfaces.update(view, body))}


def publish_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a view in a person's App Home."""
    user = text_argument(args, "user_id", required=True)
    if workspace.direct_message(user) is None:
        raise invalid_arguments("[ERROR] invalid user [json-pointer:/user_id]")
    before = workspace.surfaces.home(user)
    body = _body(workspace, args, "home", before)
    if text_argument(args, "hash") not in {"", "" if before is None else before.hash}:
        raise RefusedError("hash_conflict")
    return {"view": shown(workspace, workspace.surfaces.publish(user, body))}


def _body(
    workspace: Workspace, args: JsonObject, kind: str, current: View | None = None
) -> JsonObject:
    """Return the view of a call, or refuse it; its external_id may only be that of `current`."""
    view = json_argument(args, "view", "invalid_arguments")
    if view is None:
        raise invalid_arguments("[ERROR] missing required field: view")
    body = completed(view, kind)
    namesake = workspace.surfaces.named(str(body["external_id"]))
    if namesake is not None and (current is None or namesake.id != current.id):
        raise RefusedError("duplicate_external_id")
    return body
