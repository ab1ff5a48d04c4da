"""The other ways into the app in the stand-in Slack: shortcuts, and its App Home."""

from typing import Literal

from bot.playground.slack.acting import Acting, Where
from bot.playground.slack.payloads import (
    app_home_opened,
    channel_fields,
    interaction,
)
from bot.playground.slack.reading import rendered
from bot.playground.slack.refused import ImpossibleError
from bot.playground.slack.transcript import Ack, PostedMessage


class Shortcuts(Acting):
    """What a person starts from Slack's own menus."""

    async def shortcut(self, user: str, callback_id: str) -> Ack:
        """Start a global shortcut."""
        payload = interaction(self, "shortcut", user) | {
            "callback_id": callback_id,
            "trigger_id": self.next_trigger(),
            "action_ts": self.next_ts(),
        }
        return await self.deliver("interactive", payload)

    async def message_shortcut(
        self, user: str, callback_id: str, message: Where, *, channel: str | None = None
    ) -> Ack:
        """Start a message shortcut; an ephemeral message has none."""
        seen = self.on_screen(user, message, channel)
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
        """Open the app's own page, of which the bot hears as an event."""
        channel = self.direct_message(user)
        if channel is None:
            raise ImpossibleError(f"{user} has no App Home")
        event = app_home_opened(self, user, channel.id, tab, self.next_number())
        return await self.deliver("events_api", event)
