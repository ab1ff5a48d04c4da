"""What people, operators and bad luck do in a run: steps with their times, made from the seed by a profile.

A step decides its details by its own dice when it happens, so that the others stay as they are when one is taken out.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

from bot.messages.modals import APPIDS, ENV
from bot.playground.slack.payloads import element_of
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import View, placed
from bot.playground.slack.transcript import Ack, PostedMessage
from bot.playground.world import CHANNELS, OWNER
from tests.simulation.database import Commit
from tests.simulation.facts import Deed, Trouble
from tests.simulation.network import Ending
from tests.simulation.policies import ENVS, OTHER_OWNER, POLICIES
from tests.simulation.world import Step, World

PEOPLE = ("U0REQUESTER", "U0SECOND", "U0CHINESE", "U0APPROVER", "U0APPROVER2", "U0STRANGER")
_CHANNELS = ("C0RELEASES", "C0RELEASES", "C0LOUNGE", "C0SECRET", "D0BOT", "C0PARTNERS")
_APPIDS = tuple(f"wx{number:016x}" for number in range(1, 9))
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


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody leaves a group, or joins it again."""

    at: float
    user: str
    group: str

    async def act(self, world: World, _dice: Random) -> None:
        """Leave or join."""
        world.note(self.user, f"leaves or joins {self.group}")
        world.move_in_group(self.user, self.group)


@dataclass(frozen=True, slots=True)
class PutIntoForce:
    """An operator changes the policy."""

    at: float
    policy: str

    async def act(self, world: World, _dice: Random) -> None:
        """Change it."""
        world.note("an operator", f"puts into force: {self.policy}")
        world.put_into_force(POLICIES[self.policy])


@dataclass(frozen=True, slots=True)
class Renew:
    """Another system renews an owner's token."""

    at: float
    owner: str

    async def act(self, world: World, _dice: Random) -> None:
        """Renew it."""
        world.note("WeChat", f"has a new token of {self.owner}")
        world.wechat.renew(self.owner)


@dataclass(frozen=True, slots=True)
class Meet:
    """Calls to a service meet a trouble for a while."""

    at: float
    seconds: float
    trouble: Trouble

    async def act(self, world: World, _dice: Random) -> None:
        """Begin it, and end it."""
        each = self.trouble
        whose = f" for {each.replica}" if each.replica else ""
        what = f"{each.service}: {each.ending.name.lower()} {each.chance:.0%}{whose}"
        world.note("bad luck", f"{what}, {self.seconds:.0f} s")
        world.troubles.append(each)
        await asyncio.sleep(self.seconds)
        if each in world.troubles:
            world.troubles.remove(each)


@dataclass(frozen=True, slots=True)
class Kill:
    """A replica dies so many turns from now, or after it begins the next call whose address ends so."""

    at: float
    replica: str
    turns: int
    after: str = ""

    async def act(self, world: World, _dice: Random) -> None:
        """Choose the turn, or let the call choose it."""
        if self.after:
            world.armed[self.replica] = self.after, self.turns
        else:
            process = world.replicas[self.replica].process
            process.dies_at = process.turns + self.turns


@dataclass(frozen=True, slots=True)
class Freeze:
    """A replica freezes, and thaws later."""

    at: float
    replica: str
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Freeze it, and thaw it."""
        process = world.replicas[self.replica].process
        world.note(self.replica, f"freezes for {self.seconds:.1f} s")
        process.freeze()
        await asyncio.sleep(self.seconds)
        process.thaw()


@dataclass(frozen=True, slots=True)
class Restart:
    """A replica is stopped cleanly; the next one begins soon."""

    at: float
    replica: str

    async def act(self, world: World, _dice: Random) -> None:
        """Stop it."""
        world.note(self.replica, "is asked to stop")
        world.replicas[self.replica].stop()


@dataclass(frozen=True, slots=True)
class Jump:
    """A clock jumps: the database's, or that of a replica's machine."""

    at: float
    whose: str
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Set it."""
        world.note("bad luck", f"the clock of {self.whose} jumps by {self.seconds:.1f} s")
        if self.whose == "the database":
            world.database_ahead += self.seconds
        else:
            ahead = world.machines_ahead.get(self.whose, 0.0)
            world.machines_ahead[self.whose] = ahead + self.seconds


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


def _enters(user: str, channel: str) -> bool:
    """Tell whether a person can type there."""
    at = next(each for each in CHANNELS if each.id == channel)
    return user in at.members


# The profiles.

Names = tuple[str, ...]
Part = Callable[[Random, float, Names], Iterator[Step]]
_ASKS = 14
_SPAN = 150.0
_USUAL_ACTS = ("confirm", "approve", "approve", "reject", "cancel", "retry", "again", "steps")


