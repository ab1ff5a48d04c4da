import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from bot.ledger.database import POSTGRESQL
from bot.ledger.schema import replicas
from bot.ledger.writer import LedgerDownError, Writer
from tests.databases import Database, PostgreSQL, end_all_connections
from tests.ledger.conftest import SOON, soon, within
from tests.patience import PATIENT


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    writer = Writer(database.open().engine)
    database.commits.clear()
    yield writer
    await writer.close()


def add(name: str) -> Callable[[Connection], str]:
    """Return work that writes a name down and returns it."""

    def work(on: Connection) -> str:
        on.execute(replicas.insert().values(id=name, lease_until=0))
        return name

    return work


def change(on: Connection) -> str:
    """Change the row of the one that is called `locked`."""
    on.execute(replicas.update().where(replicas.c.id == "locked").values(lease_until=1))
    return "changed"


def names(database: Database) -> list[str]:
    return sorted(row["id"] for row in database.rows("SELECT id FROM replicas"))


class Gate:
    """Work that waits until it is let through, so that more work queues behind it."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _: Connection) -> None:
        """Say that it is reached, and wait."""
        self.reached.set()
        self.opened.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Open the gate at the end, whatever happens."""
        try:
            yield
        finally:
            self.opened.set()


@pytest.fixture
async def gate(writer: Writer) -> AsyncIterator[Gate]:
    """Keep the writer busy until the gate is opened."""
    gate = Gate()
    with gate.held():
        waiting = writer.run(gate)
        await soon(gate.reached.is_set)
        yield gate
    await asyncio.wait([waiting])
    waiting.exception()


def queued(writer: Writer, *works: Callable[[Connection], str]) -> list[asyncio.Future[str]]:
    """Return what waits for work that stands in the queue."""
    return [writer.run(work) for work in works]


async def test_what_comes_together_is_committed_together(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, *(add(f"{n:02}") for n in range(50)))
    gate.opened.set()
    assert await asyncio.gather(*tasks) == [f"{n:02}" for n in range(50)]
    assert names(database) == [f"{n:02}" for n in range(50)]
    assert len(database.commits) == 2  # the gate's and theirs


async def test_a_great_many_take_a_few_commits(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, *(add(f"{n:03}") for n in range(250)))
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert len(database.commits) == 1 + 3


async def test_one_alone_is_committed_at_once(database: Database, writer: Writer) -> None:
    assert await writer.run(add("alone")) == "alone"
    assert names(database) == ["alone"]


def twice(on: Connection) -> str:
    add("same")(on)
    return add("same")(on)


def stumble(_: Connection) -> str:
    raise LookupError("my own mistake")


@pytest.mark.parametrize(
    ("work", "error"), [(twice, LedgerDownError), (stumble, LookupError)], ids=["database", "own"]
)
async def test_an_error_reaches_who_asked_and_nobody_else(
    writer: Writer, gate: Gate, work: Callable[[Connection], str], error: type[Exception]
) -> None:
    tasks = queued(writer, *map(add, "abc"), work, *map(add, "def"))
    gate.opened.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(error, match=r"(?i)unique|my own mistake"):
        tasks[3].result()
    del results[3]
    assert results == list("abcdef")


async def test_an_error_says_no_word_of_what_was_written(
    database: Database, writer: Writer
) -> None:
    await writer.run(add("a secret word"))
    with pytest.raises(LedgerDownError) as caught:
        await writer.run(add("a secret word"))
    assert "secret" not in str(caught.value)
    assert "INSERT" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert names(database) == ["a secret word"]


async def test_an_error_without_words_is_called_by_its_name(writer: Writer) -> None:
    def fail(_: Connection) -> None:
        raise OperationalError("INSERT", {}, Exception())

    with pytest.raises(LedgerDownError, match=r"^OperationalError$"):
        await writer.run(fail)
    await writer.run(add("next"))


async def test_work_that_nobody_waits_for_any_more_is_not_begun(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, *map(add, "abc"))
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    gate.opened.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert names(database) == ["a", "c"]


async def test_a_transaction_is_not_begun_for_nobody(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, add("a"))
    tasks[0].cancel()
    await asyncio.wait(tasks)
    gate.opened.set()
    await writer.run(add("b"))
    assert names(database) == ["b"]
    assert len(database.commits) == 2  # the gate's and b's


async def test_who_leaves_during_the_work_does_not_disturb_the_others(
    database: Database, writer: Writer
) -> None:
    gate = Gate()
    with gate.held():
        leaving = writer.run(gate)
        await soon(gate.reached.is_set)
        (staying,) = queued(writer, add("a"))
        leaving.cancel()
        await asyncio.wait([leaving])
    assert await staying == "a"
    assert names(database) == ["a"]


