"""What operators, other systems and groups change in a run."""

from dataclasses import dataclass
from random import Random

from tests.simulation.policies import POLICIES
from tests.simulation.world import World


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
class Restart:
    """A replica is stopped cleanly; the next one begins soon."""

    at: float
    replica: str

    async def act(self, world: World, _dice: Random) -> None:
        """Stop it."""
        world.note(self.replica, "is asked to stop")
        world.replicas[self.replica].stop()
