"""What must hold once all faults are over and nothing is under way: tasks, memory and rows are those of what happened."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

if TYPE_CHECKING:
    from tests.simulation.replica import Replica
    from tests.simulation.world import World

_KEPT = ("LeasedSteps.run", "PolicyWatcher.run", "Recheck.run", "Replica._run")
"""What runs in each replica as long as that lives."""
_CLICKS_KEPT = 500
_OF_A_PERSON = 60
"""More than a replica remembers of all people, channels, envs and batches of a run."""
_UNDER_WAY = {"_editing", "_flights", "_running", "_runs", "_superseded", "_timeouts"}
"""What is kept only of work under way."""
_SIZED: Final = (dict, list, set, WeakValueDictionary, WeakKeyDictionary)


def only_the_kept_tasks_run(world: "World") -> Iterator[str]:
    """Each replica runs what it keeps running, and nothing else."""
    sends = ["Sender.run"] if world.sends else []
    sends += ["Retention.run"] if world.keeps else []
    kept = Counter([*_KEPT, *sends, *(["Upkeep.run"] if world.chain else [])])
    for replica in world.replicas.values():
        running = Counter(
            getattr(task.get_coro(), "__qualname__", "") for task in replica.process.unfinished
        )
        if replica.parts and running != kept:
            odd = sorted((running - kept) + (kept - running))
            yield f"{replica.name}: {', '.join(odd)}"


def memory_is_bounded(world: "World") -> Iterator[str]:
    """Nothing that lives as long as a replica holds more than there are people, channels and envs, or clicks."""
    for replica in world.replicas.values():
        for path, size in _sizes(replica):
            if size > (_CLICKS_KEPT if path.endswith("._begun") else _OF_A_PERSON):
                yield f"{replica.name}: {size} in {path}"
            if path.rpartition(".")[2] in _UNDER_WAY and size:
                yield f"{replica.name}: {size} in {path}, and nothing is under way"


def leases_are_of_open_requests(world: "World") -> Iterator[str]:
    """A replica remembers as its own what it holds in the ledger."""
    for replica in world.replicas.values():
        if replica.ledger is None or not replica.parts:
            continue
        ((held,),) = world.database.rows(
            "SELECT count(*) FROM requests WHERE state <> 'ended' AND batch IS NULL AND holder = :me",
            me=replica.ledger.replica.holder,
        )
        (remembered,) = (n for path, n in _sizes(replica) if path.endswith("lease._held"))
        if remembered > held:
            yield f"{replica.name} remembers {remembered} requests as its own, and holds {held}"


def rows_are_explained(world: "World") -> Iterator[str]:
    """Each request was asked for, each item is of a batch, and each lease of a replica that lived."""
    forms = {view.id for view in world.modals}
    batches = {
        id_: appids.split()
        for id_, appids in world.database.rows(
            "SELECT id, appids FROM requests WHERE appids IS NOT NULL AND appids <> ''"
        )
    }
    for id_, trigger, batch, appid in world.database.rows(
        "SELECT id, trigger_id, batch, appid FROM requests"
    ):
        if batch is None and trigger not in world.triggers and trigger.split()[0] not in forms:
            yield f"{id_} was asked for by nobody"
        if batch is not None and appid not in batches.get(batch, ()):
            yield f"{id_} is no item of {batch}"
    for id_, appids in batches.items():
        ((items,),) = world.database.rows("SELECT count(*) FROM requests WHERE batch = :id", id=id_)
        if items not in {0, len(appids)}:
            yield f"{id_} has {items} items of {len(appids)}"
    known = world.died | {
        replica.ledger.replica.holder for replica in world.replicas.values() if replica.ledger
    }
    for (holder,) in world.database.rows("SELECT id FROM replicas"):
        if holder not in known:
            yield f"{holder} has stopped, and its lease is there"


def _sizes(replica: "Replica") -> Iterator[tuple[str, int]]:
    """Yield the sizes of all that the long-lived objects of a replica keep, by their paths."""
    seen = set[int]()
    todo: list[tuple[str, object]] = [("parts", replica.parts), ("ledger", replica.ledger)]
    while todo:
        path, what = todo.pop()
        if what is None or id(what) in seen:
            continue
        seen.add(id(what))
        if isinstance(what, _SIZED):
            yield path, len(what)
            if isinstance(what, dict):
                todo += [(f"{path}[]", each) for each in what.values() if _is_ours(each)]
            continue
        if isinstance(what, MethodType):
            todo.append((path, what.__self__))
        if isinstance(what, partial):
            todo += [(path, each) for each in (what.func, *what.args)]
        if _is_ours(what):
            todo += [(f"{path}.{name}", each) for name, each in _attributes(what)]


def _is_ours(what: object) -> bool:
    return type(what).__module__.startswith("bot.")


def _attributes(what: object) -> Iterator[tuple[str, object]]:
    names = dict.fromkeys(getattr(what, "__dict__", ()))
    for kind in type(what).__mro__:
        slots = getattr(kind, "__slots__", ())
        names |= dict.fromkeys((slots,) if isinstance(slots, str) else slots)
    for name in names:
        if hasattr(what, name) and name not in {"__weakref__", "__dict__"}:
            yield name, getattr(what, name)


AT_THE_END = (
    only_the_kept_tasks_run,
    memory_is_bounded,
    leases_are_of_open_requests,
    rows_are_explained,
)
