"""What the world remembers, for the story and the checks."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.database import Commit
from tests.simulation.network import Ending

if TYPE_CHECKING:
    from bot.ledger.events import Event
    from bot.playground.slack.surfaces import View
    from bot.playground.slack.transcript import Ack, PostedMessage
    from tests.simulation.replica import Replica
from tests.simulation.policy_file import Reading


@dataclass(frozen=True, slots=True)
class Trouble:
    """What calls to a service meet while it lasts; of one replica, or of all; to one method, if that is named.

    The service "delivery" is how Slack's payloads get to the replicas: late, or twice if the ack is cut off.
    """

    service: str
    ending: Ending | Commit | Reading
    chance: float
    replica: str | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """A click or a decision that somebody sent, about a request, and what they wrote."""

    at: float
    user: str
    act: str
    request: str
    wrote: str = ""


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


@dataclass(slots=True, eq=False)
class Delivery:
    """A payload as one replica handles it: what it told the person meanwhile, and the events that it recorded."""

    what: str
    said: list[str] = field(default_factory=list)
    did: list["Event"] = field(default_factory=list)


DELIVERY: ContextVar[Delivery] = ContextVar("delivery")
"""The payload because of which something is done; the tasks that it begins inherit it."""


@dataclass(slots=True)
class Attempt:
    """A call of /tcb/shareenv, also one that gets nowhere, as its replica sees it."""

    share: Share
    freezes: int
    """How often its replica had frozen before."""
    met: str = ""
    """What became of it, see `checks_of_wechat`; empty while it is under way."""
    over: float = 0.0


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


@dataclass
class Memory:
    """All that a run has seen so far; the checks read it."""

    story: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)
    effects: list[tuple[float, str, str, str, str]] = field(default_factory=list)
    """When, by a call of which replica, and the owner, env and appid of a share that took effect."""
    under_way: list[tuple[Share, "Replica"]] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    """All calls for shares, in the order in which they began."""
    put_back: dict[str, float] = field(default_factory=dict)
    """When the calls of each request were last recorded: it has ended, or is put back into its batch."""
    slowed: dict[str, float] = field(default_factory=dict)
    """When the ledger last did not take what a replica sent, or took long: its lease may have ended then."""
    ready: dict[str, History] = field(default_factory=dict)
    """Whether each env could be used by others."""
    acks: list["Ack"] = field(default_factory=list)
    """What commands and forms were answered at once."""
    deliveries: list[Delivery] = field(default_factory=list)
    """All payloads, each as often as it was delivered."""
    presses: list[tuple[float, str, str]] = field(default_factory=list)
    """When who pressed a button about which request, or asked for something."""
    told: list[tuple[float, str, str]] = field(default_factory=list)
    """When which person alone was told what."""
    screens: list["PostedMessage"] = field(default_factory=list)
    """Every state of a message with buttons."""
    events: list[tuple[float, "Event"]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    slack_late: bool = False
    """Whether any call to Slack has been carried out late, or will be."""
    closed: set[str] = field(default_factory=set)
    """Channels that Slack let nobody write in for a while: what stands there may be outdated for good."""
    modals: list["View"] = field(default_factory=list)
    """Every modal that opened."""
    triggers: set[str] = field(default_factory=set)
    """Of all payloads that Slack has delivered."""
    until: dict[str, float] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)
    """Since when requests wait for their approvers, by the database's clock."""
    """Until when each request may be decided on, by the database's clock."""
    cancelled: dict[str, int] = field(default_factory=dict)
    """The fence of each batch whose rest was cancelled, as it was then."""
    clicked: dict[str, int] = field(default_factory=dict)
    """The fence of each request that a click moved, since the last one."""
    compared: int = 0
    """How many events there were when the states of requests were last compared with these."""
    died: set[str] = field(default_factory=set)
    """The names in the ledger of the replicas that died."""


def rule_of(broken: str) -> str:
    """Return the rule that a sentence about something broken begins with."""
    return broken.partition(":")[0]
