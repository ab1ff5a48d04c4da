"""Statements that are compiled once and executed by the driver: SQLAlchemy takes longer for either than SQLite.

Worth it only for the statements of every share and every item of a batch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPIModule
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

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


def _translated(error: DBAPIModule.Error, on: Connection, sql: str) -> Exception:
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
