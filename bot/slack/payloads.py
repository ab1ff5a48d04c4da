"""What Slack sends, read: of which kind it is, its words, where it comes from, and where a message stands. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.request import Origin

Body = Mapping[str, Any]

_DIRECT = ("D", "U", "W")  # a user's id stands for the conversation with the bot
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


def text_at(body: Body, *path: str) -> str:
    """Return the text at a path of keys; raises KeyError or TypeError where there is none."""
    held: Any = body
    for key in path:
        held = held[key]
    if not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held


def text_if_any(body: Body, *path: str) -> str:
    """Return the text at a path of keys, empty where nothing is; raises TypeError where something else is."""
    held: Any = body
    for key in path:
        if held is None:
            return ""
        if not isinstance(held, Mapping):
            raise TypeError(f"{'.'.join(path)} cannot be")
        held = held.get(key)
    if held is not None and not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held or ""


def team_of(body: Body) -> str:
    """Return the workspace that the app is installed in, which on Enterprise Grid need not be that of whoever acts.

    Who is of another organisation, users.info tells. Sources: bolt-python, extract_team_id; bolt-js, issue 1875.
    """
    ways = ("view", "app_installed_team_id"), ("team", "id"), ("user", "team_id")
    return next(filter(None, (text_if_any(body, *way) for way in ways)), "")


def command_origin(body: Body) -> Origin:
    """Read where a slash command was typed."""
    return Origin(
        team_id=text_at(body, "team_id"),
        user_id=text_at(body, "user_id"),
        channel_id=text_at(body, "channel_id"),
        channel_name=text_if_any(body, "channel_name"),
        trigger_id=text_at(body, "trigger_id"),
        response_url=text_at(body, "response_url"),
    )


def shortcut_origin(body: Body) -> Origin:
    """Read where a shortcut was used: one on a message is answered in that message's thread, one on nothing directly."""
    user = text_at(body, "user", "id")
    active = text_if_any(body, "message", "thread_ts")
    return Origin(
        team_id=team_of(body),
        user_id=user,
        channel_id=text_if_any(body, "channel", "id") or user,
        channel_name=text_if_any(body, "channel", "name"),
        trigger_id=text_at(body, "trigger_id"),
        response_url=text_if_any(body, "response_url"),
        thread_ts=active or text_if_any(body, "message", "ts"),
        active_thread=active,
    )


def is_direct(channel: str) -> bool:
    """Tell whether it is a direct message, with the bot or between people."""
    return channel.startswith(_DIRECT)


def is_shared_outside(channel: Mapping[str, object]) -> bool:
    """Tell whether another organisation reads a channel of conversations.info, or is invited to."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that stands; `channel` is the id that Slack gave, also for a direct message.

    `root` is the thread that it stands in, where it began none of its own. `found` is one that was there before, and may
    say something else.
    """

    channel: str
    ts: str
    root: str = field(default="", compare=False)
    found: bool = field(default=False, compare=False)


def ref_of(*stand: Posted) -> str:
    """Return the words for where messages stand: channel/ts, and /root where one stands in a thread of another."""
    return " ".join("/".join(filter(None, (at.channel, at.ts, at.root))) for at in stand)


def read_ref(ref: str | None) -> list[Posted]:
    """Return the messages that stand where these words say; none for the place of an answer that has no message."""
    found = (word.split("/") for word in (ref or "").split() if "/" in word)
    return [Posted(channel, ts, "".join(root)) for channel, ts, *root in found]
