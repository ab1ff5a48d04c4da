"""What people do in a run: each step decides its details by its own dice when it happens.

So the others stay as they are when one is taken out.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from bot.messages.modals import APPIDS, COMMENT, ENV
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import Placed, View, placed
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.world import BOT
from tests.simulation.facts import Deed
from tests.simulation.world import World

_LATEST_BUTTONS = 12
_LATEST_MESSAGES = 12
_GLASS = "break-glass"
_DECISIONS = {"approve", "reject", _GLASS}
_MODAL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody types a command; Slack may deliver it `again`, to any replica."""

    at: float
    user: str
    channel: str
    text: str
    again: bool = False

    async def act(self, world: World, dice: Random) -> None:
        """Type it."""
        at = world.slack.channels[self.channel]
        if at.archived or not _may_act(world, self.user, self.channel):
            return
        world.note(self.user, f"types /share-env {self.text} in {self.channel}")
        world.presses.append((world.seconds(), self.user, ""))
        ack = await world.slack.command(self.user, self.channel, self.text)
        _note_ack(world, self.user, ack)
        # Slack repeats what it got no ack for; also what was recorded, since an ack may be lost on its way.
        known = world.database.rows(
            "SELECT id FROM requests WHERE trigger_id = :id", id=ack.trigger_id
        )
        if self.again and (ack.error or known):
            await asyncio.sleep(dice.uniform(0, 3))
            world.note("Slack", "delivers it again")
            await world.slack.redeliver(ack)


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody mentions the bot, in a thread if there is one; Slack may deliver it `again`.

    If it is `edited`, the message was other words at first, and never counts.
    """

    at: float
    user: str
    channel: str
    text: str
    again: bool = False
    edited: bool = False

    async def act(self, world: World, dice: Random) -> None:
        """Write it."""
        slack = world.slack
        if slack.channels[self.channel].archived or not _may_act(world, self.user, self.channel):
            return
        there = [each.ts for each in slack.parents(self.channel) if not each.deleted]
        thread = dice.choice(there) if there and dice.random() < 0.5 else None
        said = f"<@{BOT}> {self.text}"
        world.note(self.user, f"mentions the bot in {self.channel}: {self.text}")
        world.presses.append((world.seconds(), self.user, ""))
        if self.edited:
            await slack.say(self.user, self.channel, "who shares this?", thread)
            own = [each for each in slack.messages if each.user == self.user]
            await slack.reword(own[-1].ts, said)
        elif (ack := await slack.say(self.user, self.channel, said, thread)) and self.again:
            await asyncio.sleep(dice.uniform(0, 3))
            world.note("Slack", "delivers it again")
            await slack.redeliver(ack)


@dataclass(frozen=True, slots=True)
class Fill:
    """Somebody uses the form, which a command without words opens, a shortcut, or a message's shortcut."""

    at: float
    user: str
    channel: str
    env: str
    appids: str
    way: str = "command"

    async def act(self, world: World, dice: Random) -> None:
        """Open the form, choose an env, and send it."""
        async with world.hands[self.user]:
            if _may_act(world, self.user, self.channel):
                with suppress(ImpossibleError):
                    await self._fill(world, dice)
                _close(world, self.user)

    async def _fill(self, world: World, dice: Random) -> None:
        slack = world.slack
        world.note(self.user, f"opens the form in {self.channel} by a {self.way}")
        message = next((each for each in slack.parents(self.channel) if not each.deleted), None)
        if self.way == "shortcut":
            await slack.shortcut(self.user, "share_env")
        elif self.way == "message" and message:
            await slack.message_shortcut(self.user, "share_env_from_message", message)
        else:
            await slack.command(self.user, self.channel, "")
        view = await _modal(world, self.user)
        if view is None or view.body.get("callback_id") != "share_env_form":
            return
        await slack.options(self.user, view, ENV, self.env)
        await asyncio.sleep(dice.uniform(1, 10))
        world.note(self.user, f"sends the form: {self.env} {self.appids}")
        world.presses.append((world.seconds(), self.user, ""))
        ack = await slack.submit(self.user, view, {ENV: self.env, APPIDS: self.appids})
        _note_ack(world, self.user, ack)


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody presses one of the buttons that they see, or saw some time ago; `acts` are those they like.

    If a decision's modal opens, they read it for some seconds and decide.
    """

    at: float
    user: str
    acts: tuple[str, ...]
    old: bool = False
    twice: bool = False
    reads: tuple[float, float] = (1, 30)
    why: str = field(default="the shop is down", repr=False)
    """What they write if they do not wait for an approval; no part of what decides the other details."""

    async def act(self, world: World, dice: Random) -> None:
        """Press it and, if a decision's modal opens, decide; a person does one thing at a time."""
        async with world.hands[self.user]:
            found = [*_buttons(world, self.user, self.acts, old=self.old)][-_LATEST_BUTTONS:]
            if found and _may_act(world, self.user):
                message, button = dice.choice(found)
                stale = " as it was" if self.old else ""
                reads = dice.uniform(*self.reads)
                for _ in range(1 + self.twice):
                    await _press(
                        world, self.user, message, button, reads=reads, stale=stale, why=self.why
                    )


