"""What operators, other systems and groups change in a run."""

from dataclasses import dataclass
from random import Random

from tests.simulation.policies import MISTAKES, POLICIES
from tests.simulation.world import World

_TO_WRITE = 1.5  # seconds, less than between two looks of the watcher


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
        if in_place:
            lines = text.splitlines(keepends=True)
            half = dice.choice([None, "".join(lines[: dice.randrange(len(lines))])])
            await world.write_policy(text, half, dice.uniform(0.01, _TO_WRITE))
        else:
            await world.write_policy(text)
        if dice.random() < 0.3:
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
