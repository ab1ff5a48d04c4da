"""Modals and App Home tabs in the Web API: their checks and methods. Source: docs.slack.dev, reference/views."""

import json
from collections.abc import Mapping
from dataclasses import replace

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.block_kit import (
    Check,
    Flaw,
    fields,
    one_of,
    plain,
    string,
    view_block_errors,
)
from bot.playground.slack.refusals import RefusedError, invalid_arguments, text_argument
from bot.playground.slack.surfaces import View, identified, values
from bot.playground.slack.workspace import Workspace

MAX_BYTES = 250_000

_HOME_TITLE: JsonObject = {"type": "plain_text", "text": "View Title", "emoji": True}
"""The title of an App Home, which nobody gives it. Source: java-slack-sdk, BlockActionPayloadTest."""

_ANY_VIEW: Mapping[str, Check] = {
    "blocks*": lambda _value, _at: (),  # checked together with the whole view
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
}
_VIEWS: Mapping[str, Check] = {
    "modal": fields(
        {
            "type*": one_of("modal"),
            "title*": plain(24),
            "submit": plain(24),
            "close": plain(24),
            **_ANY_VIEW,
        }
    ),
    "home": fields({"type*": one_of("home"), **_ANY_VIEW}),
}


def view_errors(view: Json, kind: str) -> list[Flaw]:
    """Return Slack's errors about a view of this kind."""
    errors = [*_VIEWS[kind](view, "/view")]
    if isinstance(view, dict):
        blocks = view.get("blocks", [])
        errors += view_block_errors(blocks)
        asks = any(each.get("type") == "input" for each in objects(blocks))
        if kind == "modal" and asks and "submit" not in view:
            errors.append(Flaw("must define `submit` to use an `input` block in modals", "/view"))
    return errors


def completed(view: Json, kind: str) -> JsonObject:
    """Return a view with Slack's additions; refuse an invalid one."""
    errors = view_errors(view, kind)
    if errors or not isinstance(view, dict):
        raise invalid_arguments(*errors)
    if len(json.dumps(view, ensure_ascii=False).encode()) > MAX_BYTES:
        raise RefusedError("view_too_large")
    return {
        "title": _HOME_TITLE,
        "submit": None,
        "close": None,
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        **view,
        "blocks": [*identified(objects(view["blocks"]))],
    }


def shown(workspace: Workspace, view: View) -> JsonObject:
    """Return a view in the format of the Web API and the payloads, with its state; each is the first of its stack."""
    world = workspace.world
    return {
        "id": view.id,
        "team_id": workspace.team_of(view.user),
        **view.body,
        "state": {"values": values(view.blocks, view.typed)},
        "hash": view.hash,
        "root_view_id": view.id,
        "previous_view_id": None,
        "app_id": world.app_id,
        "app_installed_team_id": world.organisation.id if world.organisation else world.team_id,
        "bot_id": world.bot_id,
    }


def open_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a modal to the person of a trigger_id."""
    body = completed(args.get("view"), "modal")
    user = workspace.triggers.exchange(text_argument(args, "trigger_id", required=True))
    return {"view": shown(workspace, workspace.show(_new(workspace, user, body), "opened"))}


def publish_view(workspace: Workspace, args: JsonObject) -> JsonObject:
    """Show a view in a person's App Home; its id stays, and what was typed into elements with the same ids."""
    user = text_argument(args, "user_id", required=True)
    if workspace.direct_message(user) is None:
        raise invalid_arguments("[ERROR] invalid user [json-pointer:/user_id]")
    body = completed(args.get("view"), "home")
    view = workspace.home(user) or _new(workspace, user, body)
    return {"view": shown(workspace, workspace.show(updated(workspace, view, body), "published"))}


def updated(workspace: Workspace, view: View, body: JsonObject) -> View:
    """Return a view after an update."""
    return replace(view, body=body, errors={}, hash=workspace.next_hash())


def _new(workspace: Workspace, user: str, body: JsonObject) -> View:
    return View(
        id=f"V{workspace.next_number():010d}", user=user, body=body, hash=workspace.next_hash()
    )