async def test_who_waits_too_long_is_told_and_the_work_left_out(database: Database) -> None:
    writer, gate = Writer(database.open().engine, patience=1.0), Gate()
    with gate.held():
        first = writer.run(gate)
        await soon(gate.reached.is_set)
        (late,) = queued(writer, add("late"))
        with within(SOON):
            results = await asyncio.gather(first, late, return_exceptions=True)
        assert [str(each) for each in results] == ["no answer within 1 s"] * 2
        assert all(isinstance(each, LedgerDownError) for each in results)
    await writer.run(add("next"))
    assert names(database) == ["next"]
    await writer.close()


async def test_work_for_later_is_done_without_waiting(
    database: Database, writer: Writer, gate: Gate
) -> None:
    writer.run_later(add("later"))
    gate.opened.set()
    await soon(lambda: names(database) == ["later"])


async def test_work_for_later_is_tried_again_until_it_is_committed_once(
    database: Database, writer: Writer
) -> None:
    tries = list[str]()

    def work(on: Connection) -> None:
        tries.append("")
        if len(tries) < 4:
            raise OperationalError("INSERT", {}, Exception("the disk is full"))
        add("later")(on)

    writer.run_later(work)
    for name in "abcdef":
        assert await writer.run(add(name)) == name
    assert names(database) == [*"abcdef", "later"]
    assert len(tries) == 4


@pytest.mark.parametrize(
    ("mistake", "traced"), [(stumble, True), (twice, False)], ids=["own", "what stands there"]
)
async def test_work_for_later_that_can_never_be_done_is_given_up_and_that_is_said_once(
    database: Database,
    writer: Writer,
    caplog: pytest.LogCaptureFixture,
    mistake: Callable[[Connection], str],
    traced: bool,
) -> None:
    tries = list[str]()

    def work(on: Connection) -> None:
        tries.append("")
        mistake(on)

    writer.run_later(work, request="request-1")
    for name in "abc":
        await writer.run(add(name))
    assert names(database) == ["a", "b", "c"]
    assert len(tries) <= 2  # with others, then alone
    (said,) = caplog.records
    assert (said.levelname, vars(said)["request"]) == ("ERROR", "request-1")
    assert said.message == "the ledger gives up what it cannot do"
    assert bool(said.exc_info) is traced


@pytest.mark.parametrize(
    "kind", [OperationalError, InterfaceError, InternalError, ProgrammingError]
)
async def test_work_for_later_is_not_given_up_for_what_somebody_may_put_right(
    database: Database,
    writer: Writer,
    caplog: pytest.LogCaptureFixture,
    kind: type[DBAPIError],
) -> None:
    away = [True]

    def work(on: Connection) -> None:
        if away:
            raise kind("UPDATE", {}, Exception("made up"))
        add("later")(on)

    writer.run_later(work)
    for name in "ab":
        await writer.run(add(name))
    away.clear()
    await writer.run(add("c"))
    assert names(database) == ["a", "b", "c", "later"]
    assert caplog.records == []


async def test_closing_finishes_what_is_queued(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, *(add(f"{n:03}") for n in range(150)))
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    gate.opened.set()
    await closing
    assert all(task.done() for task in tasks)
    assert len(names(database)) == 150


async def test_closing_says_what_is_left_undone(
    database: Database, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_: Connection) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    writer.run_later(add("done"), request="request-1")
    writer.run_later(work, request="request-2")
    writer.run_later(work, request="request-3")
    await writer.close()
    assert names(database) == ["done"]
    said = [(each.levelname, each.message, vars(each)["request"]) for each in caplog.records]
    undone = "the ledger stops and leaves this undone"
    assert said == [("ERROR", undone, f"request-{number}") for number in (2, 3)]


async def test_what_is_still_being_written_at_the_end_leaves_no_connection_open(
    database: Database,
) -> None:
    engine, closed, gate = database.open().engine, list[object](), Gate()
    event.listen(engine, "close", lambda raw, _record: closed.append(raw))
    writer = Writer(engine, patience=0.05)
    with gate.held():
        with pytest.raises(LedgerDownError):
            await writer.run(gate)
        assert gate.reached.is_set()
        await writer.close()
        assert writer.alive
    await soon(lambda: not writer.alive)
    assert len(closed) == 1


async def test_a_closed_writer_says_so_and_may_be_closed_again(writer: Writer) -> None:
    await writer.close()
    with pytest.raises(LedgerDownError, match="closed"):
        await writer.run(add("late"))
    await writer.close()


