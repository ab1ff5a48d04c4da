import asyncio
import threading
from dataclasses import replace
from functools import partial

import psycopg
import pytest
from sqlalchemy import Connection

from bot.domain.outcome import Failed, Said, Shared, Step
from bot.domain.request import Origin, State
from bot.guidance import for_code
from bot.ledger.acceptance import Accepted
from bot.ledger.click_moves import Move
from bot.ledger.events import MOST, Event, outcome_events, record_event, why_in
from bot.ledger.writer import LedgerDownError
from tests.conftest import soon
from tests.databases import Database, started_writer
from tests.ledger.conftest import accepted, new_request
from tests.patience import PATIENT

WRITTEN = 'SELECT kind, "user", seconds FROM events ORDER BY id'
ORIGIN = Origin(
    team_id="T1",
    user_id="U1",
    channel_id="C1",
    channel_name="releases",
    trigger_id="1.2",
    response_url="",
)


async def test_each_event_is_published_after_it_is_committed_and_in_that_order(
    database: Database,
) -> None:
    published: list[tuple[str, object]] = []

    def on_event(event: Event) -> None:
        # Another connection can see it, so it is committed.
        assert event.kind in database.kinds()
        published.append((event.kind, event.facts["request"]))

    ledger = database.ledger("a", listeners=[on_event])
    await ledger.start()
    entry = await accepted(ledger)
    await ledger.place(entry, "there")
    await ledger.record_outcome(entry, Shared(1), 0.1, [])
    await ledger.end(entry, "delivered")
    kinds = ["accepted", "placed", "answered", "delivered"]
    await soon(lambda: len(published) == len(kinds))
    assert published == [(kind, entry.request.id) for kind in kinds]


@pytest.mark.parametrize("many", [1, 2, MOST, MOST + 1, 2 * MOST + 3])
async def test_the_events_of_one_transaction_are_written_in_their_order(
    database: Database, many: int
) -> None:
    writer = started_writer(database.open().engine)

    def work(on: Connection) -> None:
        for number in range(many):
            record_event(on, f"kind {number}", ORIGIN, {"seconds": number / 2, "detail": None})

    await writer.run(work)
    await writer.close()
    found = [(row["kind"], row["user"], row["seconds"]) for row in database.rows(WRITTEN)]
    assert found == [(f"kind {number}", "U1", number / 2) for number in range(many)]


