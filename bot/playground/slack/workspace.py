"""The stand-in workspace as it changes: members, archives, scopes, direct messages, timestamps."""

from collections.abc import Callable
from dataclasses import replace
from time import time
from typing import Literal, TypeAlias, assert_never

from bot.playground.slack.surfaces import Surfaces
from bot.playground.slack.transcript import Transcript
from bot.playground.slack.triggers import Triggers
from bot.playground.world import Channel, SlackUser, UserGroup, World

Orphans: TypeAlias = Literal["refused", "top level"]


class Workspace(Transcript):
    """The workspace as it changes; what people do in Slack by hand is a method."""

    def __init__(self, world: World, clock: Callable[[], float] = time) -> None:
        super().__init__()
        self.world = world
        self.clock = clock
        self.people: dict[str, SlackUser] = {each.id: each for each in world.people}
        self.channels: dict[str, Channel] = {each.id: each for each in world.channels}
        self.groups: dict[str, UserGroup] = {each.id: each for each in world.groups}
        self.scopes: set[str] = set(world.scopes)
        self.surfaces = Surfaces(clock, self.view_changed)
        self.triggers = Triggers(clock)
        self.orphans: Orphans = "top level"
        """What happens to a reply whose parent was deleted."""
        self._last_ts = 0

    def next_ts(self) -> str:
        """Return a message timestamp that is later than every other."""
        self._last_ts = max(int(self.clock() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def invite_bot(self, channel_id: str) -> None:
        """Make the bot a member, as `/invite` does."""
        channel = self.channels[channel_id]
        self.channels[channel_id] = replace(
            channel, members=channel.members | {self.world.bot_user_id}
        )
        self.changed()

    def remove_bot(self, channel_id: str) -> None:
        """End the bot's membership, as `/remove` does."""
        channel = self.channels[channel_id]
        self.channels[channel_id] = replace(
            channel, members=channel.members - {self.world.bot_user_id}
        )
        self.changed()

    def archive(self, channel_id: str) -> None:
        """Archive a channel."""
        self.channels[channel_id] = replace(self.channels[channel_id], archived=True)
        self.changed()

    def is_member(self, channel: Channel) -> bool:
        """Return whether the bot is in the channel."""
        return self.world.bot_user_id in channel.members

    def visible(self, channel_id: str) -> Channel | None:
        """Return a channel that the bot can know of: a public one, or one it is a member of.

        Source: docs.slack.dev, chat.postMessage: a private channel without the bot is
        `channel_not_found`, so that its existence stays hidden.
        """
        channel = self.channels.get(channel_id)
        if channel is None or not (channel.kind == "public" or self.is_member(channel)):
            return None
        return channel

    def named(self, name: str) -> str | None:
        """Return the id of the channel that people call so, with or without the #."""
        sought = name.removeprefix("#")
        called = (each.id for each in self.channels.values() if sought and each.name == sought)
        return next(called, None)

    def direct_message(self, user_id: str) -> Channel | None:
        """Return the person's direct message with the bot, opened if need be.

        Source: docs.slack.dev, chat.postMessage: a user id as channel posts in the App Home.
        """
        person = self.people.get(user_id)
        if person is None or person.deleted or person.is_bot or person.is_stranger:
            return None
        pair = frozenset({user_id, self.world.bot_user_id})
        for channel in self.channels.values():
            if channel.kind == "im" and channel.members == pair:
                return channel
        opened = Channel(f"D{user_id[1:]}", "", "im", members=pair)
        self.channels[opened.id] = opened
        return opened

    def group_names(self, channel: Channel) -> str:
        """Return the `mpdm-…` name of a group conversation."""
        names = sorted(self.people[each].name for each in channel.members)
        return f"mpdm-{'--'.join(names)}-1"

    def name_in_commands(self, channel: Channel) -> str:
        """Return the channel_name of a command, which hides the names of private places."""
        match channel.kind:
            case "public":
                return channel.name
            case "private":
                return "privategroup"
            case "im":
                return "directmessage"
            case "mpim":
                return self.group_names(channel)
            case _:
                assert_never(channel.kind)
