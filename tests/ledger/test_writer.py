import asyncio
import os
import shutil
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    InternalError,
    InvalidRequestError,
    OperationalError,
    ProgrammingError,
    StatementError,
)

from bot.ledger.database import side_files
from bot.ledger.engine import file_of
from bot.ledger.schema import replicas
from bot.ledger.statements import Prepared
from bot.ledger.writer import InDoubtError, LedgerDownError, Writer
from tests.conftest import soon
from tests.databases import Database, PostgreSQL, end_all_connections, standby, started_writer
from tests.ledger.conftest import SOON, within


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    writer = started_writer(database.open().engine)
    database.commits.clear()
    yield writer
    await writer.close()


@pytest.fixture
async def postgresql_writer(on_postgresql: Database) -> AsyncIterator[Writer]:
    writer = started_writer(on_postgresql.open().engine)
    yield writer
    await writer.close()


def add(name: str) -> Callable[[Connection], str]:
    """Return work that inserts a name and returns it."""

    def work(on: Connection) -> str:
        on.execute(replicas.insert().values(id=name, lease_until=0))
        return name

    return work


def change(on: Connection) -> str:
    """Update the row `locked`."""
    on.execute(replicas.update().where(replicas.c.id == "locked").values(lease_until=1))
    return "changed"


def names(database: Database) -> list[str]:
    return sorted(row["id"] for row in database.rows("SELECT id FROM replicas"))


class Gate:
    """Work that waits until the test opens it, so that more work queues behind it."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _: Connection) -> None:
        """Signal that it was reached, and wait."""
        self.reached.set()
        self.opened.wait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Open the gate at the end at the latest."""
        try:
            yield
        finally:
            self.opened.set()


@asynccontextmanager
async def busy(writer: Writer) -> AsyncIterator[Gate]:
    """Keep the writer busy until the gate is opened, at the latest at the end of the context."""
    gate = Gate()
    with gate.held():
        waiting = writer.run(gate)
        await soon(gate.reached.is_set)
        yield gate
    await asyncio.wait([waiting])
    waiting.exception()


@pytest.fixture
async def gate(writer: Writer) -> AsyncIterator[Gate]:
    async with busy(writer) as gate:
        yield gate


def queued(writer: Writer, *works: Callable[[Connection], str]) -> list[asyncio.Future[str]]:
    """Queue this work, and return its results."""
    return [writer.run(work) for work in works]


async def test_work_that_is_queued_together_is_committed_sixteen_at_a_time(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, *(add(f"{n:02}") for n in range(50)))
    gate.opened.set()
    assert await asyncio.gather(*tasks) == [f"{n:02}" for n in range(50)]
    assert names(database) == [f"{n:02}" for n in range(50)]
    assert len(database.commits) == 1 + 4  # the gate's and theirs


async def test_a_single_piece_of_work_is_committed_at_once(
    database: Database, writer: Writer
) -> None:
    assert await writer.run(add("alone")) == "alone"
    assert names(database) == ["alone"]


def twice(on: Connection) -> str:
    add("same")(on)
    return add("same")(on)


def fail(_: Connection) -> str:
    raise LookupError("a defect")


_ADD = Prepared(replicas.insert().values(id=bindparam("the_id"), lease_until=0))
_CHANGE = replicas.update().where(replicas.c.id == bindparam("the_id")).values(lease_until=1)


def incomplete(on: Connection) -> str:
    """Forget a parameter: the error is one of SQLAlchemy's, although the database is not down."""
    return str(_ADD.run(on, {"id_": "a"}))


def incomplete_too(on: Connection) -> str:
    """Forget a parameter of a statement that is not Prepared."""
    return str(on.execute(_CHANGE, {"id_": "a"}))


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (twice, LedgerDownError),
        (fail, LookupError),
        (incomplete, InvalidRequestError),
        (incomplete_too, StatementError),
    ],
)
async def test_an_error_is_raised_to_its_caller_only(
    writer: Writer, gate: Gate, work: Callable[[Connection], str], error: type[Exception]
) -> None:
    tasks = queued(writer, *map(add, "abc"), work, *map(add, "def"))
    gate.opened.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    with pytest.raises(error, match=r"(?i)unique|a defect|required"):
        tasks[3].result()
    del results[3]
    assert results == list("abcdef")


