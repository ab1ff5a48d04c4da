"""What people do in a run: each step decides its details by its own dice when it happens.

So the others stay as they are when one is taken out.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from bot.messages.modals import APPIDS, ENV
from bot.playground.slack.payloads import element_of
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import View, placed
from bot.playground.slack.transcript import Ack, PostedMessage
from tests.simulation.facts import Deed
from tests.simulation.world import World

_LATEST_BUTTONS = 12
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
        world.note(self.user, f"types /share-env {self.text} in {self.channel}")
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
class Fill:
    """Somebody uses the form."""

    at: float
    user: str
    channel: str
    env: str
    appids: str

    async def act(self, world: World, dice: Random) -> None:
        """Open the form, choose an env, and send it."""
        async with world.hands[self.user]:
            await self._fill(world, dice)

    async def _fill(self, world: World, dice: Random) -> None:
        slack = world.slack
        world.note(self.user, f"opens the form in {self.channel}")
        await slack.command(self.user, self.channel, "")
        view = await _modal(world, self.user)
        if view is None or view.body.get("callback_id") != "share_env_form":
            return
        try:
            await slack.options(self.user, view, ENV, self.env)
            await asyncio.sleep(dice.uniform(1, 10))
            world.note(self.user, f"sends the form: {self.env} {self.appids}")
            ack = await slack.submit(self.user, view, {ENV: self.env, APPIDS: self.appids})
            _note_ack(world, self.user, ack)
        except ImpossibleError as error:
            world.note(self.user, f"cannot: {error}")
        _close(world, self.user)


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody presses one of the buttons that they see, or saw some time ago; `acts` are those they like."""

    at: float
    user: str
    acts: tuple[str, ...]
    old: bool = False
    twice: bool = False

    async def act(self, world: World, dice: Random) -> None:
        """Press it and, if a decision's modal opens, decide; a person does one thing at a time."""
        async with world.hands[self.user]:
            await self._press(world, dice)

    async def _press(self, world: World, dice: Random) -> None:
        found = list(self._buttons(world))[-_LATEST_BUTTONS:]
        if not found:
            return
        message, act = dice.choice(found)
        request = _value(message, act)
        stale = " as it was" if self.old else ""
        world.note(self.user, f"presses {act} of {request} in {message.channel}{stale}")
        deed = Deed(world.seconds(), self.user, act, request)
        if act not in {"approve", "reject"}:
            world.deeds.append(deed)
        with suppress(ImpossibleError):
            ack = await world.slack.click(self.user, message, act)
            if self.twice:
                await world.slack.click(self.user, message, act)
            if act in {"approve", "reject"} and ack.error is None:
                await self._decide(world, dice)

    def _buttons(self, world: World) -> Iterator[tuple[PostedMessage, str]]:
        """Yield the buttons; of a message that changed since, only if they are old."""
        for seen in world.screens:
            now = world.slack.sought(seen.ts)
            if now is None or (not self.old and now is not seen) or now.deleted:
                continue
            if not world.slack.sees(self.user, seen):
                continue
            for button in placed([*seen.blocks]):
                if button.action_id in self.acts:
                    yield seen, button.action_id

    async def _decide(self, world: World, dice: Random) -> None:
        view = await _modal(world, self.user)
        if view is None or view.body.get("callback_id") not in {"approve", "reject"}:
            return
        await asyncio.sleep(dice.uniform(1, 30))
        act, value = str(view.body["callback_id"]), str(view.body.get("private_metadata", ""))
        request = value.partition(" ")[0]
        world.note(self.user, f"sends {act} of {request}")
        world.deeds.append(Deed(world.seconds(), self.user, act, request))
        with suppress(ImpossibleError):
            await world.slack.submit(self.user, view)
        _close(world, self.user)


@dataclass(frozen=True, slots=True)
class OpenHome:
    """Somebody opens the App Home."""

    at: float
    user: str

    async def act(self, world: World, _dice: Random) -> None:
        """Open it."""
        world.note(self.user, "opens the App Home")
        await world.slack.open_home(self.user)


def _note_ack(world: World, user: str, ack: Ack) -> None:
    world.acks.append(ack)
    said = str((ack.payload or {}).get("text", "")).splitlines()
    world.note(user, f"is told: {ack.error or (said[0][:100] if said else 'nothing')}")


def _value(message: PostedMessage, act: str) -> str:
    try:
        return str(element_of(message, act).element.get("value", "")).partition(" ")[0]
    except ImpossibleError:
        return "several"


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