async def test_postgresql_ends_the_transaction_of_a_replica_that_freezes_while_writing_events(
    on_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def executemany(*_: object) -> None:
        raise AssertionError("in its pipeline PostgreSQL knows no idle transaction: locks stay")

    monkeypatch.setattr(psycopg.Cursor, "executemany", executemany)

    def work(on: Connection) -> None:
        for _ in range(MOST + 1):
            record_event(on, "kind", ORIGIN, {})

    writer = started_writer(on_postgresql.open().engine)
    await writer.run(work)
    await writer.close()
    assert on_postgresql.kinds() == ["kind"] * (MOST + 1)


async def test_the_next_work_does_not_wait_until_all_events_are_published(sqlite: Database) -> None:
    happened: list[str] = []
    first, queued = threading.Event(), threading.Event()

    def listener(event: Event) -> None:
        happened.append(event.kind)
        first.set()
        assert queued.wait(PATIENT)

    def noted(on: Connection, *kinds: str) -> None:
        happened.append(f"works on {kinds}")
        for kind in kinds:
            record_event(on, kind, ORIGIN, {})

    writer = started_writer(sqlite.open().engine, listeners=[listener])
    await writer.run(noted, "a", "b")
    await soon(first.is_set)
    waiting = writer.run(noted, "c")
    queued.set()
    await waiting
    await writer.close()
    assert happened == ["works on ('a', 'b')", "a", "works on ('c',)", "b", "c"]


async def test_under_steady_load_events_are_published_nevertheless(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ledger.thread._MOST_EVENTS", 2)
    published: list[int] = []
    before_the_last: list[int] = []

    def listener(event: Event) -> None:
        published.append(int(event.kind))

    def again(on: Connection, number: int = 1) -> None:
        record_event(on, f"{number}", ORIGIN, {})
        if number < last:
            writer.run_later(partial(again, number=number + 1))  # so there is always a job
        else:
            before_the_last.extend(published)

    last = 9
    writer = started_writer(sqlite.open().engine, listeners=[listener])
    await writer.run(again)
    await soon(lambda: len(published) == last)
    await writer.close()
    assert published == [*range(1, 10)]
    assert before_the_last == [1, 2, 3, 4, 5, 6]


async def test_what_is_queued_while_the_ledger_closes_is_done_and_published(
    sqlite: Database,
) -> None:
    published: list[str] = []
    reached, opened = [threading.Event(), threading.Event()], [threading.Event(), threading.Event()]

    def work(on: Connection, number: int) -> None:
        record_event(on, f"work {number}", ORIGIN, {})
        reached[number].set()
        assert opened[number].wait(PATIENT)

    def follow_up(on: Connection) -> None:
        record_event(on, "follow-up", ORIGIN, {})

    writer = started_writer(
        sqlite.open().engine, listeners=[lambda event: published.append(event.kind)]
    )
    first = writer.run(work, 0)
    await soon(reached[0].is_set)
    second = asyncio.create_task(writer.run_or(follow_up, partial(work, number=1)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    opened[0].set()
    await first
    await soon(reached[1].is_set)
    second.cancel()
    await asyncio.wait([second])
    opened[1].set()
    await closing
    assert sqlite.kinds() == published == ["work 0", "work 1", "follow-up"]


async def test_an_event_that_is_rolled_back_is_not_published(database: Database) -> None:
    published: list[Event] = []
    engine = database.open().engine
    writer = started_writer(engine, listeners=[published.append])

    def spoiled(on: Connection) -> None:
        record_event(on, "rolled back", ORIGIN, {})
        on.exec_driver_sql("no such statement")

    def fine(on: Connection) -> None:
        record_event(on, "done", ORIGIN, {"request": "r1"})

    outcomes = await asyncio.gather(
        writer.run(spoiled), writer.run(fine), writer.run(spoiled), return_exceptions=True
    )
    await writer.run(lambda _: None)
    await writer.close()
    assert [type(outcome) for outcome in outcomes] == [LedgerDownError, type(None), LedgerDownError]
    assert [event.kind for event in published] == ["done"]
    assert published[0].facts == {"team": "T1", "user": "U1", "channel": "C1", "request": "r1"}


async def test_peoples_texts_are_recorded_but_not_published(sqlite: Database) -> None:
    published: list[Event] = []
    ledger = sqlite.ledger("a", listeners=[published.append])
    await ledger.start()
    request = replace(new_request(), reason="a reason of theirs")
    found = await ledger.accept(request, State.WAITING, patience=60.0)
    assert isinstance(found, Accepted)
    comment = "a comment of theirs"
    await ledger.clicks.move(found.entry, Move(State.ACCEPTED, "U2", "approved", comment=comment))
    await soon(lambda: len(published) == 2)
    assert [event.kind for event in published] == ["accepted", "approved"]
    assert "theirs" not in repr(published)
    assert published[1].facts["user"] == "U2"
    [row] = sqlite.rows("SELECT detail FROM events WHERE kind = 'approved'")
    assert row["detail"] == comment


@pytest.mark.parametrize("kind", ["denied", "dry run"])
async def test_an_event_without_a_request_is_published_too(sqlite: Database, kind: str) -> None:
    published: list[Event] = []
    ledger = sqlite.ledger("a", listeners=[published.append])
    await ledger.record_event(kind, ORIGIN, {"env": "prod-1"})
    await soon(lambda: published)
    assert [(event.kind, event.facts["env"]) for event in published] == [(kind, "prod-1")]


async def test_a_subscriber_that_raises_affects_neither_the_others_nor_the_ledger(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    published: list[str] = []

    def fails(_: Event) -> None:
        raise RuntimeError("made up")

    listeners = [fails, lambda event: published.append(event.kind)]
    ledger = sqlite.ledger("a", listeners=listeners)
    for kind in ("denied", "mistake"):
        await ledger.record_event(kind, ORIGIN, {})
    await soon(lambda: len(published) == 2)
    assert published == ["denied", "mistake"]
    assert caplog.messages == ["unforeseen error"] * 2


def test_durations_are_recorded_in_milliseconds_and_none_if_nobody_measured_it() -> None:
    call = Step("call", 0.0017583019944140688, "done")
    for seconds, expected in ((1.0327476, [0.002, 1.033]), (0.0, [0.002, None])):
        written = outcome_events(Shared(), seconds, [call])
        assert [facts["seconds"] for _, facts in written] == expected


def test_events_name_the_address_that_wechat_takes_no_calls_from() -> None:
    said = Said(61004, "access clientip is not registered requestip: 203.0.113.7", None)
    failed, call = Failed(for_code(61004), said), Step("call", 0.1, "61004", said)
    details = [str(facts["detail"]) for _, facts in outcome_events(failed, 1.0, [call])]
    assert details == ["61004, called from 203.0.113.7"] * 2
    assert {why_in(detail) for detail in details} == {"61004"}
