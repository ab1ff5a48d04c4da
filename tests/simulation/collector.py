"""The collector to which the bot sends its record, what befalls it, and what must hold of what it gets."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import orjson

from bot.ledger.collector import key_of
from bot.observe.collector.cloudevents import id_of
from bot.settings.access import CollectorSettings
from tests.simulation import keeping
from tests.simulation.network import Reply, Sent

if TYPE_CHECKING:
    from tests.simulation.world import World

COLLECTOR = "https://collector.test"
SETTINGS = CollectorSettings(
    url=f"{COLLECTOR}/events", authorization=None, key=None, include_text=True
)


@dataclass(slots=True)
class SimulatedCollector:
    """Takes what it is sent, but no event of a kind that it dislikes."""

    took: dict[str, str] = field(default_factory=dict)
    """The request of each event that it has, by the event's id, in the order in which they came first."""
    disliked: str = ""

    def perform(self, sent: Sent, *, late: bool = False) -> Reply:
        """Take a batch, or refuse it as a whole."""
        del late
        events = orjson.loads(sent.body)
        if any(event["data"]["kind"] == self.disliked for event in events):
            return Reply(400, {}, b"")
        for event in events:
            self.took.setdefault(event["id"], event.get("subject", ""))
        return Reply(204, {}, b"")

    def limited(self, sent: Sent) -> Reply:
        """Answer that there are too many posts."""
        del sent
        return Reply(429, {}, b"")


@dataclass(frozen=True, slots=True)
class Dislike:
    """The collector refuses events of one kind for a while."""

    at: float
    seconds: float
    kind: str

    async def act(self, world: "World", _dice: Random) -> None:
        """Begin it, and end it."""
        world.note("bad luck", f"the collector takes no “{self.kind}”, {self.seconds:.0f} s")
        world.collector.disliked = self.kind
        await asyncio.sleep(self.seconds)
        world.collector.disliked = ""


def begin(world: "World") -> None:
    """Let the bot send its record from the beginning, as `audit --send-since` does."""
    with world.database.connection.begin():
        world.database.connection.exec_driver_sql(
            "INSERT INTO collectors (key, cursor) VALUES (?, 0)", (key_of(SETTINGS.url),)
        )


def not_sent(world: "World") -> Iterator[str]:
    """Yield how many events the bot has not sent yet, as it knows."""
    if world.sends:
        ((unsent,),) = world.database.rows(
            "SELECT count(*) FROM events WHERE id > (SELECT cursor FROM collectors)"
        )
        if unsent:
            yield f"{unsent} events are not sent"


def the_collector_has_every_event(world: "World") -> Iterator[str]:
    """The collector has each event that was committed, those of a request in their order, and no other."""
    if not world.sends:
        return
    rows = world.database.rows(
        f"SELECT id, at, request FROM {keeping.ever(world, 'events')} ORDER BY id"  # noqa: S608  # ours
    )
    there = {id_of({"id": id_, "at": at}): request or "" for id_, at, request in rows}
    took = world.collector.took
    if missing := [each for each in there if each not in took]:
        yield f"{len(missing)} of {len(there)} are missing, such as {missing[0]}"
    if odd := [each for each in took if each not in there]:
        yield f"{len(odd)} were never committed, such as {odd[0]}"
    came, happened = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for event, request in took.items():
        came[request].append(event)
    for event, request in there.items():
        if event in took:
            happened[request].append(event)
    for request, events in happened.items():
        if request and came[request] != events:
            yield f"those of {request} came in another order: {' '.join(came[request])}"
