"""What several migrations need: conditions of indexes, and rows in parts."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

_AT_ONCE = 1000


def where(condition: str) -> dict[str, Any]:
    """Return the options of an index that holds only the rows with this condition."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def read_in_parts(
    on: sa.Connection, query: sa.Select[tuple[object, ...]], key: sa.ColumnClause[str]
) -> Iterator[Sequence[sa.RowMapping]]:
    """Yield the rows of a query in the order of their key, a thousand at a time."""
    query, last = query.order_by(key).limit(_AT_ONCE), ""
    while rows := on.execute(query.where(key > last)).mappings().all():
        yield rows
        last = rows[-1][key.name]