def test_a_loop_that_ends_leaves_the_writer_in_order(database: Database) -> None:
    gate = Gate()

    async def leave() -> Writer:
        writer = Writer(database.open().engine)
        leaving = writer.run(gate)
        await soon(gate.reached.is_set)
        writer.run_later(add("a"))
        leaving.cancel()
        return writer

    async def come_back(writer: Writer) -> None:
        await writer.run(add("b"))
        await writer.close()

    with gate.held():
        writer = asyncio.run(leave())
    asyncio.run(come_back(writer))
    assert names(database) == ["a", "b"]


async def test_work_whose_connection_is_lost_is_done_once_more_over_a_new_one_and_no_more_often(
    on_postgresql: Database,
) -> None:
    writer, gate = Writer(on_postgresql.open().engine), Gate()
    ran = list[str]()

    def lose(on: Connection) -> str:
        ran.append("lose")
        on.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "never"

    def note(_: Connection) -> str:
        ran.append("note")
        return "never"

    with gate.held():
        first = writer.run(gate)
        await soon(gate.reached.is_set)
        tasks = queued(writer, note, lose, note)
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results] == [LedgerDownError] * 3
    assert ran == ["note", "lose"] * 2
    assert await writer.run(add("next")) == "next"
    await writer.close()


async def test_what_a_connection_is_lost_in_the_midst_of_is_done_by_the_next_for_all(
    on_postgresql: Database,
) -> None:
    writer, gate = Writer(on_postgresql.open().engine), Gate()

    def lose(on: Connection) -> str:
        if not lost:
            lost.append("")
            on.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "not again"

    lost = list[str]()
    with gate.held():
        first = writer.run(gate)
        await soon(gate.reached.is_set)
        tasks = queued(writer, add("a"), lose, add("b"))
    await first
    assert await asyncio.gather(*tasks) == ["a", "not again", "b"]
    assert names(on_postgresql) == ["a", "b"]
    await writer.close()


async def test_what_a_connection_is_lost_in_the_commit_of_is_not_done_twice(
    on_postgresql: Database,
) -> None:
    engine = on_postgresql.open().engine
    writer, ran = Writer(engine), list[str]()
    await writer.run(add("a"))

    def note(on: Connection) -> str:
        ran.append("note")
        return add("b")(on)

    event.listen(engine, "commit", lambda _: end_all_connections(on_postgresql), once=True)
    with pytest.raises(LedgerDownError):
        await writer.run(note)
    assert ran == ["note"]
    assert await writer.run(add("next")) == "next"
    await writer.close()


async def test_a_connection_that_died_meanwhile_is_replaced_unseen(
    on_postgresql: Database,
) -> None:
    writer = Writer(on_postgresql.open().engine)
    await writer.run(add("a"))
    end_all_connections(on_postgresql)
    await writer.run(add("b"))
    assert names(on_postgresql) == ["a", "b"]
    await writer.close()


@pytest.mark.usefixtures("impatient")
async def test_a_locked_database_is_reported_soon_and_works_again(
    database: Database, writer: Writer
) -> None:
    with database.locked():
        tasks = queued(writer, *map(add, "abcdefghij"))
        with within(SOON):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in results] == [LedgerDownError] * 10
    with within(SOON):
        await writer.run(add("next"))
    # At most the one that was being tried when time was up has come through after all.
    assert len(names(database)) <= (1 if database.is_sqlite else 2)


async def test_who_has_been_told_no_while_a_lock_was_waited_for_gets_nothing_written_after_it(
    sqlite: Database,
) -> None:
    hasty = Writer(sqlite.open().engine, patience=0.2)
    with sqlite.locked():
        tasks = queued(hasty, *map(add, "abcdefghij"))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in results] == [LedgerDownError] * 10
    written = threading.Event()
    hasty.run_later(lambda _: written.set())
    await soon(written.is_set)
    assert names(sqlite) == []
    await hasty.close()


@asynccontextmanager
async def waiting_for_a_locked_row(
    database: Database,
) -> AsyncIterator[tuple[Writer, asyncio.Future[str]]]:
    """Hold a row, and give a writer together with the change of that row which has met the lock timeout once."""
    engine = database.open().engine
    writer, gave_up = Writer(engine, PATIENT), threading.Event()
    await writer.run(add("locked"))
    event.listen(engine, "handle_error", lambda _: gave_up.set())
    with database.engine.begin() as connection:
        connection.execute(select(replicas).with_for_update())
        waiting = writer.run(change)
        await soon(gave_up.is_set)
        yield writer, waiting