@dataclass(frozen=True, slots=True)
class Dawdle:
    """Somebody opens a decision's modal, and sends it at about the time at which that decision's time is over."""

    at: float
    user: str

    async def act(self, world: World, dice: Random) -> None:
        """Open the newest, and send it within half a second of the end."""
        async with world.hands[self.user]:
            found = [*_buttons(world, self.user, ("approve",))]
            if not found or not _may_act(world, self.user):
                return
            message, button = found[-1]
            until = world.until.get(str(button.element.get("value", "")).partition(" ")[0], 0.0)
            left = until - world.database_now() + dice.uniform(-0.5, 0.3)
            sends_at = world.seconds() + left
            await _press(world, self.user, message, button, reads=left, sends_at=sends_at)


@dataclass(frozen=True, slots=True)
class Race:
    """Several people see the same buttons, press each one of `acts`, and decide at the same time."""

    at: float
    users: tuple[str, ...]
    acts: tuple[str, ...]

    async def act(self, world: World, dice: Random) -> None:
        """Let all press at once."""
        seen = [
            {id(message) for message, _ in _buttons(world, user, self.acts)} for user in self.users
        ]
        both = set[int].intersection(*seen)
        reads, pressing = dice.uniform(1, 5), []
        for user in self.users:
            found = [each for each in _buttons(world, user, self.acts) if id(each[0]) in both]
            if found and _may_act(world, user):
                _, act = found[-1][0], dice.choice(self.acts)
                message, button = next(
                    (each for each in reversed(found) if each[1].action_id == act), found[-1]
                )
                later = reads + dice.choice([0.0, 0.01, 0.2])
                pressing.append(self._join(world, user, message, button, later))
        await asyncio.gather(*pressing)

    async def _join(
        self, world: World, user: str, message: PostedMessage, button: Placed, reads: float
    ) -> None:
        async with world.hands[user]:
            await _press(world, user, message, button, reads=reads)


@dataclass(frozen=True, slots=True)
class Switch:
    """Somebody opens another workspace of their organisation, and acts from there."""

    at: float
    user: str
    team: str

    async def act(self, world: World, _dice: Random) -> None:
        """Open it, once they have finished what they do."""
        async with world.hands[self.user]:
            world.note(self.user, f"opens {self.team}")
            world.slack.switch(self.user, self.team)


@dataclass(frozen=True, slots=True)
class OpenHome:
    """Somebody opens the App Home, and presses one of its buttons that they like."""

    at: float
    user: str
    acts: tuple[str, ...] = ()

    async def act(self, world: World, dice: Random) -> None:
        """Open it, and press."""
        async with world.hands[self.user]:
            if not _may_act(world, self.user):
                return
            world.note(self.user, "opens the App Home")
            with suppress(ImpossibleError):
                await world.slack.open_home(self.user)
            await asyncio.sleep(dice.uniform(3, 15))
            view = world.slack.home(self.user)
            found = [
                each for each in placed(view.blocks if view else []) if each.action_id in self.acts
            ]
            if view and found and _may_act(world, self.user):
                reads = dice.uniform(1, 20)
                await _press(world, self.user, view, dice.choice(found), reads=reads)


