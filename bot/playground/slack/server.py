"""A local Slack: people type commands, click, fill in forms and open pages, and the real app responds."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.block_kit import OFFERED
from bot.playground.slack.connected import Connected
from bot.playground.slack.conversations import rendered
from bot.playground.slack.payloads import (
    TOKEN,
    app_home_opened,
    app_mention,
    channel_fields,
    element_of,
    interaction,
    place_fields,
)
from bot.playground.slack.refusals import ImpossibleError, RefusedError
from bot.playground.slack.surfaces import View, check, chosen
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.slack.views import completed, shown, updated
from bot.playground.slack.workspace import Where
from bot.slack.preflight import MENTIONS

MIN_QUERY = 3

__all__ = ["Ack", "LocalSlack", "PostedMessage"]


class LocalSlack(Connected):
    """Slack on 127.0.0.1, with what people do in it."""

    async def command(
        self,
        user_id: str,
        channel_id: str,
        text: str,
        command: str = "/share-env",
        trigger_id: str | None = None,
    ) -> Ack:
        """Type a slash command; returns after the ack, or when Slack has given up on it."""
        person, channel = self.people[user_id], self.channels[channel_id]
        org, team_id = self.world.organisation, self.team_of(user_id)
        of_org: JsonObject = {"enterprise_id": org.id, "enterprise_name": org.domain} if org else {}
        payload: JsonObject = {
            "token": TOKEN,
            "team_id": team_id,
            "team_domain": self.domain_of(team_id),
            **of_org,
            "channel_id": channel.id,
            "channel_name": self.name_in_commands(channel),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": self.world.app_id,
            "is_enterprise_install": "true" if org else "false",
            "response_url": self.response_url(user_id, channel_id),
            "trigger_id": trigger_id or self.next_trigger(),
        }
        return await self.deliver("slash_commands", payload)

    async def say(
        self, user: str, channel: str, text: str, thread: str | None = None
    ) -> Ack | None:
        """Write a message as Slack's client sends it, and return the ack if the app hears of it: if it is mentioned there."""
        message = PostedMessage(self.next_ts(), channel, user, text, thread_ts=thread, via="slack")
        self.post(message)
        return await self._tell_of_mention(message)

    async def reword(self, ts: str, text: str) -> Ack | None:
        """Edit a person's message; the app hears again of one that mentions it."""
        message = self.sought(ts)
        if message is None or message.deleted:
            raise ImpossibleError(f"there is no message {ts}")
        edited = replace(message, text=text, edits=message.edits + 1, edited_ts=self.next_ts())
        self.edit(edited)
        return await self._tell_of_mention(edited)

    async def _tell_of_mention(self, message: PostedMessage) -> Ack | None:
        there, bot = self.channels[message.channel], self.world.bot_user_id
        mentioned = f"<@{bot}>" in message.text and there.kind != "im"
        if not (mentioned and MENTIONS in self.scopes and self.is_member(there)):
            return None
        return await self.deliver("events_api", app_mention(self, message))

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
        fields = place_fields(self, at)
        fields["actions"] = [{**found.element, "block_id": found.block_id}]
        if isinstance(at, PostedMessage):
            fields["response_url"] = self.response_url(user, at.channel, at.ts)
        return await self._interact("block_actions", user, fields, team)

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
        ids = {"action_id": found.action_id, "block_id": found.block_id}
        fields: JsonObject = {**ids, "value": typed, **place_fields(self, at)}
        ack = await self._interact("block_suggestion", user, fields)
        return self._offered(found.action_id, ack)

    async def shortcut(self, user: str, callback_id: str) -> Ack:
        """Start a global shortcut."""
        return await self._interact("shortcut", user, {"callback_id": callback_id})

    async def message_shortcut(self, user: str, callback_id: str, message: Where) -> Ack:
        """Start a message shortcut; an ephemeral message has none."""
        seen = self.on_screen(user, message)
        if not isinstance(seen, PostedMessage) or seen.ephemeral_to is not None:
            raise ImpossibleError("There are message shortcuts only on messages that stay.")
        fields: JsonObject = {
            "callback_id": callback_id,
            "response_url": self.response_url(user, seen.channel, seen.ts),
            "channel": channel_fields(self, seen.channel),
            "message_ts": seen.ts,
            "message": rendered(self, seen, with_metadata=True),
        }
        return await self._interact("message_action", user, fields)

    async def open_home(self, user: str, tab: Literal["home", "messages"] = "home") -> Ack:
        """Open the app's page, about which the bot gets an event."""
        channel = self.direct_message(user)
        if channel is None:
            raise ImpossibleError(f"{user} has no App Home")
        event = app_home_opened(self, user, channel.id, tab)
        return await self.deliver("events_api", event)

    async def _interact(
        self, kind: str, user: str, fields: JsonObject, team: str | None = None
    ) -> Ack:
        payload = interaction(self, kind, user, team, in_view="view" in fields) | fields
        return await self.deliver("interactive", payload)

    def _offered(self, action_id: str, ack: Ack) -> list[JsonObject]:
        answer = ack.payload or {}
        problems = [*OFFERED(answer, "")] if answer.get("options") != [] else []
        if ack.error is None and problems:
            self.violations.append(f"ack: block_suggestion: {'; '.join(map(str, problems))}")
        if ack.error is not None or problems:
            raise ImpossibleError(f"The options did not load: {ack.error or problems[0]}")
        offered = objects(answer.get("options"))
        self.offered[action_id] = offered
        return offered

    def fill(self, user: str, view: View, entries: Mapping[str, Json]) -> View:
        """Put values into a view without sending anything, and return the view.

        Values are given by action_id: text for an input, an option's value or text for a select, a list of them for checkboxes,
        None to clear it.
        """
        current = self.open_view(user, view)
        for action_id, value in entries.items():
            found = element_of(current, action_id)
            now = chosen(found.element, value, self.offered.get(found.action_id, ()))
            held = {**current.typed.get(found.block_id, {}), found.action_id: now}
            current = replace(current, typed={**current.typed, found.block_id: held})
        self.views[user, current.kind] = current
        return current

    async def submit(self, user: str, view: View, values: Mapping[str, Json] | None = None) -> Ack:
        """Fill in a modal and submit it; the ack's `errors` are the bot's errors by field.

        The modal closes, changes or stays as the ack says; without a valid ack it stays. Raises ImpossibleError if Slack's own
        validation prevents sending.
        """
        current = self.fill(user, view, values or {})
        if not current.body["submit"]:
            raise ImpossibleError("the modal has no button to submit it")
        check(current.blocks, current.typed)
        fields: JsonObject = {"view": shown(self, current), "response_urls": []}
        ack = await self._interact("view_submission", user, fields)
        left = self.view(current.id)
        if ack.error is None and left is not None:
            try:
                self._follow(left, ack.payload or {})
            except RefusedError as refused:  # the modal stays
                self.violations.append(f"ack: view_submission: {refused.error} {refused.details}")
                self.changed()
        return ack

    def close(self, user: str, view: View) -> None:
        """Close a modal; the bot is not notified."""
        current = self.open_view(user, view)
        del self.views[user, current.kind]
        self._tell_of(current, "closed")

    def _follow(self, view: View, answer: JsonObject) -> None:
        match answer.get("response_action"):
            case None:
                self.close(view.user, view)
            case "errors":
                self.show(replace(view, errors=_errors(view, answer.get("errors"))), "refused")
            case "update":
                body = completed(answer.get("view"), "modal")
                self.show(updated(self, view, body), "updated")
            case other:
                raise RefusedError(f"there is no response_action {other}")


def _errors(view: View, errors: Json) -> dict[str, str]:
    """Return the errors to show; each must be for an input block of the view."""
    asking = {str(block["block_id"]) for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - asking:
        raise RefusedError("invalid_errors", {"errors": errors, "input_blocks": [*sorted(asking)]})
    return {block: str(said) for block, said in errors.items()}
