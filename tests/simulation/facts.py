"""What the world remembers, for the story and the checks."""

from dataclasses import dataclass, field

from tests.simulation.database import Commit
from tests.simulation.network import Ending
from tests.simulation.policy_file import Reading


@dataclass(frozen=True, slots=True)
class Trouble:
    """What calls to a service meet while it lasts; of one replica, or of all.

    The service "delivery" is how Slack's payloads get to the replicas: late, or twice if the ack is cut off.
    """

    service: str
    ending: Ending | Commit | Reading
    chance: float
    replica: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """A click or a decision that somebody sent, about a request."""

    at: float
    user: str
    act: str
    request: str


@dataclass(frozen=True, slots=True)
class Share:
    """A call of /tcb/shareenv as it leaves a replica, and the request that it is for."""

    at: float
    replica: str
    holder: str
    env: str
    appid: str
    request: str
    fence: int


@dataclass(slots=True)
class History:
    """What was so since when: policies, or the members of groups."""

    since: list[tuple[float, object]] = field(default_factory=list)

    def within(self, begin: float, end: float) -> list[object]:
        """Return what held at any moment between these times."""
        later = [*(at for at, _ in self.since[1:]), float("inf")]
        return [
            what
            for (at, what), until in zip(self.since, later, strict=True)
            if at <= end and until >= begin
        ]
