"""What Slack demands of a view before it shows it.

Source: docs.slack.dev, reference/views: modals and App Home tabs.
"""

import json

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.blocks import view_block_errors
from bot.playground.slack.refused import RefusedError, invalid_arguments
from bot.playground.slack.shapes import Check, Shape, error, flag, one_of, plain_only, string
from bot.playground.slack.values import identified

MAX_BYTES = 250_000

_id = string(255, least=0)


def _shape(kind: str, more: dict[str, Check], required: set[str]) -> Shape:
    common: dict[str, Check] = {
        "type": one_of(kind),
        "blocks": lambda _value, _at: iter(()),
        "private_metadata": string(3000, least=0),
        "callback_id": _id,
        "external_id": _id,
    }
    return Shape({**common, **more}, frozenset({"type", "blocks", *required}))


_VIEWS = {
    "modal": _shape(
        "modal",
        {
            "title": plain_only(24),
            "submit": plain_only(24),
            "close": plain_only(24),
            "clear_on_close": flag,
            "notify_on_close": flag,
            "submit_disabled": flag,
        },
        {"title"},
    ),
    "home": _shape("home", {}, set()),
}


def view_errors(view: Json, kind: str) -> list[str]:
    """Return what Slack would say against a view of this kind, in its own form."""
    errors = [*_VIEWS[kind](view, "/view")]
    if isinstance(view, dict):
        blocks = view.get("blocks", [])
        errors += view_block_errors(blocks)
        asks = any(isinstance(b, dict) and b.get("type") == "input" for b in _listed(blocks))
        if kind == "modal" and asks and "submit" not in view:
            errors.append(error("must define `submit` to use an `input` block in modals", "/view"))
    return errors


def completed(view: Json, kind: str) -> JsonObject:
    """Return a view with everything that Slack adds to it, or refuse it."""
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
        "blocks": [*identified(_listed(view["blocks"]))],
    }


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
