"""What Slack sends to the app when a person clicks, submits a form, or opens something.

Source: docs.slack.dev, reference/interaction-payloads and reference/events/app_home_opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.playground.loopback import JsonObject
from bot.playground.slack.conversations import rendered
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import PostedMessage
from bot.playground.slack.values import Placed, identified, placed, values
from bot.playground.slack.views import shown
from bot.playground.slack.workspace import Workspace

TOKEN = "made-up-verification-token"


def interaction(
    workspace: Workspace, kind: str, user_id: str, team: str | None = None
) -> JsonObject:
    """Return what every interaction tells: who did it, and for which app in which workspace.

    With `team`, both the person and the workspace are said to be of that team. `user.team_id` is the person's own
    workspace, and not the one where they act; a message shortcut has none. For a view, `team` is theirs too, and only
    `view.app_installed_team_id` is that of the app. Sources: bolt-python, tests of extract_team_id; bolt-js, issue 1875;
    java-slack-sdk, json-logs.
    """
    world, person = workspace.world, workspace.people[user_id]
    user: JsonObject = {"id": person.id, "username": person.name, "name": person.name}
    if kind != "message_action":
        user["team_id"] = team or person.team_id
    own = person.team_id if kind in {"view_submission", "view_closed"} else world.team_id
    return {
        "type": kind,
        "user": user,
        "team": {"id": team or own, "domain": world.team_domain},
        "api_app_id": world.app_id,
        "token": TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def app_home_opened(
    workspace: Workspace, user: str, channel: str, tab: str, number: int
) -> JsonObject:
    """Return the event of a person who looks at the app's own page, with the view that is there."""
    world = workspace.world
    event: JsonObject = {
        "type": "app_home_opened",
        "user": user,
        "channel": channel,
        "tab": tab,
        "event_ts": workspace.next_ts(),
    }
    home = workspace.surfaces.home(user)
    if home is not None and tab == "home":
        event["view"] = shown(workspace, home)
    bot: JsonObject = {"team_id": world.team_id, "user_id": world.bot_user_id, "is_bot": True}
    return {
        "type": "event_callback",
        "token": TOKEN,
        "team_id": world.team_id,
        "api_app_id": world.app_id,
        "event": event,
        "event_id": f"Ev{number:09d}",
        "event_time": int(workspace.clock()),
        "authorizations": [{"enterprise_id": None, "is_enterprise_install": False, **bot}],
        "is_ext_shared_channel": False,
    }


def channel_fields(workspace: Workspace, channel_id: str) -> JsonObject:
    """Return a channel as interactions name it."""
    channel = workspace.channels[channel_id]
    return {"id": channel.id, "name": workspace.name_in_commands(channel)}


@dataclass(frozen=True, slots=True)
class ClickedPlace:
    """Where an element is clicked: in a message as somebody sees it, or in a view."""

    workspace: Workspace
    at: PostedMessage | View

    def element(self, sought: str, block: str | None = None) -> Placed:
        """Return the one element with this action_id, or the one button with these words."""
        every = [e for e in self._elements() if block in {None, e.block_id}]
        found = [e for e in every if e.action_id == sought]
        found = found or [e for e in every if e.label == sought]
        if len(found) != 1:
            there = ", ".join(f"{e.action_id} {e.label}".rstrip() for e in every) or "nothing"
            many = "more than one of" if found else "no"
            raise ImpossibleError(f"there is {many} “{sought}”; to act on there is: {there}")
        return found[0]

    def _elements(self) -> Sequence[Placed]:
        return [*placed(identified(self.at.blocks))]

    def fields(self, chosen: Placed, value: JsonObject | None) -> JsonObject:
        """Return what the payload tells of the place, with what an element now holds."""
        state = {} if value is None else {chosen.block_id: {chosen.action_id: value}}
        if isinstance(self.at, View):
            container: JsonObject = {"type": "view", "view_id": self.at.id}
            return {"container": container, "view": shown(self.workspace, self.at)}
        blocks = identified(self.at.blocks)
        return {
            **self._message_fields(self.at),
            "state": {"values": values(blocks, state)},
        }

    def _message_fields(self, message: PostedMessage) -> JsonObject:
        """Return the message's part; that of an ephemeral message is in nobody's history."""
        ephemeral = message.ephemeral_to is not None
        container: JsonObject = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": ephemeral,
        }
        if message.thread_ts is not None:
            container["thread_ts"] = message.thread_ts
        fields: JsonObject = {
            "container": container,
            "channel": channel_fields(self.workspace, message.channel),
        }
        if not ephemeral:
            fields["message"] = rendered(self.workspace, message, with_metadata=True)
        return fields
