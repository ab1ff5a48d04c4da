"""Read what Slack sends: the texts, origin and click of a payload; and link to messages.

Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.command.tokenizer import seen
from bot.domain.request import Click, Origin
from bot.messages.blocks import Posted, read_ref, read_value, ref_of
from bot.messages.modals import COMMENT
from bot.messages.words import as_typed

Body = Mapping[str, Any]

PERSON = ("U", "W")
"""What user ids begin with."""
DIRECT = ("D", *PERSON)
"""What the ids of direct messages begin with; a user id means the conversation with the bot."""

_MENTION = re.compile(r"\s*<@(\w+)(?:\|[^<>]*)?>")
_QUOTED = re.compile(r"^[ \t]*(?:&gt;|>)|```", re.MULTILINE)
_QUOTES = {"rich_text_quote", "rich_text_preformatted"}
# A reply that is also sent to the channel, and a text beside a file, are new messages of people; other subtypes are not.
_NEW = (None, "", "thread_broadcast", "file_share")


def text_at(body: Body, *path: str) -> str:
    """Return the text at a path of keys; raises KeyError if there is none or it is empty, TypeError for anything else."""
    if text := text_if_any(body, *path):
        return text
    raise KeyError(".".join(path))


def text_if_any(body: Body, *path: str) -> str:
    """Return the text at a path of keys, empty if there is nothing; raises TypeError for anything but a text."""
    held: Any = body
    for key in path:
        if held is None:
            return ""
        if not isinstance(held, dict):
            raise TypeError(f"{'.'.join(path)} cannot be")
        held = held.get(key)
    if held is not None and not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held or ""


def team_of(body: Body) -> str:
    """Return the workspace that the app is installed in; on Enterprise Grid the user may be from another one.

    If it is installed for an organisation (“E…”), the workspace where the user is: `team` is null beside views and global
    shortcuts. Whether the user is from another organisation, users.info tells. Sources: bolt-python, extract_team_id;
    bolt-js, issue 1875; java-slack-sdk, ViewClosedRequestTest and GlobalShortcutPayloadTest.
    """
    ways = (
        ("view", "app_installed_team_id"),
        ("team", "id"),
        ("view", "team_id"),
        ("user", "team_id"),
    )
    found = (text_if_any(body, *way) for way in ways)
    return next((each for each in found if each and not each.startswith("E")), "")


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


def mention_of(body: Body, bot_user_id: str) -> tuple[Origin, str] | None:
    """Read an app_mention as who asked where, and the text behind the mention; None if it is no command.

    A command is a person's new message that begins with the mention, up to the first quote or block of code: what somebody
    else said stands there. Its trigger id is the message's, which a second delivery has too. Of a channel that is shared
    with another organisation, `authorizations` has the workspace where the app is installed (bolt-python,
    extract_team_id), unless it is installed for an organisation (test_events_org_apps there). Sources: docs.slack.dev,
    app_mention, message and "Formatting message text".
    """
    event = body["event"]
    if event.get("edited") or event.get("bot_id") or event.get("subtype") not in _NEW:
        return None
    text = text_if_any(event, "text")
    mention = _MENTION.match(text)
    if not mention or mention[1] != bot_user_id:
        return None
    quoted = _QUOTED.search(text, mention.end())
    if not quoted and _QUOTES & _kinds_in(event.get("blocks")):
        return None  # the text does not show where the quote begins
    authorized = next(iter(body.get("authorizations") or ()), body)
    team_id = text_if_any(authorized, "team_id") or text_at(body, "team_id")
    channel_id = text_at(event, "channel")
    ts, thread_ts = text_at(event, "ts"), text_if_any(event, "thread_ts")
    origin = Origin(
        team_id=team_id,
        user_id=text_at(event, "user"),
        channel_id=channel_id,
        channel_name="",
        trigger_id=f"{team_id} {channel_id} {ts}",
        response_url="",
        thread_ts=thread_ts or ts,
        active_thread=thread_ts,
    )
    return origin, text[mention.end() : quoted.start() if quoted else None]


def _kinds_in(blocks: object) -> set[object]:
    """Return the kinds of the parts that a person's text consists of."""
    rich = [each for each in _objects(blocks) if each.get("type") == "rich_text"]
    return {part.get("type") for each in rich for part in _objects(each.get("elements"))}


