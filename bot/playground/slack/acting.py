"""The base of people's acts in the stand-in Slack: what a person sees, and how an act reaches the app."""

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

from bot.playground.loopback import JsonObject, objects
from bot.playground.slack.refused import ImpossibleError
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.slack.workspace import Workspace
from bot.playground.world import Channel

Kind: TypeAlias = Literal["slash_commands", "interactive", "events_api"]
Where: TypeAlias = PostedMessage | View | JsonObject | str


class Acting(Workspace, ABC):
    """A workspace whose people's acts reach the app."""

    @abstractmethod
    async def deliver(self, kind: Kind, payload: JsonObject) -> Ack:
        """Send a payload and return its ack."""

    @abstractmethod
    def response_url(
        self, user_id: str, channel_id: str, original: PostedMessage | None = None
    ) -> str:
        """Return a new response_url, which may replace or delete the original."""

    @abstractmethod
    def next_trigger(self) -> str:
        """Return a new trigger_id."""

    @abstractmethod
    def next_number(self) -> int:
        """Return a number that was not used before."""

    def views(self, user: str) -> list[View]:
        """Return the modals that a person has open, the one on top last."""
        return self.surfaces.stack(user)

    def home(self, user: str) -> View | None:
        """Return what was last published to a person's App Home."""
        return self.surfaces.home(user)

    def open_view(self, user: str, view: View) -> View:
        """Return the view as it now is, if this person has it before them."""
        current = self.surfaces.find(view.id)
        if current is None or current.user != user:
            raise ImpossibleError(f"{user} has no such view open")
        if current.kind == "modal" and current != self.views(user)[-1]:
            raise ImpossibleError("another modal lies on top of this one")
        return current

    def on_screen(
        self, user: str, where: Where, channel: str | None = None
    ) -> PostedMessage | View:
        """Return what a person sees there.

        A ts and a view mean what is there now. A message, as such or as the Web API's JSON with
        its channel, means what it said then: a screen that has not heard of an edit or a deletion.
        """
        if isinstance(where, View):
            return self.open_view(user, where)
        if isinstance(where, dict):
            where = self._remembered(where, channel)
        if isinstance(where, str):
            message = self.sought(where)
            if message is None or message.deleted:
                raise ImpossibleError(f"there is no message {where}")
            where = message
        if not self.sees(user, where):
            raise ImpossibleError(f"{user} does not see the message {where.ts}")
        return where

    def _remembered(self, shown: JsonObject, channel: str | None) -> PostedMessage:
        channel = channel or str(shown.get("channel", ""))
        metadata, thread = shown.get("metadata"), shown.get("thread_ts")
        if channel not in self.channels:
            raise ImpossibleError("say in which channel the message stood")
        return PostedMessage(
            ts=str(shown["ts"]),
            channel=channel,
            user=str(shown.get("user", "")),
            text=str(shown.get("text", "")),
            blocks=tuple(objects(shown.get("blocks"))),
            thread_ts=str(thread) if thread else None,
            metadata=metadata if isinstance(metadata, dict) else None,
        )

    def sees(self, user: str, message: PostedMessage) -> bool:
        """Return whether a person sees a message: an ephemeral one only if it is for them."""
        if message.ephemeral_to is not None:
            return message.ephemeral_to == user
        return self.enters(user, self.channels[message.channel])

    def enters(self, user: str, channel: Channel) -> bool:
        """Return whether a person can look into a conversation: guests and strangers only as members."""
        person = self.people[user]
        outside = person.is_stranger or person.is_restricted or person.is_ultra_restricted
        return user in channel.members or (channel.kind == "public" and not outside)
