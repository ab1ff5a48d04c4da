from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from bot.ledger.audit import delete_before, open_for_audit
from bot.ledger.collector import Collector
from bot.ledger.events import record_event
from bot.ledger.ledger import Ledger
from bot.ledger.sending import first_unsent, leave_out, send_since
from tests.databases import Database
from tests.ledger.test_events import ORIGIN

URL = "https://collector.example/events"
_INSERT = "INSERT INTO events (at, kind) VALUES (extract(epoch from clock_timestamp()), '{}')"


async def _note(ledger: Ledger, *kinds: str) -> None:
    for kind in kinds:
        await ledger.writer.run(record_event, kind, ORIGIN, {})


async def _kinds(collector: Collector) -> list[object]:
    return [row["kind"] for row in (await collector.due(9)).rows]


@pytest.fixture
def engine(database: Database, ledger: Ledger) -> Iterator[Engine]:
    """What operators' commands open."""
    del ledger  # it has to start first
    engine = open_for_audit(database.url)
    yield engine
    engine.dispose()


async def test_a_new_collector_begins_now_and_gets_each_event_in_order(ledger: Ledger) -> None:
    collector = ledger.collector(URL)
    await _note(ledger, "before")
    assert (await collector.due(9)).rows == ()
    await _note(ledger, "a", "b", "c")
    due = await collector.due(2)
    assert ([row["kind"] for row in due.rows], due.unsent) == (["a", "b"], 3)
    await collector.took(due, int(str(due.rows[-1]["id"])))
    assert [row["kind"] for row in (await collector.due(2)).rows] == ["c"]


async def test_one_replica_sends_and_another_goes_on_when_it_has_stopped(
    ledger: Ledger, other: Ledger
) -> None:
    first, second = ledger.collector(URL), other.collector(URL)
    await first.due(9)
    await _note(ledger, "a")
    assert len((await first.due(9)).rows) == 1
    late = await first.due(9)
    assert ((await second.due(9)).rows, (await second.due(9)).unsent) == ((), 1)
    await ledger.replica.stop()
    due = await second.due(9)
    assert [row["kind"] for row in due.rows] == ["a"]
    await first.took(
        late, int(str(late.rows[0]["id"]))
    )  # it has lost the collector, and moves nothing
    assert len((await second.due(9)).rows) == 1


async def test_no_event_is_sent_before_one_with_a_smaller_id_that_is_not_committed_yet(
    ready_on_postgresql: Database,
) -> None:
    ledger = ready_on_postgresql.ledger("a")
    await ledger.start()
    collector = ledger.collector(URL)
    await collector.due(9)
    with ready_on_postgresql.engine.connect() as slow:
        slow.exec_driver_sql(_INSERT.format("slow"))
        await _note(ledger, "fast")
        due = await collector.due(9)
        assert (due.rows, due.unsent > 0) == ([], True)
        assert (await collector.due(9)).rows == []
        slow.commit()
    assert [row["kind"] for row in (await collector.due(9)).rows] == ["slow", "fast"]


async def test_a_new_collector_begins_when_nothing_with_a_smaller_id_is_under_way(
    ready_on_postgresql: Database,
) -> None:
    ledger = ready_on_postgresql.ledger("a")
    await ledger.start()
    collector = ledger.collector(URL)
    with ready_on_postgresql.engine.connect() as slow:
        slow.exec_driver_sql(_INSERT.format("slow"))
        await _note(ledger, "fast")
        await collector.due(9)
        assert ready_on_postgresql.rows("SELECT cursor FROM collectors") == []
        slow.commit()
    await _note(ledger, "later")
    await collector.due(9)
    assert await _kinds(collector) == ["later"]


async def test_with_another_token_in_its_query_it_is_the_same_collector(ledger: Ledger) -> None:
    await ledger.collector(f"{URL}?token=old").due(9)
    await _note(ledger, "a")
    assert await _kinds(ledger.collector(f"{URL}?token=new")) == ["a"]


async def test_after_a_deletion_of_all_events_none_is_skipped(
    ledger: Ledger, engine: Engine
) -> None:
    collector = ledger.collector(URL)
    await _note(ledger, "a", "b", "c")
    await collector.due(9)
    delete_before(engine, datetime(2999, 1, 1, tzinfo=UTC))
    await _note(ledger, "d")  # on SQLite, with the id of the first
    assert await _kinds(collector) == ["deleted", "d"]


async def test_a_collector_gets_again_what_happened_since_a_day(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    collector = ledger.collector(URL)
    await _note(ledger, "old", "a", "b")
    database.execute("UPDATE events SET at = 1000 WHERE kind = 'old'")
    await collector.due(9)
    await _note(ledger, "c")
    again = ["a", "b", "c", "sent again"]
    for since in (datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)):  # which leaves out nothing
        assert send_since(engine, URL, since) == len(again)
        assert await _kinds(collector) == again
        again.append("sent again")


async def test_a_new_collector_may_begin_in_the_past(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    await _note(ledger, "old", "a")
    database.execute("UPDATE events SET at = 1000 WHERE kind = 'old'")
    assert send_since(engine, URL, datetime(2000, 1, 1, tzinfo=UTC)) == 2
    assert await _kinds(ledger.collector(URL)) == ["a", "sent again"]


async def test_only_the_next_event_can_be_left_out_and_the_collector_is_told(
    ledger: Ledger, engine: Engine
) -> None:
    assert first_unsent(engine, URL) is None
    collector = ledger.collector(URL)
    await collector.due(9)
    await _note(ledger, "bad", "a")
    first = first_unsent(engine, URL) or {}
    assert first["kind"] == "bad"
    assert not leave_out(engine, URL, {**first, "id": int(str(first["id"])) + 1}, "its name")
    assert leave_out(engine, URL, first, "its name")
    assert not leave_out(engine, URL, first, "its name")
    rows = (await collector.due(9)).rows
    assert [(row["kind"], row["detail"]) for row in rows] == [("a", None), ("not sent", "its name")]


async def test_events_that_a_collector_does_not_have_are_counted_and_stay(
    ledger: Ledger, engine: Engine
) -> None:
    later = datetime(2999, 1, 1, tzinfo=UTC)
    await _note(ledger, "before")
    await ledger.collector(URL).due(9)
    await _note(ledger, "a", "b")
    assert delete_before(engine, later, URL) == 2
    assert delete_before(engine, datetime(2000, 1, 1, tzinfo=UTC), URL) == (0, 0)
    assert await _kinds(ledger.collector(URL)) == ["a", "b"]
