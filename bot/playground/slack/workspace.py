"""The current state of the stand-in workspace: members, archives, scopes, direct messages, ids, and what people see."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from time import time
from typing import Literal, TypeAlias

from bot.playground.slack.refusals import ImpossibleError, RefusedError
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import PostedMessage, Transcript
from bot.playground.world import Channel, SlackUser, UserGroup, World

Orphans: TypeAlias = Literal["refused", "top level"]
Where: TypeAlias = PostedMessage | View | str
TRIGGER_LIFETIME = 3.0


class Triggers:
    """The trigger_ids that were sent to the app: for each the person and the time; None once it is used.

    It opens one view within three seconds of the click. Some of that time has passed when the app gets the payload, so for
    the app it can expire sooner: `lifetime` is what is left. `clock` returns Unix seconds. Sources: docs.slack.dev,
    interactivity/handling-user-interaction; reference/methods/views.open; java-slack-sdk, issue 1439; bolt-js, issue 1662.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lifetime = TRIGGER_LIFETIME
        self._clock = clock
        self._sent: dict[str, tuple[str, float] | None] = {}

    def note(self, trigger_id: str, user: str) -> None:
        """Start the lifetime of a trigger_id; one that was sent before keeps its own."""
        self._sent.setdefault(trigger_id, (user, self._clock()))

    def exchange(self, trigger_id: str) -> str:
        """Use up a trigger_id and return its person, or refuse it."""
        if trigger_id not in self._sent:
            raise RefusedError("invalid_trigger_id")
        sent = self._sent[trigger_id]
        if sent is None:
            raise RefusedError("exchanged_trigger_id")
        user, at = sent
        if self._clock() - at >= self.lifetime:
            raise RefusedError("expired_trigger_id")
        self._sent[trigger_id] = None
        return user


