"""Days that pass, what the bot deletes then, and what must hold of it.

Triggers keep what was deleted in tables of the test's own, so that the checks see it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from bot.ledger.schema import metadata

if TYPE_CHECKING:
    from tests.simulation.world import World

KEEP_DAYS: Final = 30
_DAY = 86_400.0
_TOLD = re.compile(r"`([\w-]+)` was shared with `(wx\w+)` before")


@dataclass(frozen=True, slots=True)
class Pass:
    """Days pass, at once, for all clocks."""

    at: float
    days: float

    async def act(self, world: "World", _dice: Random) -> None:
        """Let them."""
        world.note("the world", f"{self.days:.0f} days pass")
        world.passed += self.days * _DAY


def ever(world: "World", table: str) -> str:
    """Return what a query reads to find all rows of a table, also those that were deleted."""
    if not world.keeps:
        return table
    names = ", ".join(_columns(table))
    return f"(SELECT {names} FROM {table} UNION ALL SELECT {names} FROM gone_{table})"  # noqa: S608  # ours


def _columns(table: str) -> list[str]:
    return [f'"{column.name}"' for column in metadata.tables[table].columns]


def begin(world: "World") -> None:
    """Remember what is deleted."""
    with world.database.connection.begin():
        for table in ("requests", "events"):
            old = ", ".join(f"old.{name}" for name in _columns(table))
            world.database.connection.exec_driver_sql(
                f"CREATE TABLE gone_{table} AS SELECT *, 0.0 AS gone FROM {table} WHERE 0"  # noqa: S608  # ours
            )
            world.database.connection.exec_driver_sql(
                f"CREATE TRIGGER gone_{table} BEFORE DELETE ON {table} BEGIN"  # noqa: S608  # ours
                f" INSERT INTO gone_{table} VALUES ({old}, unix_now()); END"
            )


def only_what_is_over_goes(world: "World") -> Iterator[str]:
    """What was deleted had ended long before, with all its items, and no message was owed or in doubt."""
    if not world.keeps:
        return
    for id_, state, ended, recheck, gone in world.database.rows(
        "SELECT id, state, ended, recheck, gone FROM gone_requests"
    ):
        if state != "ended" or recheck is not None:
            yield f"{id_} was {state}, and is deleted"
        elif gone - ended < KEEP_DAYS * _DAY:
            yield f"{id_} had ended {(gone - ended) / _DAY:.1f} days before"
    for (id_,) in world.database.rows(
        "SELECT item.id FROM requests AS item WHERE item.batch IN (SELECT id FROM gone_requests)"
    ):
        yield f"{id_} is there without its batch"
    for (id_,) in world.database.rows(
        "SELECT DISTINCT request FROM events WHERE request IN (SELECT id FROM gone_requests)"
    ):
        yield f"an event of {id_} is there without it"


def a_deletion_is_told(world: "World") -> Iterator[str]:
    """The events say how much was deleted, once."""
    if not world.keeps:
        return
    told = [str(e.facts["detail"]).split() for _, e in world.events if e.kind == "deleted"]
    for place, table in ((0, "requests"), (3, "events")):
        ((gone,),) = world.database.rows(f"SELECT count(*) FROM gone_{table}")  # noqa: S608  # ours
        said = sum(int(words[place]) for words in told)
        if said != gone:
            yield f"{gone} {table} are gone, and the events tell of {said}"


def told_before_is_true(world: "World") -> Iterator[str]:
    """What people are told of a share before, WeChat has done."""
    done = {(env, appid) for _, _, _, env, appid in world.effects}
    said = [str((ack.payload or {}).get("text", "")) for ack in world.acks]
    for text in (*said, *(text for _, _, text in world.told)):
        for pair in _TOLD.findall(text):
            if pair not in done:
                yield f"{pair[0]} was never shared with {pair[1]}"


AT_THE_END = (only_what_is_over_goes, a_deletion_is_told, told_before_is_true)
