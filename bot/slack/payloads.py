"""Read Slack's payloads: their texts and origin; and the references of messages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.request import Origin

Body = Mapping[str, Any]


def text_at(body: Body, *path: str) -> str:
    """Return the text at a path of keys; raises KeyError or TypeError if there is none."""
    held: Any = body
    for key in path:
        held = held[key]
    if not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held


def text_if_any(body: Body, *path: str) -> str:
    """Return the text at a path of keys, empty if there is nothing; raises TypeError for anything but a text."""
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
    """Return the workspace that the app is installed in; on Enterprise Grid the user may be from another one.

    Whether the user is from another organisation, users.info tells. Sources: bolt-python, extract_team_id; bolt-js,
    issue 1875.
    """
    ways = ("view", "app_installed_team_id"), ("team", "id"), ("user", "team_id")
    return next(filter(None, (text_if_any(body, *way) for way in ways)), "")


def command_origin(body: Body) -> Origin:
    """Return the origin of a slash command."""
    return Origin(
        team_id=text_at(body, "team_id"),
        user_id=text_at(body, "user_id"),
        channel_id=text_at(body, "channel_id"),
        channel_name=text_if_any(body, "channel_name"),
        trigger_id=text_at(body, "trigger_id"),
        response_url=text_at(body, "response_url"),
    )


def shortcut_origin(body: Body) -> Origin:
    """Return the origin of a shortcut: the message's thread, or for a global shortcut a direct message."""
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


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted message; `channel` is the conversation's id, also for a direct message.

    `root` is the thread that it is a reply in, else empty. `found` if it was posted by an earlier attempt, and so may
    have another text.
    """

    channel: str
    ts: str
    root: str = field(default="", compare=False)
    found: bool = field(default=False, compare=False)


def ref_of(*stand: Posted) -> str:
    """Return the reference of posted messages: channel/ts, or channel/ts/root for a reply, joined by spaces."""
    return " ".join("/".join(filter(None, (at.channel, at.ts, at.root))) for at in stand)


def read_ref(ref: str | None) -> list[Posted]:
    """Return the posted messages of a reference; none for a private place."""
    found = (word.split("/") for word in (ref or "").split() if "/" in word)
    return [Posted(channel, ts, "".join(root)) for channel, ts, *root in found]


def link_to(workspace: str, at: Posted) -> str:
    """Return the address of a message, given that of its workspace; of a reply, where it stands in its thread."""
    inside = f"?thread_ts={at.root}&cid={at.channel}" if at.root else ""
    return f"{workspace}archives/{at.channel}/p{at.ts.replace('.', '')}{inside}"
