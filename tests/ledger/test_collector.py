from bot.ledger.events import record_event
from bot.ledger.ledger import Ledger
from tests.databases import Database
from tests.ledger.test_events import ORIGIN

URL = "https://collector.example/events"
_INSERT = "INSERT INTO events (at, kind) VALUES (extract(epoch from clock_timestamp()), '{}')"


async def _note(ledger: Ledger, *kinds: str) -> None:
    for kind in kinds:
        await ledger.writer.run(record_event, kind, ORIGIN, {})


async def test_a_new_receiver_begins_now_and_gets_each_event_in_order(ledger: Ledger) -> None:
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
