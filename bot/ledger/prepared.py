"""Statements that are compiled once: SQLAlchemy's cache lookup takes longer than SQLite's execution.

Worth it only for the statements of every share and every item of a batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect
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
    processors: Mapping[str, Callable[[Any], Any]]

    def parameters(self, row: _Row) -> Any:
        """Return the parameters for the driver."""
        values = {**self.fixed, **row}
        for name, process in self.processors.items():
            values[name] = process(values[name])
        return values if self.names is None else tuple([values[name] for name in self.names])


class Prepared:
    """A statement, compiled once per database and set of columns.

    It takes no list parameters, and its results are the driver's raw values.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, on: Connection, row: _Row) -> CursorResult[Any]:
        """Execute it with a row of parameters."""
        key = (on.dialect.name, *row)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self._statement, on.dialect, row)
        return on.exec_driver_sql(compiled.sql, compiled.parameters(row))


def _compile(statement: ClauseElement, dialect: Dialect, row: _Row) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=[*row])
    assert isinstance(compiled, SQLCompiler)  # noqa: S101  # true of every SQL statement
    binds = compiled.binds
    made = {
        name: bind.type.dialect_impl(dialect).bind_processor(dialect)
        for name, bind in binds.items()
    }
    return _Compiled(
        compiled.string,
        tuple(compiled.positiontup or ()) if compiled.positional else None,
        {name: bind.effective_value for name, bind in binds.items() if not bind.required},
        {name: process for name, process in made.items() if process},
    )
