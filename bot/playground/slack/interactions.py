"""People's actions in the stand-in Slack: clicks, the options of a select, shortcuts, the App Home."""

from typing import Literal

from bot.playground.loopback import JsonObject, objects
from bot.playground.slack.block_kit import OFFERED
from bot.playground.slack.connected import Connected
from bot.playground.slack.conversations import rendered
from bot.playground.slack.payloads import (
    app_home_opened,
    channel_fields,
    element_of,
    interaction,
    place_fields,
)
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.slack.workspace import Where

MIN_QUERY = 3


class Interactions(Connected):
    """A workspace in which people click, and use Slack's own menus."""

    async def click(
        self,
        user: str,
        where: Where,
        label: str,
        *,
        block: str | None = None,
        team: str | None = None,
    ) -> Ack:
        """Click a button, given by its action_id or label.

        `where` is a ts or a view in its current state, or a message in an earlier state. Raises ImpossibleError if there is no
        such button, or more than one; `block` is the block_id to search.
        """
        at = self.on_screen(user, where)
        found = element_of(at, label, block)
        if found.kind != "button":
            raise ImpossibleError(f"“{label}” is no button but a {found.kind}")
        told = ("type", "text", "value", "style", "action_id", "block_id")
        button = {**found.element, "block_id": found.block_id}
        action = {key: button[key] for key in told if key in button}
        payload: JsonObject = {
            **interaction(self, "block_actions", user, team),
            "trigger_id": self.next_trigger(),
            **place_fields(self, at),
            "actions": [{**action, "action_ts": self.next_ts()}],
        }
        if isinstance(at, PostedMessage):
            payload["response_url"] = self.response_url(user, at.channel, at)
        return await self.deliver("interactive", payload)

    async def options(
        self, user: str, where: Where, action_id: str, typed: str = ""
    ) -> list[JsonObject]:
        """Type into an external select and return the options that the bot offers.

        Below `min_query_length` characters no request is sent. Raises ImpossibleError if no options came.
        """
        at = self.on_screen(user, where)
        found = element_of(at, action_id)
        if found.kind != "external_select":
            raise ImpossibleError(f"“{action_id}” has its options in itself")
        least = found.element.get("min_query_length", MIN_QUERY)
        if isinstance(least, int) and len(typed) < least:
            return []
        payload: JsonObject = {
            **interaction(self, "block_suggestion", user),
            "action_id": found.action_id,
            "block_id": found.block_id,
            "value": typed,
            **place_fields(self, at),
        }
        ack = await self.deliver("interactive", payload)
        return self._offered(found.action_id, ack)

    async def shortcut(self, user: str, callback_id: str) -> Ack:
        """Start a global shortcut."""
        payload = interaction(self, "shortcut", user) | {
            "callback_id": callback_id,
            "trigger_id": self.next_trigger(),
            "action_ts": self.next_ts(),
        }
        return await self.deliver("interactive", payload)

    async def message_shortcut(self, user: str, callback_id: str, message: Where) -> Ack:
        """Start a message shortcut; an ephemeral message has none."""
        seen = self.on_screen(user, message)
        if not isinstance(seen, PostedMessage) or seen.ephemeral_to is not None:
            raise ImpossibleError("there are message shortcuts only on messages that stay")
        payload = interaction(self, "message_action", user) | {
            "callback_id": callback_id,
            "trigger_id": self.next_trigger(),
            "action_ts": self.next_ts(),
            "response_url": self.response_url(user, seen.channel, seen),
            "channel": channel_fields(self, seen.channel),
            "message_ts": seen.ts,
            "message": rendered(self, seen, with_metadata=True),
        }
        return await self.deliver("interactive", payload)

    async def open_home(self, user: str, tab: Literal["home", "messages"] = "home") -> Ack:
        """Open the app's page, about which the bot gets an event."""
        channel = self.direct_message(user)
        if channel is None:
            raise ImpossibleError(f"{user} has no App Home")
        event = app_home_opened(self, user, channel.id, tab, self.next_number())
        return await self.deliver("events_api", event)

    def _offered(self, action_id: str, ack: Ack) -> list[JsonObject]:
        answer = ack.payload or {}
        problems = [*OFFERED(answer, "")] if answer.get("options") != [] else []
        if ack.error is None and problems:
            self.violations.append(f"ack: block_suggestion: {'; '.join(problems)}")
        if ack.error is not None or problems:
            raise ImpossibleError(f"the options did not load: {ack.error or problems[0]}")
        offered = objects(answer.get("options"))
        self.surfaces.offered[action_id] = offered
        return offered
