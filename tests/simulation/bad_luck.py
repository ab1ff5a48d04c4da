"""What bad luck does in a run: troubles of calls, deaths, freezes and clocks that jump."""

import asyncio
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.simulation.facts import Trouble
from tests.simulation.world import World


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
            world.armed[self.replica] = self.after, partial(self._choose, world)
        else:
            self._choose(world)

    def _choose(self, world: World) -> None:
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
class Suspend:
    """The machine of a replica is suspended, and wakes up later; asyncio's clock stands still meanwhile."""

    at: float
    replica: str
    seconds: float

    async def act(self, world: World, _dice: Random) -> None:
        """Suspend it, and wake it up."""
        process = world.replicas[self.replica].process
        world.note(self.replica, f"is suspended for {self.seconds:.1f} s")
        process.freeze(suspended=True)
        await asyncio.sleep(self.seconds)
        process.thaw()
        world.note(self.replica, "wakes up")


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