def _people(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what people ask and press."""
    for _number in range(_ASKS):
        at, user = dice.uniform(1, span), dice.choice(PEOPLE)
        channel = dice.choice([each for each in _CHANNELS if _enters(user, each)])
        env, appid = dice.choice(ENVS), dice.choice(_APPIDS)
        words = [appid, env]
        kind = dice.random()
        if kind < 0.2:
            words = [*dice.sample(_APPIDS, dice.randint(2, 4)), env]
        elif kind < 0.25:
            words = [appid[:-1], env]
        elif kind < 0.3:
            yield Fill(at, user, channel, env, appid)
            continue
        if dice.random() < 0.1:
            words.append("--again")
        text = " ".join(words)
        yield Ask(at, user, channel, text, again=dice.random() < 0.1)
        if dice.random() < 0.15:
            yield Ask(at + dice.uniform(0, 0.3), dice.choice(PEOPLE), channel, text)
        if dice.random() < 0.6:
            yield Press(at + dice.uniform(1, 8), user, ("confirm", "cancel", "confirm"))
    for _number in range(2 * _ASKS):
        at, user = dice.uniform(5, span + 30), dice.choice(PEOPLE)
        old, twice = dice.random() < 0.1, dice.random() < 0.1
        yield Press(at, user, _USUAL_ACTS, old=old, twice=twice)
    yield OpenHome(dice.uniform(1, span), dice.choice(PEOPLE))


def _changes(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what operators and groups change."""
    for _number in range(dice.randint(1, 3)):
        yield PutIntoForce(dice.uniform(10, span), dice.choice([*POLICIES]))
    for _number in range(dice.randint(1, 3)):
        user, group = dice.choice(PEOPLE), dice.choice(["S0PLATFORM", "S0APPROVERS"])
        yield Move(dice.uniform(10, span), user, group)
    yield Renew(dice.uniform(1, span), dice.choice([OWNER, OTHER_OWNER]))


def _calls(service: str) -> Part:
    """Return what goes wrong with calls to a service."""

    def part(dice: Random, span: float, _: Names) -> Iterator[Step]:
        for _number in range(dice.randint(2, 5)):
            endings = [ending for ending in Ending if ending is not Ending.ANSWERED]
            chance = dice.choice([0.2, 0.5, 0.9])
            trouble = Trouble(service, dice.choice(endings), chance)
            yield Meet(dice.uniform(1, span), dice.uniform(2, 40), trouble)

    return part


def _database(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what goes wrong with the database."""
    for _number in range(dice.randint(2, 5)):
        endings = [ending for ending in Commit if ending is not Commit.DONE]
        whose = dice.choice([None, *names])
        trouble = Trouble("ledger", dice.choice(endings), dice.choice([0.1, 0.4, 1.0]), whose)
        yield Meet(dice.uniform(1, span), dice.uniform(1, 15), trouble)


def _crashes(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what befalls replicas."""
    for _number in range(dice.randint(4, 9)):
        at, name = dice.uniform(1, span), dice.choice(names)
        kind = dice.random()
        if kind < 0.2:
            yield Kill(at, name, dice.randint(1, 400))
        elif kind < 0.6:
            after = dice.choice(["shareenv", "shareenv", "postMessage", "update"])
            yield Kill(at, name, dice.randint(1, 12), after)
        elif kind < 0.8:
            yield Freeze(at, name, dice.choice([1.0, 4.0, 8.0, 20.0]) * dice.uniform(0.8, 1.2))
        else:
            yield Restart(at, name)
    if len(names) > 1 and dice.random() < 0.5:
        service = dice.choice(["slack", "ledger"])
        ending = Ending.UNREACHABLE if service == "slack" else Commit.REFUSED
        cut = Trouble(service, ending, 1.0, dice.choice(names))
        yield Meet(dice.uniform(1, span), dice.uniform(5, 40), cut)


def _half_done(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield deaths soon after WeChat is asked, while most calls to it fail: the next replica's too."""
    for _number in range(8):
        name, turns = dice.choice(names), dice.randint(4, 30)
        yield Kill(dice.uniform(0, span), name, turns, "shareenv")
    ending = dice.choice([Ending.UNREACHABLE, Ending.LIMITED])
    yield Meet(0, span, Trouble("wechat", ending, 0.7))


def _clocks(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield jumps of clocks, in all by less than the five minutes for which the bot looks for its messages."""
    for _number in range(dice.randint(1, 3)):
        whose = dice.choice(["the database", *names])
        yield Jump(dice.uniform(1, span), whose, dice.choice([-30, -5, -1, 1, 5, 30, 90]))


PROFILES: Final[Mapping[str, tuple[Part, ...]]] = {
    "calm": (_people,),
    "people": (_people, _people, _changes),
    "slack": (_people, _calls("slack")),
    "wechat": (_people, _calls("wechat"), _calls("tokens")),
    "database": (_people, _database),
    "crashes": (_people, _crashes),
    "doubt": (_people, _half_done),
    "clocks": (_people, _crashes, _clocks),
    "all": (_people, _changes, _calls("slack"), _calls("wechat"), _database, _crashes, _clocks),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, and on how many replicas it runs."""

    seed: int
    profile: str
    replicas: int
    limits: bool
    steps: tuple[Step, ...]


def plan_of(seed: int, profile: str) -> Plan:
    """Return the plan of a seed."""
    dice = Random(f"plan {profile} {seed}")  # noqa: S311  # no secret
    replicas = dice.choice([1, 1, 2, 3] if profile == "calm" else [1, 2, 2, 3, 4])
    names = tuple(f"r{number}" for number in range(1, replicas + 1))
    steps = [step for part in PROFILES[profile] for step in part(dice, _SPAN, names)]
    return Plan(seed, profile, replicas, profile == "slack" and dice.random() < 0.3, tuple(steps))