async def test_an_error_does_not_contain_the_written_values(
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


async def test_an_error_without_a_message_is_named_by_its_class(writer: Writer) -> None:
    def fail(_: Connection) -> None:
        raise OperationalError("INSERT", {}, Exception())

    with pytest.raises(LedgerDownError, match=r"^OperationalError$"):
        await writer.run(fail)
    await writer.run(add("next"))


async def test_cancelled_work_is_not_begun(database: Database, writer: Writer, gate: Gate) -> None:
    tasks = queued(writer, *map(add, "abc"))
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    gate.opened.set()
    await asyncio.gather(tasks[0], tasks[2])
    assert names(database) == ["a", "c"]


async def test_no_transaction_is_begun_for_cancelled_work_only(
    database: Database, writer: Writer, gate: Gate
) -> None:
    tasks = queued(writer, add("a"))
    tasks[0].cancel()
    await asyncio.wait(tasks)
    gate.opened.set()
    await writer.run(add("b"))
    assert names(database) == ["b"]
    assert len(database.commits) == 2  # the gate's and b's


async def test_a_caller_that_is_cancelled_during_the_work_does_not_affect_the_others(
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


async def test_a_caller_that_waits_too_long_learns_whether_its_work_had_begun_and_what_had_not_is_skipped(
    database: Database,
) -> None:
    writer, gate = started_writer(database.open().engine, patience=1.0), Gate()
    with gate.held():
        first = writer.run(gate)
        await soon(gate.reached.is_set)
        (late,) = queued(writer, add("late"))
        with within(SOON):
            results = await asyncio.gather(first, late, return_exceptions=True)
        assert [str(each) for each in results] == ["no answer within 1 s"] * 2
        assert [type(each) for each in results] == [InDoubtError, LedgerDownError]
    await writer.run(add("next"))
    assert names(database) == ["next"]
    await writer.close()


async def test_deferred_work_does_not_block_its_caller(
    database: Database, writer: Writer, gate: Gate
) -> None:
    writer.run_later(add("later"))
    gate.opened.set()
    await soon(lambda: names(database) == ["later"])


async def test_deferred_work_is_retried_until_it_is_committed_once(
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
    ("failing", "traced"),
    [(fail, True), (incomplete, True), (incomplete_too, True), (twice, False)],
)
async def test_deferred_work_that_can_never_succeed_is_abandoned_and_logged_once(
    database: Database,
    writer: Writer,
    caplog: pytest.LogCaptureFixture,
    failing: Callable[[Connection], str],
    traced: bool,
) -> None:
    tries = list[str]()

    def work(on: Connection) -> None:
        tries.append("")
        failing(on)

    writer.run_later(work, request="request-1")
    for name in "abc":
        await writer.run(add(name))
    assert names(database) == ["a", "b", "c"]
    assert len(tries) <= 2  # with others, then by itself
    (record,) = caplog.records
    assert (record.levelname, vars(record)["request"]) == ("ERROR", "request-1")
    assert record.message == "the ledger gives up what it cannot do"
    assert bool(record.exc_info) is traced


@pytest.mark.parametrize(
    "kind", [OperationalError, InterfaceError, InternalError, ProgrammingError]
)
async def test_deferred_work_is_not_abandoned_for_an_error_that_can_be_corrected(
    database: Database,
    writer: Writer,
    caplog: pytest.LogCaptureFixture,
    kind: type[DBAPIError],
) -> None:
    failing = [True]

    def work(on: Connection) -> None:
        if failing:
            raise kind("UPDATE", {}, Exception("made up"))
        add("later")(on)

    writer.run_later(work)
    for name in "ab":
        await writer.run(add(name))
    failing.clear()
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


async def test_closing_logs_unfinished_work(
    database: Database, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_: Connection) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    writer.run_later(add("done"), request="request-1")
    writer.run_later(work, request="request-2")
    writer.run_later(work, request="request-3")
    with pytest.raises(LedgerDownError):
        await writer.run_or(work, work, request="request-4")
    await writer.close()
    assert names(database) == ["done"]
    records = [(each.levelname, each.message, vars(each)["request"]) for each in caplog.records]
    undone = "the ledger stops and leaves this undone"
    assert records == [("ERROR", undone, f"request-{number}") for number in (2, 3, 4)]


async def test_work_that_outlasts_the_closing_leaves_no_connection_open(
    database: Database,
) -> None:
    engine, closed, gate = database.open().engine, list[object](), Gate()
    event.listen(engine, "close", lambda raw, _record: closed.append(raw))
    writer = started_writer(engine, patience=0.05)
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


def test_the_writer_works_after_a_callers_event_loop_has_ended(database: Database) -> None:
    gate = Gate()

    async def leave() -> Writer:
        writer = started_writer(database.open().engine)
        writer.run(gate)
        await soon(gate.reached.is_set)
        writer.run_later(add("a"))
        return writer

    async def come_back(writer: Writer) -> None:
        await writer.run(add("b"))
        await writer.close()

    with gate.held():
        writer = asyncio.run(leave())
    asyncio.run(come_back(writer))
    assert names(database) == ["a", "b"]


async def test_work_whose_connection_is_lost_is_repeated_once_over_a_new_one(
    postgresql_writer: Writer,
) -> None:
    ran = list[str]()

    def lose(on: Connection) -> str:
        ran.append("lose")
        on.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "never"

    def note(_: Connection) -> str:
        ran.append("note")
        return "never"

    async with busy(postgresql_writer):
        tasks = queued(postgresql_writer, note, lose, note)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, LedgerDownError) for each in results] == [True] * 3
    assert ran == ["note", "lose"] * 2
    assert await postgresql_writer.run(add("next")) == "next"


