"""The building blocks of the ledger's statements, for both databases.

Statements are constants beside their use, since building one costs more than running it. Their parameters are named
`the_…` after a column, or for what they are; what an update may fill besides has the column's own name.

SQLAlchemy takes longer to compile and execute a statement than SQLite to run it. So those of every share and every item
of a batch are Prepared: compiled once, and executed by the driver.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Float,
    Insert,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.functions import FunctionElement

from bot.domain.request import State
from bot.ledger.schema import OPEN, requests

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIModule  # newer versions of SQLAlchemy have it


def upsert(
    table: Table, names: Sequence[str], rows: Select[Any], on_conflict: str = "DO NOTHING"
) -> Insert:
    """Return the insert of `rows` into these columns, which by default skips those in conflict with a recorded one.

    The inserts of the dialects have a method for it, but PostgreSQL's dialect takes 20 ms to load.
    """
    clause = text(f"ON CONFLICT {on_conflict}")  # both databases read it
    # Without a condition SQLite would read ON as a part of a join.
    return insert(table).from_select([*names], rows.where(true()).suffix_with(clause))


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
"""The request is this person's."""

OF_TEAM = unindexed(requests.c.team)
OPEN_OF = and_(OPEN, OF_TEAM, unindexed(requests.c.user))
"""The request is this person's and has not ended."""

MINE = and_(compared(requests.c.id), compared(requests.c.fence))
"""It is this request, and no other replica has taken it over; parameters from `key_of`."""

STANDS = and_(MINE, compared(requests.c.state))
"""It is also in this state."""


_Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement in one database's SQL, and how its parameters are built from a row."""

    sql: str
    names: tuple[str, ...] | None
    """The names of positional parameters, in order; None if the driver takes them by name."""
    fixed: Mapping[str, object]
    """The parameters with a constant value."""

    def parameters(self, row: _Row) -> Any:
        """Return the parameters for the driver."""
        values = {**self.fixed, **row}
        return values if self.names is None else tuple(map(values.__getitem__, self.names))


class Prepared:
    """A statement, compiled once per database and set of columns, for use within a transaction.

    Its parameters are text, numbers, booleans and None, never lists: it does none of SQLAlchemy's conversions.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, on: Connection, row: _Row) -> int:
        """Execute it with a row of parameters; return the number of rows that it wrote."""
        return self._execute(on, row)[0]

    def scalar(self, on: Connection, row: _Row) -> Any:
        """Execute it; return the first column of the first row, as the driver returns it, or None if there is no row."""
        found = self._execute(on, row)[1]
        return found and found[0]

    def _execute(self, on: Connection, row: _Row) -> tuple[int, Sequence[Any] | None]:
        """Return the number of rows written, and the first row found; raises SQLAlchemy's errors."""
        key = (on.dialect.name, *row)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self._statement, on.dialect, row)
        parameters = compiled.parameters(row)
        try:
            cursor = on.connection.cursor()
            try:  # `closing` takes a fifth of the time of a short statement
                cursor.execute(compiled.sql, parameters)
                found = cursor.fetchone() if cursor.description else None
                return cursor.rowcount, found
            finally:
                cursor.close()  # SQLite commits only without open results
        except on.dialect.loaded_dbapi.Error as error:
            raise _translated(error, on, compiled.sql) from error


def _compile(statement: ClauseElement, dialect: Dialect, row: _Row) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=[*row])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # true of every SQL statement
    binds = compiled.binds.items()
    return _Compiled(
        compiled.string,
        tuple(compiled.positiontup or ()) if compiled.positional else None,
        {name: bind.effective_value for name, bind in binds if not bind.required},
    )


def _translated(error: "DBAPIModule.Error", on: Connection, sql: str) -> Exception:
    """Return SQLAlchemy's error for the driver's, and let go of a connection that is lost."""
    dialect = on.dialect
    lost = dialect.is_disconnect(error, on.connection.dbapi_connection, None)
    if lost:
        on.invalidate(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=lost,
        dialect=dialect,
    )
