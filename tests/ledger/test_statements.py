import re
import time
from dataclasses import replace

import pytest
from sqlalchemy import bindparam, insert, literal, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, OperationalError

from bot.domain.outcome import Finished, Shared, Tally
from bot.domain.request import State
from bot.ledger.acceptance import SharedBefore, Undelivered, UnderWay
from bot.ledger.audit import open_for_audit
from bot.ledger.click_moves import Move
from bot.ledger.engine import parse
from bot.ledger.inspection import open_read_only
from bot.ledger.ledger import Ledger
from bot.ledger.schema import events, replicas, requests
from bot.ledger.statements import NOW, Prepared, compared
from tests.databases import Database, end_all_connections
from tests.ledger.conftest import accepted, new_request

_OF_ALL_TIMES = re.compile(
    r"SCAN (requests|requests_\d|one|item|me|events)$|INDEX requests_by_(env|user)"
)
"""Query plans of SQLite that read all requests, or all of an env or a person."""


async def test_a_prepared_statement_and_the_time_are_the_same_over_every_engine_of_a_file(
    sqlite: Database,
) -> None:
    started = time.time()
    own, url = sqlite.open().engine, parse(sqlite.url)
    now = Prepared(select(NOW).where(literal("x") == bindparam("the_x")))
    with open_read_only(url) as inspecting:
        for engine in (own, open_for_audit(sqlite.url), inspecting):
            with engine.connect() as connection:
                assert started <= now.scalar(connection, {"the_x": "x"}) <= time.time()


@pytest.mark.parametrize("order", ["ASC", "DESC"])  # create_all creates indexes in any order
async def test_no_command_and_no_click_reads_all_ended_requests(
    sqlite: Database, order: str
) -> None:
    ledger = sqlite.ledger("a")
    await ledger.start()
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    for index in sqlite.rows(f"{indexes} ORDER BY name {order}"):
        sqlite.execute(f"DROP INDEX {index['name']}")
        sqlite.execute(index["sql"])
    await ledger.replica.heartbeat()
    sqlite.statements.clear()
    entry = await accepted(ledger)
    assert isinstance(await ledger.accept(new_request(env=entry.request.env)), UnderWay)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.record_outcome(entry, Shared())
    assert isinstance(await ledger.accept(new_request(env=entry.request.env)), Undelivered)
    assert await ledger.end(entry, "delivered")
    assert isinstance(await ledger.accept(new_request(env=entry.request.env)), SharedBefore)
    waits = await accepted(ledger, state=State.WAITING, patience=100.0)
    await ledger.asked(waits, "C2/1.6", waits.half_time)
    assert await ledger.stoppable("T1") == await ledger.stoppable(None) != []
    assert await ledger.clicks.move(waits, Move(State.PLACED, "U2", "approved"))
    batch = await accepted(ledger, new_request(appid="", appids=("wx0", "wx1")))
    assert await ledger.place(batch, "C1/1.7")
    assert await ledger.batches.take_lane(batch)
    assert await ledger.batches.queue(batch)
    await ledger.batches.leave_lane(batch)
    assert await ledger.record_outcome(batch, Finished(Tally(2, failed=2)))
    await ledger.replica.take_over(9)
    with sqlite.engine.connect() as connection:
        plans = {
            (words, step.detail)
            for words, parameters in sqlite.statements
            if not words.startswith("BEGIN")
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", parameters)
        }
    assert len({words for words, _ in plans}) > 20
    assert [plan for plan in plans if _OF_ALL_TIMES.search(plan[1])] == []


async def test_an_answer_reads_few_of_the_earlier_shares_of_its_appid_on_postgresql(
    ready_on_postgresql: Database,
) -> None:
    database, ledger = ready_on_postgresql, ready_on_postgresql.ledger("a")
    await ledger.start()
    entry = await accepted(ledger)
    assert await ledger.place(entry, "C1/1.7")
    own = {"id": "'r' || i", "trigger_id": "i", "state": "'ended'", "outcome": "'shared'"}
    names = ", ".join(f'"{each.name}"' for each in requests.columns)
    values = ", ".join(own.get(each.name, f'"{each.name}"') for each in requests.columns)
    copies = f"SELECT {values} FROM requests, generate_series(1, 5000) i"  # noqa: S608  # ours
    database.execute(f"INSERT INTO requests ({names}) {copies}")
    database.execute(
        "INSERT INTO events (at, kind, request) SELECT 1, 'delivered', id FROM requests"
    )
    database.execute("ANALYZE")
    database.statements.clear()
    assert await ledger.record_outcome(replace(entry, state=State.PLACED), Shared())
    ((words, parameters),) = [each for each in database.statements if " AS one" in each[0]]
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN {words}", parameters).scalars().all()
    assert any("requests_by_appid" in step for step in plan)
    await ledger.close()


# A prepared statement has the same effect as SQLAlchemy's own execution, on both databases.

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
    with database.engine.begin() as on, pytest.raises(InvalidRequestError, match="name"):
        statement.run(on, {"kind": "a"})