@dataclass(frozen=True, slots=True)
class Delete:
    """Somebody deletes a message of the bot's: a parent, a reply, or a question with buttons."""

    at: float
    kind: str

    async def act(self, world: World, dice: Random) -> None:
        """Delete one of the newest."""
        found = [each for each in world.slack.messages if self._is_such(each)][-_LATEST_MESSAGES:]
        if found:
            message = dice.choice(found)
            world.note(
                "somebody", f"deletes a {self.kind} in {message.channel}: {message.text[:40]!r}"
            )
            world.slack.delete(message.ts)

    def _is_such(self, message: PostedMessage) -> bool:
        if message.deleted or message.ephemeral_to or message.user != BOT:
            return False
        if self.kind == "question":
            return any(button.action_id == "approve" for button in placed(message.blocks))
        return (message.thread_ts is None) == (self.kind == "parent")


async def _press(  # who presses what, where, and how
    world: World,
    user: str,
    where: PostedMessage | View,
    button: Placed,
    *,
    reads: float,
    stale: str = "",
    sends_at: float | None = None,
    why: str = "",
) -> None:
    """Press a button and, if a decision's modal opens, decide after so many seconds, or at that time."""
    act, request = button.action_id, str(button.element.get("value", "")).partition(" ")[0]
    place = where.channel if isinstance(where, PostedMessage) else "the App Home"
    world.note(user, f"presses {act} of {request} in {place}{stale}")
    world.presses.append((world.seconds(), user, request))
    if act not in _DECISIONS:
        world.deeds.append(Deed(world.seconds(), user, act, request))
    with suppress(ImpossibleError):
        ack = await world.slack.click(user, where, act, block=button.block_id)
        if act in _DECISIONS and ack.error is None:
            await _decide(world, user, reads, sends_at, why)


async def _decide(world: World, user: str, reads: float, sends_at: float | None, why: str) -> None:
    view = await _modal(world, user)
    if view is None or view.body.get("callback_id") not in _DECISIONS:
        return
    await asyncio.sleep(reads if sends_at is None else max(0.0, sends_at - world.seconds()))
    act, value = str(view.body["callback_id"]), str(view.body.get("private_metadata", ""))
    request = value.partition(" ")[0]
    world.note(user, f"sends {act} of {request}")
    wrote = why if act == _GLASS else ""
    world.deeds.append(Deed(world.seconds(), user, act, request, wrote))
    with suppress(ImpossibleError):
        await world.slack.submit(user, view, {COMMENT: wrote} if wrote else {})
    _close(world, user)


def _buttons(
    world: World, user: str, acts: tuple[str, ...], *, old: bool = False
) -> Iterator[tuple[PostedMessage, Placed]]:
    """Yield the buttons that a person sees; of a message that changed since, only if they are `old`."""
    for seen in world.screens:
        now = world.slack.sought(seen.ts)
        if now is None or (not old and now is not seen) or now.deleted:
            continue
        if not world.slack.sees(user, seen):
            continue
        for button in placed(seen.blocks):
            if button.action_id in acts:
                yield seen, button


def _may_act(world: World, user: str, channel: str = "") -> bool:
    """Tell whether a person can log in to Slack, and enter a channel."""
    slack = world.slack
    if slack.people[user].deleted:
        return False
    return not channel or slack.enters(user, slack.channels[channel])


def _note_ack(world: World, user: str, ack: Ack) -> None:
    world.acks.append(ack)
    said = str((ack.payload or {}).get("text", "")).splitlines()
    world.note(user, f"is told: {ack.error or (said[0][:100] if said else 'nothing')}")


async def _modal(world: World, user: str) -> View | None:
    """Return the modal that opens within some seconds."""
    for _ in range(_MODAL_SECONDS):
        await asyncio.sleep(1)
        if view := world.slack.modal(user):
            return view
    return None


def _close(world: World, user: str) -> None:
    if view := world.slack.modal(user):
        world.slack.close(user, view)
