"""The building blocks of the ledger's statements, for both databases.

Statements are constants beside their use, since building one costs more than running it. A parameter is named `the_…`
after the column that it is compared with, or for what it is. A parameter with the plain name of a column is a new value,
which an update writes there.

SQLAlchemy takes longer to look up a compiled statement than SQLite to run it. So those of every share and every item of
a batch are Prepared: compiled once, and executed as text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Compiled,
    Connection,
    CursorResult,
    Float,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from bot.domain.request import State
from bot.ledger.schema import OPEN, requests


class _Now(FunctionElement[float]):
    """The database's current time."""

    inherit_cache = True
    type = Float()


@compiles(_Now, "sqlite")
def _sqlite_now(*_: object, **_kw: object) -> str:
    return "unix_now()"  # registered by the engine


@compiles(_Now, "postgresql")
def _postgresql_now(*_: object, **_kw: object) -> str:
    return (
        "cast(extract(epoch from clock_timestamp()) as float)"  # without the cast it is a Decimal
    )


NOW = _Now()
"""The database's current time, in Unix seconds."""

OWED_SECONDS = NOW - func.min(requests.c.owed)
"""For how long the oldest of the selected requests has been owed its next message; NULL if none is."""

NOTHING_OWED: Mapping[str, None] = {"wake": None, "owed": None}
"""The columns that every move resets, since it supersedes an owed message."""

TRIES = 10
"""How often a row is offered that is refused for another which is gone by the time it is looked for."""

READ_AT = NOW.label("read_at")
"""When a row was read, for `Entry.at`."""

_batch = requests.alias("batch")
_ANSWERED_IN = select(_batch.c.place).where(_batch.c.id == requests.c.batch).scalar_subquery()
WITH_PLACES = select(requests, _ANSWERED_IN.label("answered_in"))
"""Requests, items with the place of their batch, in which they are answered."""


# If a call to Slack about it had ended in doubt, its messages are looked at as soon as the last one stands.
_RECHECK_AT_ONCE = case((requests.c.recheck.is_not(None), NOW))


def value_of(column: Column[Any]) -> ColumnElement[Any]:
    """Return the parameter `the_` plus a column's name."""
    return bindparam(f"the_{column.name}", type_=column.type)


def compared(column: Column[Any]) -> ColumnElement[bool]:
    """Return the condition that a column equals its parameter."""
    return column == value_of(column)


def unindexed(column: Column[Any]) -> ColumnElement[bool]:
    """Return `compared`, but in a form for which no index on this column is used: it would cover ended requests too."""
    return column.concat("") == value_of(column)


def seconds(name: str) -> ColumnElement[float]:
    """Return a parameter in seconds."""
    return bindparam(name, type_=Float)


def columns_in(state: State) -> dict[str, Any]:
    """Return the columns that every move to a state fills."""
    over = {"ended": NOW, "response_url": None, "recheck": _RECHECK_AT_ONCE}
    return {"state": state.value, **NOTHING_OWED, **(over if state is State.ENDED else {})}


def among(states: Iterable[State]) -> ColumnElement[bool]:
    """Return the condition that a request is in one of these states; literals, so that partial indexes are used."""
    return requests.c.state.in_([literal_column(f"'{state.value}'") for state in states])


PAIR = and_(compared(requests.c.env), compared(requests.c.appid))
"""The request shares this env with this appid."""

ASKED_BY = and_(compared(requests.c.team), compared(requests.c.user))
"""The request is this person's, in this workspace."""

OF_TEAM = unindexed(requests.c.team)
OPEN_OF = and_(OPEN, unindexed(requests.c.user))
"""The request is this person's and has not ended, in whichever workspace of an organisation they asked."""

MINE = and_(compared(requests.c.id), compared(requests.c.fence))
"""It is this request, and no other replica has taken it over; parameters from `key_of`."""

STANDS = and_(MINE, compared(requests.c.state))
"""It is also in this state."""


class Prepared:
    """A statement, compiled once per database and set of columns; with another one for PostgreSQL, if that differs.

    Its parameters are text, numbers, booleans and None, never lists: it does none of SQLAlchemy's conversions.
    """

    def __init__(
        self, statement: ClauseElement, on_postgresql: ClauseElement | None = None
    ) -> None:
        other = statement if on_postgresql is None else on_postgresql
        self._statements = {"sqlite": statement, "postgresql": other}
        self._compiled: dict[tuple[str, ...], Compiled] = {}

    def run(self, on: Connection, row: Mapping[str, object]) -> int:
        """Execute it with a row of parameters; return the number of rows that it wrote."""
        with self._execute(on, row) as result:
            return result.rowcount

    def scalar(self, on: Connection, row: Mapping[str, object]) -> Any:
        """Execute it; return the first column of the first row, as the driver returns it, or None if there is no row."""
        return self._execute(on, row).scalar()

    def rows(self, on: Connection, row: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """Execute it; return all rows, with values as the driver returns them."""
        return self._execute(on, row).all()

    def _execute(self, on: Connection, row: Mapping[str, object]) -> CursorResult[Any]:
        """Return the result, to be read or closed before the commit: until then SQLite's transaction cannot end."""
        key = (on.dialect.name, *row)
        compiled = self._compiled.get(key)
        if compiled is None:
            statement = self._statements[on.dialect.name]
            compiled = statement.compile(dialect=on.dialect, column_keys=[*row])
            self._compiled[key] = compiled
        # Not `compiled.params`, which are None where a parameter is missing.
        return on.exec_driver_sql(compiled.string, compiled.construct_params(row))


Insert = Callable[[Table], sqlite.Insert | postgresql.Insert]
"""The function `insert` of a dialect."""


def upsert(build: Callable[[Insert], ClauseElement]) -> Prepared:
    """Return the statement that `build` makes of an `insert`; only those of the dialects have ON CONFLICT."""
    return Prepared(build(sqlite.insert), build(postgresql.insert))
