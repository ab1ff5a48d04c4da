"""What operators, other systems and groups change in a run."""

import asyncio
from dataclasses import dataclass, replace
from random import Random

from bot.playground.world import BOT
from tests.simulation.policies import MISTAKES, POLICIES
from tests.simulation.world import World

_TO_WRITE = 0.9  # seconds, less than the bot waits until it believes a file


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
    """An operator changes the policy file, at once or in place, and may tell the replicas to read it."""

    at: float
    policy: str

    async def act(self, world: World, dice: Random) -> None:
        """Change it."""
        text, in_place = POLICIES[self.policy], dice.random() < 0.5
        how = "writes" if in_place else "replaces the policy file by"
        world.note("an operator", f"{how}: {self.policy}")
        if dice.random() < 0.3:
            world.loop.call_later(dice.uniform(0, 2), _reload, world)
        if in_place:
            lines = text.splitlines(keepends=True)
            half = dice.choice([None, "".join(lines[: dice.randrange(len(lines))])])
            await world.write_policy(text, half, dice.uniform(0.01, _TO_WRITE))
        else:
            await world.write_policy(text)


def _reload(world: World) -> None:
    world.note("an operator", "tells all to read it")
    world.reload_policies()


@dataclass(frozen=True, slots=True)
class MakeAMistake:
    """An operator puts a policy there that is refused."""

    at: float
    mistake: str

    async def act(self, world: World, _dice: Random) -> None:
        """Make it."""
        world.note("an operator", f"makes a mistake: {self.mistake}")
        world.spoil_policy(MISTAKES[self.mistake])


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
class Restart:
    """A replica is stopped cleanly; the next one begins soon."""

    at: float
    replica: str

    async def act(self, world: World, _dice: Random) -> None:
        """Stop it."""
        world.note(self.replica, "is asked to stop")
        world.replicas[self.replica].stop()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The next version is rolled out: each replica is stopped once its predecessor is up again; or all at once."""

    at: float
    at_once: bool

    async def act(self, world: World, _dice: Random) -> None:
        """Stop one after the other."""
        world.note("an operator", "rolls out the next version")
        for replica in [*world.replicas.values()]:
            replica.stop()
            if not self.at_once:
                await asyncio.sleep(20)


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """Operators run a replica less for a while."""

    at: float
    replica: str
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Stop it; the world starts it again."""
        world.note("an operator", f"stops {self.replica} for {self.seconds:.0f} s")
        world.keep_down(self.replica, self.seconds)


@dataclass(frozen=True, slots=True)
class StopAll:
    """Operators deny everything for a while, and then return to the policy of before."""

    at: float
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Freeze, and lift it."""
        before = world.newest_policy
        world.note("an operator", "stops everything")
        await world.write_policy(POLICIES["a freeze"])
        await asyncio.sleep(self.seconds)
        world.note("an operator", "lets it go on")
        await world.write_policy(before)


@dataclass(frozen=True, slots=True)
class Become:
    """An admin deactivates somebody, or makes them a guest or a stranger (see `World.become`), and takes it back later."""

    at: float
    user: str
    kind: str
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Change it, and change it back."""
        world.note(self.user, f"becomes {self.kind}")
        world.become(self.user, self.kind)
        await asyncio.sleep(self.seconds)
        world.note(self.user, "is a member again")
        world.become(self.user, "a member")


@dataclass(frozen=True, slots=True)
class Close:
    """Somebody archives a channel or, with `expels`, removes the bot from it, and takes it back later."""

    at: float
    channel: str
    seconds: float
    expels: bool

    async def act(self, world: World, _dice: Random) -> None:
        """Do it, and undo it."""
        slack, way = world.slack, "is without the bot" if self.expels else "is archived"
        world.note("Slack", f"{self.channel} {way} for {self.seconds:.0f} s")
        world.closed.add(self.channel)
        was = slack.channels[self.channel]
        without = replace(was, members=was.members - {BOT})
        slack.channels[self.channel] = without if self.expels else replace(was, archived=True)
        await asyncio.sleep(self.seconds)
        slack.channels[self.channel] = was
