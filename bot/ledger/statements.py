"""What the ledger's statements are made of, on both databases; each stands as a constant beside what it is for.

Building one costs more than running it. Parameters that a condition compares are named `the_…`; the others are the
columns that they fill.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Float,
    and_,
    bindparam,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from bot.domain.request import State
from bot.ledger.prepared import Prepared
from bot.ledger.schema import OPEN, requests

upsert = postgresql.insert
"""An insert that can meet a row that is there; SQLite took over its ON CONFLICT, and is told it in the same words."""

NOTHING_OWED: Mapping[str, None] = {"wake": None, "owed": None}
"""The columns of a request once it has moved on, so that nothing is owed of what was to be said before."""


class _Now(FunctionElement[float]):
    """The database's own time."""

    inherit_cache = True
    type = Float()


@compiles(_Now, "sqlite")
def _sqlite_now(*_: object, **_kw: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Now, "postgresql")
def _postgresql_now(*_: object, **_kw: object) -> str:
    return "cast(extract(epoch from clock_timestamp()) as float)"  # else it comes as a Decimal


NOW = _Now()
"""The database's own time, in Unix seconds."""

HALF_TIME = (NOW + requests.c.until) / 2
"""When half of the time is over for which a request waits from now on."""

READ_AT = NOW.label("read_at")
"""When a row was read, for its Entry."""


def compared(column: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a column equals its parameter `the_…`."""
    return column == bindparam(f"the_{column.name}", type_=column.type)


def unindexed(column: Column[Any]) -> ColumnElement[bool]:
    """Return what `compared` does for what is open: no index by this column is used, which finds all that has ended too."""
    return column.concat("") == bindparam(f"the_{column.name}", type_=column.type)


def value_of(column: Column[Any]) -> ColumnElement[Any]:
    """Return the parameter that fills a column."""
    return bindparam(column.name, type_=column.type)


def seconds(name: str) -> ColumnElement[float]:
    """Return a parameter in seconds."""
    return bindparam(name, type_=Float)


def among(states: Iterable[State]) -> ColumnElement[bool]:
    """Return the condition that a request is in one of these states, written out: fewer parameters, and indexes serve."""
    return requests.c.state.in_([literal_column(f"'{state.value}'") for state in states])


PAIR = and_(compared(requests.c.env), compared(requests.c.appid))
"""That a request shares this env with this appid."""

ASKED_BY = and_(compared(requests.c.team), compared(requests.c.user))
"""That a request is this person's."""

OF_TEAM = unindexed(requests.c.team)
OPEN_OF = and_(OPEN, OF_TEAM, unindexed(requests.c.user))
"""That a request is this person's and has not ended."""

MINE = and_(compared(requests.c.id), compared(requests.c.fence))
"""That it is this request, and nobody else has taken it over; see `key_of`."""

STANDS = and_(MINE, compared(requests.c.state))
"""That it is also in this state."""

FIND_STANDING = Prepared(select(requests.c.id).where(STANDS).with_for_update())
"""Finds it only so; whoever is just taking it over is waited for."""