@pytest.mark.usefixtures("impatient")
async def test_who_wants_a_row_that_is_locked_gets_it_later_than_the_lock_is_waited_for(
    on_postgresql: Database,
) -> None:
    async with waiting_for_a_locked_row(on_postgresql) as (writer, waiting):
        assert not waiting.done()
    assert await waiting == "changed"
    await writer.close()


async def test_who_waits_for_a_row_that_is_locked_undoes_the_work_of_nobody_else(
    on_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POSTGRESQL, "lock_timeout", "100")
    begun = list[str]()

    def begin(name: str) -> Callable[[Connection], str]:
        def work(on: Connection) -> str:
            begun.append(name)
            return add(name)(on)

        return work

    async with waiting_for_a_locked_row(on_postgresql) as (writer, waiting):
        for name in "abc":
            await writer.run(begin(name))
        assert not waiting.done()
    assert begun == ["a", "b", "c"]
    assert await waiting == "changed"
    await writer.close()


async def test_closing_waits_for_no_row_that_is_locked(
    on_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(POSTGRESQL, "lock_timeout", "100")
    async with waiting_for_a_locked_row(on_postgresql) as (writer, waiting):
        await writer.close()
        with pytest.raises(LedgerDownError, match="lock timeout"):
            await waiting
    assert not writer.alive


@pytest.mark.usefixtures("impatient")
async def test_a_row_that_is_locked_holds_up_only_who_wants_it(on_postgresql: Database) -> None:
    writer, gate = Writer(on_postgresql.open().engine), Gate()
    await writer.run(add("locked"))
    with on_postgresql.engine.begin() as connection, gate.held():
        connection.execute(select(replicas).with_for_update())
        first = writer.run(gate)
        await soon(gate.reached.is_set)
        tasks = queued(writer, add("a"), change, add("b"))
        gate.opened.set()
        with within(SOON):
            results = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert isinstance(results[2], LedgerDownError)
    assert results[1::2] == ["a", "b"]
    await writer.close()


async def test_a_full_disk_is_reported_and_works_again(sqlite: Database) -> None:
    engine = sqlite.open().engine
    writer = Writer(engine)
    with engine.connect() as connection:  # the one that the writer uses too
        most = connection.exec_driver_sql("PRAGMA max_page_count").scalar()
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # as many as there are
    written = list[str]()

    async def fill() -> None:
        while True:
            written.append(await writer.run(add(f"{len(written):05}" + "x" * 200)))

    with within(SOON), pytest.raises(LedgerDownError, match="disk is full"):
        await fill()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")
    await writer.run(add("next"))
    assert names(sqlite) == [*written, "next"]
    await writer.close()


async def test_a_server_that_stops_is_reported_and_works_again(
    postgresql: PostgreSQL, on_postgresql: Database
) -> None:
    writer = Writer(on_postgresql.open().engine)
    await writer.run(add("before"))
    await asyncio.to_thread(postgresql.stop)
    try:
        with within(SOON):
            tasks = queued(writer, *map(add, "abcdefghij"))
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in results] == [LedgerDownError] * 10
        assert "\n" not in str(results[0])
    finally:
        await asyncio.to_thread(postgresql.start)
    await writer.run(add("next"))
    assert names(on_postgresql) == ["before", "next"]
    await writer.close()


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_does_not_answer_is_reported_and_works_again(
    on_postgresql: Database,
) -> None:
    writer = Writer(on_postgresql.open().engine)
    pid = await writer.run(lambda on: on.scalar(text("SELECT pg_backend_pid()")))
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    try:
        with within(SOON), pytest.raises(LedgerDownError, match="no answer within 2 s"):
            await writer.run(add("a"))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await writer.run(add("next")) == "next"
    await writer.close()


async def test_it_tells_of_each_piece_of_work_how_long_it_took_and_whether_it_was_taken(
    database: Database,
) -> None:
    told: list[tuple[float, bool]] = []
    writer = Writer(
        database.open().engine, transacted=lambda seconds, taken: told.append((seconds, taken))
    )
    await writer.run(add("same"))
    with pytest.raises(LedgerDownError):
        await writer.run(add("same"))
    await writer.close()
    assert [taken for _, taken in told] == [True, False]
    assert all(0 < seconds < SOON for seconds, _ in told)


async def test_it_knows_how_much_waits_and_whether_its_thread_runs(
    writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, add("a"), add("b"))
    assert writer.queued == 2
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert writer.queued == 0
    assert writer.alive
    await writer.close()
    assert not writer.alive
