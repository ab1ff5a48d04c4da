"""Which kind of payload an ack is for, in Slack's terms."""

from collections.abc import Mapping

_KINDS = {
    "block_actions": "click",
    "block_suggestion": "options",
    "event_callback": "event",
    "message_action": "shortcut",
    "shortcut": "shortcut",
    "view_submission": "form",
}
KINDS = ("command", *sorted(set(_KINDS.values())), "other")
"""All that `kind_of` returns."""


def kind_of(payload: Mapping[str, object]) -> str:
    """Return what a payload is: a command, a click, a form that was sent, or the like."""
    if "command" in payload:
        return "command"
    return _KINDS.get(str(payload.get("type")), "other")