async def test_all_work_of_a_transaction_whose_connection_is_lost_is_repeated_over_a_new_one(
    on_postgresql: Database, postgresql_writer: Writer
) -> None:
    def lose(on: Connection) -> str:
        if not lost:
            lost.append("")
            on.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return "not again"

    lost = list[str]()
    async with busy(postgresql_writer):
        tasks = queued(postgresql_writer, add("a"), lose, add("b"))
    assert await asyncio.gather(*tasks) == ["a", "not again", "b"]
    assert names(on_postgresql) == ["a", "b"]


async def test_work_whose_connection_is_lost_during_the_commit_is_not_repeated(
    on_postgresql: Database, postgresql_writer: Writer
) -> None:
    engine, ran = on_postgresql.opened[0].engine, list[str]()
    await postgresql_writer.run(add("a"))

    def note(on: Connection) -> str:
        ran.append("note")
        return add("b")(on)

    event.listen(engine, "commit", lambda _: end_all_connections(on_postgresql), once=True)
    with pytest.raises(InDoubtError):
        await postgresql_writer.run(note)
    assert ran == ["note"]
    assert await postgresql_writer.run(add("next")) == "next"


async def test_a_dead_idle_connection_is_replaced_silently(
    on_postgresql: Database, postgresql_writer: Writer
) -> None:
    await postgresql_writer.run(add("a"))
    end_all_connections(on_postgresql)
    await postgresql_writer.run(add("b"))
    assert names(on_postgresql) == ["a", "b"]


@pytest.mark.usefixtures("impatient")
async def test_a_locked_database_is_reported_soon_and_works_again(
    database: Database, writer: Writer
) -> None:
    with database.locked():
        tasks = queued(writer, *map(add, "abcdefghij"))
        with within(SOON):
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, LedgerDownError) for each in results)
    with within(SOON):
        await writer.run(add("next"))
    # At most the attempt that was in progress at the timeout has succeeded after all.
    assert len(names(database)) <= (1 if database.is_sqlite else 2)


async def test_work_whose_caller_got_an_error_during_a_lock_is_not_written_afterwards(
    sqlite: Database,
) -> None:
    hasty = started_writer(sqlite.open().engine, patience=0.2)
    with sqlite.locked():
        tasks = queued(hasty, *map(add, "abcdefghij"))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, LedgerDownError) for each in results] == [True] * 10
    written = threading.Event()
    hasty.run_later(lambda _: written.set())
    await soon(written.is_set)
    assert names(sqlite) == []
    await hasty.close()


@pytest.mark.usefixtures("impatient")
async def test_a_locked_row_delays_only_its_own_changes(on_postgresql: Database) -> None:
    # Waiting for the lock takes 1.4 s: once with the group, and once alone.
    writer = started_writer(on_postgresql.open().engine, patience=5.0)
    await writer.run(add("locked"))
    with on_postgresql.engine.begin() as connection:
        connection.execute(select(replicas).with_for_update())
        async with busy(writer):
            tasks = queued(writer, add("a"), change, add("b"))
        with within(SOON):
            one, locked, other = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(locked, LedgerDownError)
    assert (one, other) == ("a", "b")
    await writer.close()


async def test_a_full_disk_is_reported_and_works_again(sqlite: Database) -> None:
    engine = sqlite.open().engine
    writer = started_writer(engine)
    with engine.connect() as connection:  # the writer uses the same one
        most = connection.exec_driver_sql("PRAGMA max_page_count").scalar()
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # means: no more than it has
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
    postgresql: PostgreSQL, on_postgresql: Database, postgresql_writer: Writer
) -> None:
    writer = postgresql_writer
    await writer.run(add("before"))
    await asyncio.to_thread(postgresql.stop)
    try:
        with within(SOON):
            tasks = queued(writer, *map(add, "abcdefghij"))
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, LedgerDownError) for each in results] == [True] * 10
        assert "\n" not in str(results[0])
    finally:
        await asyncio.to_thread(postgresql.start)
    await writer.run(add("next"))
    assert names(on_postgresql) == ["before", "next"]


