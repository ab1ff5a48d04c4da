"""A local Slack: people type commands, click, and fill in forms, and the real app responds."""

from collections.abc import Mapping
from dataclasses import replace

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.block_kit import block_errors
from bot.playground.slack.interactions import Interactions
from bot.playground.slack.payloads import TOKEN, element_of, interaction
from bot.playground.slack.refusals import ImpossibleError, RefusedError
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import Ack, ApiCall, PostedMessage
from bot.playground.slack.values import Placed, chosen, placed, values
from bot.playground.slack.views import completed, shown

__all__ = [
    "Ack",
    "ApiCall",
    "ImpossibleError",
    "LocalSlack",
    "PostedMessage",
    "View",
    "block_errors",
]


class LocalSlack(Interactions):
    """Slack on 127.0.0.1, with the message box and whole modals on top of `Interactions`."""

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
        payload: JsonObject = {
            "token": TOKEN,
            "team_id": self.world.team_id,
            "team_domain": self.world.team_domain,
            "channel_id": channel.id,
            "channel_name": self.name_in_commands(channel),
            "user_id": person.id,
            "user_name": person.name,
            "command": command,
            "text": text,
            "api_app_id": self.world.app_id,
            "is_enterprise_install": "false",
            "response_url": self.response_url(user_id, channel_id),
            "trigger_id": trigger_id or self.next_trigger(),
        }
        return await self.deliver("slash_commands", payload)

    def fill(self, user: str, view: View, entries: Mapping[str, Json]) -> View:
        """Put values into a view without sending anything, and return the view.

        Values are given by action_id, or by block_id and action_id: text for an input, an option's value or text for a select, a
        list of them for checkboxes, None to clear it.
        """
        current = self.open_view(user, view)
        for found, value in _entries(current, entries):
            now = chosen(found.element, value, self.surfaces.offered.get(found.action_id, ()))
            held = {**current.typed.get(found.block_id, {}), found.action_id: now}
            current = replace(current, typed={**current.typed, found.block_id: held})
        self.surfaces.put(current)
        return current

    async def submit(self, user: str, view: View, values: Mapping[str, Json] | None = None) -> Ack:
        """Fill in a modal and submit it; the ack's `errors` are the bot's errors by field.

        The modal closes, changes or stays as the ack says; without a valid ack it stays. Raises ImpossibleError if Slack's own
        validation prevents sending.
        """
        current = self.fill(user, view, values or {})
        if not current.body["submit"]:
            raise ImpossibleError("the modal has no button to submit it")
        _check(current)
        payload: JsonObject = {
            **interaction(self, "view_submission", user),
            "trigger_id": self.next_trigger(),
            "view": shown(self, current),
            "response_urls": [],
        }
        ack = await self.deliver("interactive", payload)
        left = self.surfaces.find(current.id)
        if ack.error is None and left is not None:
            self._follow(left, ack.payload or {})
        return ack

    def close(self, user: str, view: View) -> None:
        """Close a modal; the bot is not notified."""
        self.surfaces.close(self.open_view(user, view))

    def _follow(self, view: View, answer: JsonObject) -> None:
        """Apply the ack to a submitted modal; an invalid response is a violation, and the modal stays."""
        try:
            self._do(view, answer)
        except RefusedError as refused:
            self.violations.append(f"ack: view_submission: {refused.error} {refused.details}")
            self.changed()

    def _do(self, view: View, answer: JsonObject) -> None:
        match answer.get("response_action"):
            case None:
                self.surfaces.close(view)
            case "errors":
                self.surfaces.refuse(view, _errors(view, answer.get("errors")))
            case "update":
                self.surfaces.update(view, completed(answer.get("view"), "modal"))
            case other:
                raise RefusedError(f"there is no response_action {other}")


def _entries(view: View, entries: Mapping[str, Json]) -> list[tuple[Placed, Json]]:
    blocks = {str(block["block_id"]) for block in view.blocks}
    found: list[tuple[Placed, Json]] = []
    for key, value in entries.items():
        if key in blocks and isinstance(value, dict):
            found += [(element_of(view, action, key), held) for action, held in value.items()]
        else:
            found.append((element_of(view, key), value))
    return found


def _errors(view: View, errors: Json) -> dict[str, str]:
    """Return the errors to show; each must be for an input block of the view."""
    asking = {str(block["block_id"]) for block in view.blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - asking:
        raise RefusedError("invalid_errors", {"errors": errors, "input_blocks": [*sorted(asking)]})
    return {block: str(said) for block, said in errors.items()}


def _check(view: View) -> None:
    """Raise ImpossibleError for a value that Slack itself would not accept."""
    state = values(view.blocks, view.typed)
    for each in placed(view.blocks):
        held = state.get(each.block_id)
        value = held.get(each.action_id) if isinstance(held, dict) else None
        if each.block["type"] != "input" or not isinstance(value, dict):
            continue
        entered = next(part for key, part in value.items() if key != "type")
        if not entered and not each.block.get("optional"):
            raise ImpossibleError(f"{each.block_id}: please complete this required field")
        most = each.element.get("max_length", 3000)
        if isinstance(entered, str) and isinstance(most, int) and len(entered) > most:
            raise ImpossibleError(f"{each.block_id}: at most {most} characters, not {len(entered)}")
