"""blocks.validate of the stand-in Slack: look at blocks, a message or a view, and show nothing.

Source: docs.slack.dev, reference/methods/blocks.validate.
"""

import re

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.blocks import block_errors
from bot.playground.slack.refused import RefusedError, invalid_arguments
from bot.playground.slack.rules import json_argument
from bot.playground.slack.view_rules import view_errors
from bot.playground.slack.workspace import Workspace

_KINDS = ("blocks", "message", "view")
_ERROR = re.compile(r"\[ERROR\] (.*) \[json-pointer:(.*)\]")


def validate(_workspace: Workspace, args: JsonObject) -> JsonObject:
    """Return nothing more than that it is valid, or refuse it with each error and its place."""
    given = [kind for kind in _KINDS if args.get(kind)]
    if len(given) != 1:
        raise invalid_arguments("[ERROR] provide exactly one of blocks, view, or message")
    (kind,) = given
    found = json_argument(args, kind, f"invalid_{kind}")
    if errors := _errors(kind, found):
        raise RefusedError(f"invalid_{kind}", {"errors": [_told(each, kind) for each in errors]})
    return {}


def _errors(kind: str, found: Json) -> list[str]:
    if kind == "blocks":
        return block_errors(found)
    inner = found if isinstance(found, dict) else {}
    if kind == "message":
        return block_errors(inner.get("blocks", []))
    of = inner.get("type")
    return view_errors(found, of if isinstance(of, str) and of in {"home", "modal"} else "modal")


def _told(problem: str, kind: str) -> JsonObject:
    """Return an error; its place is counted from what was given."""
    matched = _ERROR.fullmatch(problem)
    what, at = matched.groups() if matched else (problem, "")
    within = at.removeprefix("/blocks" if kind == "blocks" else "/view")
    return {"pointer": within, "code": "failed_constraint", "message": what}