@pytest.mark.parametrize("another", [False, True], ids=["moved", "replaced"])
async def test_nothing_is_recorded_in_a_file_that_is_no_longer_at_its_path(
    sqlite: Database, tmp_path: Path, another: bool
) -> None:
    path = file_of(make_url(sqlite.url))
    assert path
    writer = started_writer(sqlite.open().engine)
    await writer.run(add("before"))
    away = path.rename(tmp_path / "away.db")
    if another:
        shutil.copy(away, path)
    with pytest.raises(LedgerDownError) as refused:
        await writer.run(add("after that"))
    assert str(refused.value) == (
        f"{path} is gone or was replaced: put the same file back; or stop the bot, "
        f"delete {path}-wal and {path}-shm and put a backup of the ledger at {path}, and start it"
    )
    away.replace(path)
    await writer.run(add("next"))
    await writer.close()
    assert names(sqlite) == ["before", "next"]


async def test_no_connection_is_made_to_another_file_at_the_path(
    sqlite: Database, tmp_path: Path
) -> None:
    path = file_of(make_url(sqlite.url))
    assert path
    opened = sqlite.open()
    writer = started_writer(opened.engine)
    await writer.run(add("before"))
    away = tmp_path / "away.db"

    def lose(on: Connection) -> None:
        path.rename(away)
        on.connection.driver_connection.close()  # type: ignore[union-attr]  # there is one
        on.execute(text("SELECT 1"))  # so the writer connects anew

    with pytest.raises(LedgerDownError, match="is gone"):
        await writer.run(lose)
    assert not path.exists()
    away.replace(path)
    await writer.run(add("next"))
    await writer.close()
    assert "next" in names(sqlite)


async def test_a_backup_in_place_of_the_file_is_whole_once_the_old_side_files_are_deleted(
    sqlite: Database, tmp_path: Path
) -> None:
    path = file_of(make_url(sqlite.url))
    assert path
    writer = started_writer(sqlite.open().engine)
    await writer.run(add("before"))
    copy = tmp_path / "copy.db"
    sqlite.execute(f"VACUUM INTO '{copy}'")
    await asyncio.gather(*(writer.run(add(f"{number} {'after' * 100}")) for number in range(99)))
    copy.replace(path)
    with pytest.raises(LedgerDownError, match="was replaced"):
        await writer.run(add("lost"))
    await writer.close()
    sqlite.let_go()
    for old in side_files(path):  # SQLite leaves them, and would replay the -wal into the copy
        old.unlink()
    assert not sqlite.open().new
    assert names(sqlite) == ["before"]


async def test_a_server_that_became_a_standby_is_left_for_the_one_that_replaced_it(
    on_postgresql: Database, postgresql_writer: Writer
) -> None:
    writer = postgresql_writer
    await writer.run(add("before"))
    with standby(on_postgresql):
        for _ in range(2):
            with pytest.raises(LedgerDownError, match="read-only transaction"):
                await writer.run(add("a"))
    assert await asyncio.gather(*queued(writer, add("b"), add("c"))) == ["b", "c"]
    assert names(on_postgresql) == ["b", "before", "c"]


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_does_not_answer_is_reported_and_works_again(
    postgresql_writer: Writer,
) -> None:
    pid = await postgresql_writer.run(lambda on: on.scalar(text("SELECT pg_backend_pid()")))
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    try:
        with within(SOON), pytest.raises(LedgerDownError, match="no answer within 2 s"):
            await postgresql_writer.run(add("a"))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await postgresql_writer.run(add("next")) == "next"


async def test_each_piece_of_work_is_reported_with_its_duration_and_result(
    database: Database,
) -> None:
    reports: list[tuple[float, bool]] = []
    writer = started_writer(
        database.open().engine, transacted=lambda seconds, taken: reports.append((seconds, taken))
    )
    await writer.run(add("same"))
    with pytest.raises(LedgerDownError):
        await writer.run(add("same"))
    await writer.close()
    assert [taken for _, taken in reports] == [True, False]
    assert all(0 < seconds < SOON for seconds, _ in reports)


async def test_the_writer_reports_its_queue_length_and_whether_its_thread_runs(
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
