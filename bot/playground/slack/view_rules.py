"""What Slack demands of a view before it shows it.

Source: docs.slack.dev, reference/views: modals and App Home tabs.
"""

import json
from collections.abc import Mapping

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.blocks import view_block_errors
from bot.playground.slack.refused import RefusedError, invalid_arguments
from bot.playground.slack.shapes import Check, error, fields, flag, one_of, plain, string
from bot.playground.slack.values import identified

MAX_BYTES = 250_000

_ANY_VIEW: Mapping[str, Check] = {
    "blocks*": lambda _value, _at: iter(()),  # checked with the view as a whole
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}
_VIEWS: Mapping[str, Check] = {
    "modal": fields(
        {
            "type*": one_of("modal"),
            "title*": plain(24),
            "submit": plain(24),
            "close": plain(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
            **_ANY_VIEW,
        }
    ),
    "home": fields({"type*": one_of("home"), **_ANY_VIEW}),
}


def view_errors(view: Json, kind: str) -> list[str]:
    """Return Slack's errors about a view of this kind, in its own form."""
    errors = [*_VIEWS[kind](view, "/view")]
    if isinstance(view, dict):
        blocks = view.get("blocks", [])
        errors += view_block_errors(blocks)
        asks = any(each.get("type") == "input" for each in objects(blocks))
        if kind == "modal" and asks and "submit" not in view:
            errors.append(error("must define `submit` to use an `input` block in modals", "/view"))
    return errors


def completed(view: Json, kind: str) -> JsonObject:
    """Return a view with everything that Slack adds to it; refuse an invalid one."""
    errors = view_errors(view, kind)
    if errors or not isinstance(view, dict):
        raise invalid_arguments(*errors)
    if len(json.dumps(view, ensure_ascii=False).encode()) > MAX_BYTES:
        raise RefusedError("view_too_large")
    return {
        "title": None,
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
