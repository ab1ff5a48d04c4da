"""What must hold of the ledger: its events, the states that they tell, and the leases."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from bot.ledger.events import Event
from tests.simulation import keeping
from tests.simulation.loop import PROCESS

if TYPE_CHECKING:
    from tests.simulation.world import World

_BEGINS = frozenset({"confirming", "waiting", "accepted"})
_OVER = frozenset({"answered", "ended"})
_AFTER: Final[Mapping[str, frozenset[str]]] = {
    "accepted": _BEGINS,
    "confirmed": frozenset({"waiting", "accepted"}),
    "agreed": frozenset({"waiting"}),
    "approved": frozenset({"accepted", "placed"}),
    "broke glass": frozenset({"accepted", "placed"}),
    "rejected": frozenset({"answered"}),
    "placed": frozenset({"placed"}),
    "answered": frozenset({"answered"}),
    "delivered": frozenset({"ended"}),
    "not delivered": frozenset({"ended"}),
    "nowhere to answer": frozenset({"ended"}),
    "given up": frozenset({"ended"}),
    "withdrawn": frozenset({"ended"}),
}
"""In which states a request can be after an event; those that are not here leave it as it is."""
_CLICKS = {"confirmed", "agreed", "approved", "broke glass", "rejected", "cancelled", "denied"}


def state_told(events: Iterable[Event]) -> frozenset[str]:
    """Return in which states a request or a batch can be after its events, in their order."""
    told = [frozenset[str]()]
    for event in events:
        if event.kind == "taken back":
            told.pop()
        elif event.kind in _CLICKS and event.facts.get("outcome"):
            told.append(_OVER)
        elif event.kind in _AFTER:
            told.append(_AFTER[event.kind])
    return told[-1]


def of_open_requests(world: "World") -> Iterator[str]:
    """Yield what is wrong with the states of open requests, between two transactions, if there were events since the last look."""
    if world.compared < len(world.events):
        world.compared = len(world.events)
        rows = world.database.rows(
            "SELECT id, state FROM requests WHERE state <> 'ended' AND batch IS NULL"
        )
        yield from _told_otherwise(rows, _by_request(world))


def events_tell_the_state(world: "World") -> Iterator[str]:
    """The state of each request can be told from its events."""
    rows = world.database.rows("SELECT id, state FROM requests WHERE batch IS NULL")
    yield from _told_otherwise(rows, _by_request(world))


def _told_otherwise(
    rows: Iterable[tuple[str, str]], of: Mapping[str, list[Event]]
) -> Iterator[str]:
    for id_, state in rows:
        if state not in (told := state_told(of.get(id_, ()))):
            yield f"{id_} is {state}, and its events tell {' or '.join(sorted(told)) or 'nothing'}"


def events_tell_the_items(world: "World") -> Iterator[str]:
    """How each item of a batch ended is in its own events, or in those of the batch that was cancelled."""
    of, silent = _by_request(world), defaultdict[str, int](int)
    for id_, batch, state, outcome in world.database.rows(
        f"SELECT id, batch, state, outcome FROM {keeping.ever(world, 'requests')} WHERE batch IS NOT NULL"  # noqa: S608  # ours
    ):
        told = [
            "skipped" if event.kind == "left out" else event.facts["outcome"]
            for event in of[id_]
            if event.kind in {"left out", "answered"}
        ]
        if not told and outcome == "cancelled":
            silent[batch] += 1
        elif told != ([outcome] if state == "ended" else []):
            yield f"{id_} is {state} as {outcome}, and its events tell {told}"
    for batch, events in of.items():
        told_of = sum(_cancelled(event) for event in events)
        if told_of != silent[batch]:
            yield f"{silent[batch]} items of {batch} are cancelled, and its events tell {told_of}"


def events_only_grow(world: "World") -> Iterator[str]:
    """All that was committed is there, in its order, but for what was deleted in worlds where that is done."""
    there = world.database.rows(
        f'SELECT kind, request, "user", outcome FROM {keeping.ever(world, "events")} ORDER BY id'  # noqa: S608  # ours
    )
    heard = [
        (event.kind, *map(event.facts.get, ("request", "user", "outcome")))
        for _, event in world.events
    ]
    if world.keeps:  # SQLite uses the ids of events that are gone again
        there, heard = sorted(there, key=repr), sorted(heard, key=repr)
    if there != heard:
        at = next((n for n, (a, b) in enumerate(zip(there, heard, strict=False)) if a != b), None)
        yield f"{len(there)} events are there of {len(heard)}, and differ from number {at} on"


def note_cancelled(world: "World", event: Event) -> None:
    """Note with which fence a batch was held when somebody cancelled its rest."""
    if _cancelled(event):
        batch = str(event.facts["request"])
        ((fence,),) = world.database.rows("SELECT fence FROM requests WHERE id = :id", id=batch)
        world.cancelled.setdefault(batch, fence)


def note_click(world: "World", event: Event) -> None:
    """Note with which fence a request is held since a click: that takes it from the replica that waits with it."""
    if event.kind in _CLICKS and (id_ := event.facts.get("request")):
        # None is recorded of a batch that is one too many, which is denied.
        for (fence,) in world.database.rows(
            "SELECT fence FROM requests WHERE id = :id", id=str(id_)
        ):
            world.clicked[str(id_)] = fence


def of_take_over(world: "World", event: Event) -> Iterator[str]:
    """Yield an error if another replica's own lease still covers a request as it is taken over, and it has not released that."""
    if event.kind != "taken over":
        return
    id_, taker = str(event.facts["request"]), PROCESS.get().name
    ((fence, doubted),) = world.database.rows(
        "SELECT fence, doubted FROM requests WHERE id = :id", id=id_
    )
    if doubted != world.database_now():
        return  # it was released, of which the answer may be under way
    for replica in world.replicas.values():
        if replica.name == taker or not replica.process.alive:
            continue
        for earlier in range(world.clicked.get(id_, 1), fence):
            if replica.holds(id_, earlier):
                yield f"leases never overlap: {taker} takes {id_} over, and {replica.name} holds it"


def _by_request(world: "World") -> defaultdict[str, list[Event]]:
    of = defaultdict[str, list[Event]](list)
    for _, event in world.events:
        if request := event.facts.get("request"):
            of[str(request)].append(event)
    return of


def _cancelled(event: Event) -> int:
    """Return how many items of a batch an event cancels."""
    if event.kind != "cancelled" or event.facts.get("outcome"):
        return 0
    return int(str(event.facts["detail"]).split()[0])


AT_THE_END = (events_tell_the_state, events_tell_the_items, events_only_grow)
