"""What Slack sends when a person acts.

Source: docs.slack.dev, reference/interaction-payloads, reference/events/app_home_opened, reference/events/app_mention.
"""

from bot.playground.loopback import JsonObject
from bot.playground.slack.conversations import rendered
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import Placed, View, placed
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.views import shown
from bot.playground.slack.workspace import Workspace

TOKEN = "made-up-verification-token"
_SHORTCUTS = {"shortcut", "message_action"}


def interaction(
    workspace: Workspace, kind: str, user_id: str, team: str | None = None, *, in_view: bool = False
) -> JsonObject:
    """Return the fields common to all interactions: the person, the workspace and, but for shortcuts, the app.

    With `team`, the person and the workspace are given as that team. `user.team_id` is the person's own workspace, not the
    one where they act; a message shortcut has none. In a view's payload `team` is theirs too, and only
    `view.app_installed_team_id` is the app's. Sources: bolt-python, tests of extract_team_id, of shortcuts and of message
    shortcuts; bolt-js, issue 1875; java-slack-sdk, json-logs.

    Where the app is installed for an organisation, `team` is null `in_view` and for global shortcuts, and `enterprise` is
    that of the person. Sources: java-slack-sdk, ViewClosedRequestTest (org-wide and shared channels) and
    GlobalShortcutPayloadTest.
    """
    world, person = workspace.world, workspace.people[user_id]
    user: JsonObject = {"id": person.id}
    if kind != "shortcut":
        user["name"] = person.name
    if kind != "message_action":
        user |= {"username": person.name, "team_id": team or person.team_id}
    own = person.team_id if kind == "view_submission" else world.team_id
    triggers: JsonObject = {"trigger_id": workspace.next_trigger()}
    common: JsonObject = {
        "type": kind,
        **(triggers if kind != "block_suggestion" else {}),
        "user": user,
        "team": {"id": team or own, "domain": world.team_domain},
        **({} if kind in _SHORTCUTS else {"api_app_id": world.app_id}),
        "token": TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }
    if world.organisation is None:
        return common
    at = team or workspace.team_of(user_id)
    where: JsonObject = {"id": at, "domain": workspace.domain_of(at)}
    return common | {
        "user": {**user, "team_id": at},
        "team": None if in_view or kind == "shortcut" else where,
        "enterprise": {"id": person.organisation, "name": "made-up"},
        "is_enterprise_install": True,
    }


def app_home_opened(workspace: Workspace, user: str, channel: str, tab: str) -> JsonObject:
    """Return the event for a person who opens the app's page, with the current view."""
    event: JsonObject = {
        "type": "app_home_opened",
        "user": user,
        "channel": channel,
        "tab": tab,
        "event_ts": workspace.next_ts(),
    }
    home = workspace.home(user)
    if home is not None and tab == "home":
        event["view"] = shown(workspace, home)
    return _event(workspace, event, user)


def app_mention(workspace: Workspace, message: PostedMessage) -> JsonObject:
    """Return the event for a person's message that mentions the app; `edited` if it was edited."""
    said = rendered(workspace, message)
    thread: JsonObject = {"thread_ts": message.thread_ts} if message.thread_ts else {}
    del said["team"]
    said.pop("thread_ts", None)
    event: JsonObject = {
        **said,
        **thread,
        "type": "app_mention",
        "team": workspace.people[message.user].team_id,
        "channel": message.channel,
        "event_ts": message.edited_ts or message.ts,
    }
    return _event(workspace, event, message.user)


def _event(workspace: Workspace, event: JsonObject, user: str) -> JsonObject:
    """Return an event of a person's with what is around it.

    Where the app is installed for an organisation, the authorization has no team. Source: bolt-python,
    tests/scenario_tests/test_events_org_apps.py.
    """
    world, org = workspace.world, workspace.world.organisation
    home: JsonObject = {
        "enterprise_id": org.id if org else None,
        "is_enterprise_install": bool(org),
    }
    home["team_id"] = None if org else world.team_id
    return {
        "type": "event_callback",
        "token": TOKEN,
        "team_id": workspace.team_of(user),
        **({"enterprise_id": org.id} if org else {}),
        "api_app_id": world.app_id,
        "event": event,
        "event_id": f"Ev{workspace.next_number():09d}",
        "authorizations": [{**home, "user_id": world.bot_user_id, "is_bot": True}],
    }


def channel_fields(workspace: Workspace, channel_id: str) -> JsonObject:
    """Return a channel as in interaction payloads."""
    channel = workspace.channels[channel_id]
    return {"id": channel.id, "name": workspace.name_in_commands(channel)}


def element_of(at: PostedMessage | View, sought: str, block: str | None = None) -> Placed:
    """Return the single element with this action_id, or the single button with this label, in a message or a view."""
    every = [e for e in placed(at.blocks) if block in {None, e.block_id}]
    found = [e for e in every if e.action_id == sought] or [e for e in every if e.label == sought]
    if len(found) != 1:
        there = ", ".join(f"{e.action_id} {e.label}".rstrip() for e in every) or "nothing"
        many = "more than one of" if found else "no"
        raise ImpossibleError(f"There is {many} “{sought}”; to act on there is: {there}")
    return found[0]


def place_fields(workspace: Workspace, at: PostedMessage | View) -> JsonObject:
    """Return the fields about the place of an element; an ephemeral message itself is left out, as in Slack."""
    if isinstance(at, View):
        return {
            "container": {"type": "view", "view_id": at.id},
            "view": shown(workspace, at),
        }
    ephemeral = at.ephemeral_to is not None
    container: JsonObject = {
        "type": "message",
        "message_ts": at.ts,
        "channel_id": at.channel,
        "is_ephemeral": ephemeral,
    }
    if at.thread_ts is not None:
        container["thread_ts"] = at.thread_ts
    fields: JsonObject = {
        "container": container,
        "channel": channel_fields(workspace, at.channel),
        "state": {"values": {}},
    }
    if not ephemeral:
        fields["message"] = rendered(workspace, at, with_metadata=True)
    return fields