class Workspace(Transcript):
    """The current workspace; what people do by hand in Slack is a method."""

    def __init__(self, world: World, clock: Callable[[], float] = time) -> None:
        super().__init__()
        self.world = world
        self.clock = clock
        self.people: dict[str, SlackUser] = {each.id: each for each in world.people}
        self.channels: dict[str, Channel] = {each.id: each for each in world.channels}
        self.groups: dict[str, UserGroup] = {each.id: each for each in world.groups}
        self.scopes: set[str] = set(world.scopes)
        self.triggers = Triggers(clock)
        self._open_in: dict[str, str] = {}
        self.orphans: Orphans = "top level"
        """What happens to a reply whose parent was deleted."""
        self._last_ts = 0
        self._numbers = 0

    def next_ts(self) -> str:
        """Return a message timestamp later than all others."""
        self._last_ts = max(int(self.clock() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def next_number(self) -> int:
        """Return an unused number."""
        self._numbers += 1
        return self._numbers

    def next_hash(self) -> str:
        """Return the hash of a view's new state."""
        return f"{int(self.clock())}.{self.next_number():08x}"

    def next_trigger(self) -> str:
        """Return a unique trigger_id, also across workspaces and runs."""
        return f"{int(self.clock() * 1_000_000)}.{self.next_number()}.made-up"

    @abstractmethod
    def socket_url(self) -> str:
        """Return the URL of a new connection for Socket Mode."""

    def tell(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> None:
        """Show a person a message from Slack itself that only they see."""
        ts = self.next_ts()
        self.post(
            PostedMessage(
                ts,
                channel,
                "USLACKBOT",
                text,
                blocks=(),
                thread_ts=thread_ts,
                ephemeral_to=user,
                via="slack",
            )
        )

    def invite_bot(self, channel_id: str) -> None:
        """Add the bot to a channel, like `/invite`."""
        members = self.channels[channel_id].members | {self.world.bot_user_id}
        self.channels[channel_id] = replace(self.channels[channel_id], members=members)
        self.changed()

    def switch(self, user: str, team_id: str) -> None:
        """Let a person of an organisation open another of their workspaces, in which they act from then on."""
        if team_id not in self.people[user].teams:
            raise ImpossibleError(f"{user} is not in the workspace {team_id}")
        self._open_in[user] = team_id

    def team_of(self, user: str) -> str:
        """Return the workspace in which a person acts."""
        if self.world.organisation is None:
            return self.world.team_id
        return self._open_in.get(user, self.people[user].team_id)

    def domain_of(self, team_id: str) -> str:
        """Return the domain of a workspace."""
        org = self.world.organisation
        return org.workspaces.get(team_id, "elsewhere") if org else self.world.team_domain

    def is_member(self, channel: Channel) -> bool:
        """Return whether the bot is in the channel."""
        return self.world.bot_user_id in channel.members

    def can_see(self, channel: Channel) -> bool:
        """Return whether the bot knows of a channel: a public one, or one of which it is a member."""
        return channel.kind == "public" or self.is_member(channel)

    def visible(self, channel_id: str) -> Channel:
        """Return a channel that the bot can see; refuse any other.

        Source: docs.slack.dev, chat.postMessage: a private channel without the bot is `channel_not_found`, so that its existence
        stays hidden.
        """
        channel = self.channels.get(channel_id)
        if channel is None or not self.can_see(channel):
            raise RefusedError("channel_not_found")
        return channel

    def named(self, name: str) -> str:
        """Return the id of the channel `#name` or `name`, empty if there is none."""
        ids = {each.name: each.id for each in self.channels.values() if each.name}
        return ids.get(name.removeprefix("#"), "")

    def direct_message(self, user_id: str) -> Channel | None:
        """Return the person's direct message with the bot; opens it if necessary."""
        person = self.people.get(user_id)
        if person is None or person.deleted or person.is_bot or person.is_stranger:
            return None
        pair = frozenset({user_id, self.world.bot_user_id})
        for channel in self.channels.values():
            if channel.kind == "im" and channel.members == pair:
                return channel
        opened = Channel(f"D{user_id[1:]}", "", kind="im", members=pair)
        self.channels[opened.id] = opened
        return opened

    def name_of(self, channel: Channel) -> str:
        """Return a conversation's name; that of a group is `mpdm-…`."""
        names = sorted(self.people[each].name for each in channel.members)
        return f"mpdm-{'--'.join(names)}-1" if channel.kind == "mpim" else channel.name

    def name_in_commands(self, channel: Channel) -> str:
        """Return the channel_name of a command, which hides the names of private places."""
        hidden = {"private": "privategroup", "im": "directmessage"}
        return hidden.get(channel.kind) or self.name_of(channel)

    def open_view(self, user: str, view: View) -> View:
        """Return the current state of a view that is on this person's screen."""
        current = self.view(view.id)
        if current is None or current.user != user:
            raise ImpossibleError(f"{user} has no such view open")
        return current

    def on_screen(self, user: str, where: Where) -> PostedMessage | View:
        """Return what a person sees there.

        A ts or a view stands for its current state. A message stands for that state of it: a screen that has not yet received an
        edit or a deletion.
        """
        if isinstance(where, View):
            return self.open_view(user, where)
        message = self.sought(where) if isinstance(where, str) else where
        if message is None or (message is not where and message.deleted):
            raise ImpossibleError(f"there is no message {where}")
        if not self.sees(user, message):
            raise ImpossibleError(f"{user} does not see the message {message.ts}")
        return message

    def sees(self, user: str, message: PostedMessage) -> bool:
        """Return whether a person sees a message; an ephemeral one only if it is for them."""
        if message.ephemeral_to is not None:
            return message.ephemeral_to == user
        return self.enters(user, self.channels[message.channel])

    def enters(self, user: str, channel: Channel) -> bool:
        """Return whether a person can open a conversation; guests and strangers only as members."""
        person = self.people[user]
        outside = person.is_stranger or person.is_restricted or person.is_ultra_restricted
        outside |= self.world.organisation is not None and channel.team_id not in person.teams
        return user in channel.members or (channel.kind == "public" and not outside)