def _objects(held: object) -> list[Body]:
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def shortcut_origin(body: Body) -> Origin:
    """Return the origin of a shortcut: the message's thread, or for a global shortcut a direct message."""
    channel = text_if_any(body, "channel", "id") or text_at(body, "user", "id")
    active = text_if_any(body, "message", "thread_ts")
    origin = _origin(body, text_at(body, "trigger_id"), channel, active)
    return replace(origin, thread_ts=active or text_if_any(body, "message", "ts"))


def _origin(body: Body, trigger_id: str, channel_id: str, thread_ts: str) -> Origin:
    """Return the origin of anything but a command; the thread has replies, or is empty."""
    return Origin(
        team_id=team_of(body),
        user_id=text_at(body, "user", "id"),
        channel_id=channel_id,
        channel_name=text_if_any(body, "channel", "name"),
        trigger_id=trigger_id,
        response_url=text_if_any(body, "response_url"),
        thread_ts=thread_ts,
        active_thread=thread_ts,
    )


def click_of(body: Body) -> Click:
    """Read block_actions; a button on the App Home has no channel and no message."""
    ephemeral = (body.get("container") or {}).get("is_ephemeral")
    channel_id = text_if_any(body, "channel", "id") or text_if_any(body, "container", "channel_id")
    root = text_if_any(body, "message", "thread_ts") or text_if_any(body, "container", "thread_ts")
    ts = "" if ephemeral else text_if_any(body, "message", "ts")
    # Slack returns a message's texts escaped (bolt-python, issue 513); whether also a button's value is not documented.
    request_id, reason = read_value(as_typed(text_if_any(body["actions"][0], "value")))
    origin = _origin(body, text_at(body, "trigger_id"), channel_id, root)
    message = ref_of(Posted(channel_id, ts, root)) if ts else None
    return Click(origin, request_id, message, reason, organisation=_organisation_of(body))


def is_private(click: Click) -> bool:
    """Tell whether nobody else sees the clicked message, so that a reply may replace it: an ephemeral or a direct one."""
    seen_in = [at.channel for at in read_ref(click.message)]
    return bool(click.origin.channel_id) and all(each.startswith(DIRECT) for each in seen_in)


def decision_of(body: Body) -> Click:
    """Read the view_submission of a decision's modal, as a click on the message with the button."""
    request_id, message = read_value(text_at(body, "view", "private_metadata"))
    at = next(iter(read_ref(message)), Posted("", ""))
    held = (body["view"]["state"]["values"].get(COMMENT) or {}).get(COMMENT) or {}
    comment = seen(held.get("value") or "") or None
    trigger_id = f"{body['view']['id']} {body['view'].get('hash', '')}"
    origin = _origin(body, trigger_id, at.channel, at.root)
    organisation = _organisation_of(body)
    where = message if at.ts else None
    return Click(origin, request_id, where, comment=comment, organisation=organisation)


def _organisation_of(body: Body) -> str:
    """Return the organisation of the person who acts. Source: java-slack-sdk, tests of ViewClosedRequest."""
    return text_if_any(body, "enterprise", "id")


def without_buttons(body: Body) -> dict[str, object] | None:
    """Return the arguments that update the clicked message to one without buttons; None if it is ephemeral."""
    message = body.get("message") or {}
    channel, ts = text_if_any(body, "channel", "id"), text_if_any(body, "message", "ts")
    if not channel or not ts or (body.get("container") or {}).get("is_ephemeral"):
        return None
    kept = [block for block in message.get("blocks") or [] if block.get("type") != "actions"]
    return {"channel": channel, "ts": ts, "text": message.get("text") or "", "blocks": kept}


def event_payload(message: Mapping[str, object]) -> Mapping[str, object]:
    """Return the payload of a message's metadata; empty if it has none."""
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return payload if isinstance(payload, dict) else {}


def link_to(workspace: str, at: Posted) -> str:
    """Return the address of a message, given that of its workspace; of a reply, where it stands in its thread."""
    inside = f"?thread_ts={at.root}&cid={at.channel}" if at.root else ""
    return f"{workspace}archives/{at.channel}/p{at.ts.replace('.', '')}{inside}"
