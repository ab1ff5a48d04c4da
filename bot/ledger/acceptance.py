"""What can become of a request that is handed to the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select

from bot.ledger.entries import Entry, entry_of
from bot.ledger.statements import Statements


@dataclass(frozen=True, slots=True)
class Accepted:
    """Recorded, and held by this replica."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Known:
    """The same trigger was recorded before."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same env is being shared with the same appid."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class SharedBefore:
    """The same env was shared with the same appid."""

    entry: Entry


Acceptance = Accepted | Known | UnderWay | SharedBefore


def standing_in_the_way(
    on: Connection, say: Statements, find: Mapping[str, object], *, again: bool
) -> Known | UnderWay | SharedBefore | None:
    """Return why a new request was not recorded; None if that has passed."""

    def first(statement: Select[Any]) -> Entry | None:
        row = on.execute(statement, find).mappings().first()
        return entry_of(row) if row else None

    if known := first(say.same):
        return Known(known)
    if under_way := first(say.under_way):
        return UnderWay(under_way)
    shared = None if again else first(say.shared)
    return SharedBefore(shared) if shared else None
