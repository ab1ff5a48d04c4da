"""A prepared statement has the same effect as SQLAlchemy's own execution, on both databases."""

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from bot.ledger import Ledger
from bot.ledger.prepared import Prepared
from bot.ledger.schema import events, replicas, requests
from bot.ledger.statements import NOW, compared
from tests.databases import Database, end_all_connections
from tests.ledger.conftest import accepted

_CHANGE = update(requests).where(compared(requests.c.id)).values(state="ended", ended=NOW)


async def test_written_values_are_stored_as_each_column_defines(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    change, which = Prepared(_CHANGE), {"the_id": entry.request.id}
    values = {"begun": True, "comment": "a b", **which}
    with database.engine.begin() as on:
        assert change.run(on, values) == 1
        assert change.run(on, {"place": "C1/1.5", **which}) == 1
        assert change.run(on, {"place": "C1/2.5", "the_id": "another"}) == 0
        row = on.execute(select(requests)).mappings().one()
    assert row["state"] == "ended"
    assert row["ended"] >= row["created"]
    assert (row["begun"], row["comment"]) == (True, "a b")
    assert row["place"] == "C1/1.5"


async def test_a_prepared_statement_writes_and_returns_rows(database: Database) -> None:
    database.open()
    add, find = Prepared(insert(replicas)), Prepared(select(replicas.c.id).where(_ID).limit(1))
    with database.engine.begin() as on:
        for id_ in "abc":
            add.run(on, {"id": id_, "lease_until": 1.5})
        assert find.scalar(on, {"the_id": "b"}) == "b"
        assert find.scalar(on, {"the_id": "d"}) is None
        with pytest.raises(IntegrityError, match=r"(?i)unique") as caught:
            add.run(on, {"id": "a", "lease_until": 2.5})
        assert not caught.value.connection_invalidated


async def test_a_connection_that_is_lost_is_replaced_for_the_next_transaction(
    on_postgresql: Database,
) -> None:
    add = Prepared(insert(replicas))
    with on_postgresql.open().engine.connect() as on:
        with on.begin():
            add.run(on, {"id": "a", "lease_until": 1.5})
        end_all_connections(on_postgresql)
        with pytest.raises(OperationalError, match="terminat") as caught, on.begin():
            add.run(on, {"id": "b", "lease_until": 1.5})
        assert caught.value.connection_invalidated
        with on.begin():
            add.run(on, {"id": "c", "lease_until": 1.5})
    assert [row["id"] for row in on_postgresql.rows("SELECT id FROM replicas")] == ["a", "c"]


async def test_a_connection_that_the_driver_has_closed_is_lost_too(database: Database) -> None:
    add = Prepared(insert(replicas))
    with database.open().engine.connect() as on:
        transaction = on.begin()
        on.connection.cursor().connection.close()
        with pytest.raises(DBAPIError, match="closed") as caught:
            add.run(on, {"id": "a", "lease_until": 1.5})
        assert caught.value.connection_invalidated
        transaction.rollback()
        with on.begin():
            add.run(on, {"id": "b", "lease_until": 1.5})
    assert [row["id"] for row in database.rows("SELECT id FROM replicas")] == ["b"]


_ID = compared(replicas.c.id)


async def test_a_missing_parameter_is_an_error_not_an_empty_column(database: Database) -> None:
    database.open()
    statement = Prepared(insert(events).values(at=1.0, kind=bindparam("name")))
    with database.engine.begin() as on, pytest.raises((KeyError, ProgrammingError)):
        statement.run(on, {"kind": "a"})
