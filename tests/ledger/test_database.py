import asyncio
import fcntl
import os
import re
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy import bindparam, event, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bot.domain.outcome import Skipped, SkipReason
from bot.domain.request import Agreement, Approval, State
from bot.ledger.click_moves import Move
from bot.ledger.database import is_transient, open_database, remedy, user_of
from bot.ledger.engine import CannotOpenError
from bot.ledger.schema import HEAD, replicas
from bot.ledger.seal import Seal
from bot.ledger.tokens import TICKET
from bot.runtime.clock import Runtime
from tests.conftest import appids, no_room, soon
from tests.databases import Database, PostgreSQL, standby
from tests.ledger.conftest import SOON, accepted, become_nobody, new_request, within
from tests.processes import ROOT, Forked, fork

MIGRATIONS = ROOT / "bot/ledger/migrations"
OPEN_AND_WAIT = """
import sys
from bot.ledger.engine import CannotOpenError
from bot.ledger.database import open_database
from bot.runtime.clock import Runtime
try:
    opened = open_database(sys.argv[1], Runtime())
except CannotOpenError as error:
    print(error, flush=True)
else:
    print("open", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty file; elsewhere it already has the ledger's tables."""
    database = Database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield database
    await database.close()


@pytest.fixture
def ready_on_postgresql(on_postgresql: Database) -> Database:
    """An empty database; elsewhere it already has the ledger's tables."""
    return on_postgresql


def file_of(sqlite: Database) -> Path:
    return Path(sqlite.url.removeprefix("sqlite:///"))


async def another_process(database: Database) -> tuple[Forked, str]:
    """Return a process that tries to open the database and keeps running, and its output."""
    program = ("-c", OPEN_AND_WAIT, database.url)
    process = await fork({}, ROOT, *program, stdin=asyncio.subprocess.PIPE)
    assert process.stdout
    return process, (await process.stdout.readline()).decode().strip()


# The CREATE statements would not do: SQLite keeps their text as it was typed.
SQLITE_OBJECTS = (
    """
    SELECT m.name, c.* FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
    WHERE m.type = 'table' AND m.name <> 'alembic_version'
    """,
    """
    SELECT m.name, t.type, t.wr, t.strict, m.sql LIKE '%AUTOINCREMENT%', m.sql LIKE '%CHECK%'
    FROM sqlite_master AS m JOIN pragma_table_list(m.name) AS t
    WHERE m.type = 'table' AND m.name <> 'alembic_version'
    """,
    """
    SELECT m.name, i.name, i."unique", i.origin, i.partial, c.seqno, c.name, c."desc", c.coll
    FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_xinfo(i.name) AS c
    WHERE m.type = 'table' AND m.name <> 'alembic_version'
    """,
    """
    SELECT tbl_name, name, sql FROM sqlite_master
    WHERE type <> 'table' AND tbl_name <> 'alembic_version'
    """,
)
POSTGRESQL_OBJECTS = (
    """
    SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    """,
    """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default,
    row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position) FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    """,
)


def objects(database: Database) -> set[tuple[Any, ...]]:
    """Return the definitions of all tables, columns and indexes, each preceded by its table's name."""
    queries = SQLITE_OBJECTS if database.is_sqlite else POSTGRESQL_OBJECTS
    with database.engine.connect() as connection:
        return {tuple(row) for query in queries for row in connection.exec_driver_sql(query).all()}


OLDER = {
    "0006": ("DROP INDEX requests_open_pair",),
    "0007": ("DROP INDEX one_waiting",),
    "0008": ("DROP INDEX requests_lane", "CREATE UNIQUE INDEX requests_lane ON requests (lane)"),
    "0009": (
        "DROP INDEX requests_in_doubt",
        *(
            f"ALTER TABLE requests DROP COLUMN {name}"
            for name in ("cancelled_by", "all_asked", "doubted", "recheck")
        ),
        "ALTER TABLE tokens DROP COLUMN code",
    ),
    "0010": tuple(
        f"ALTER TABLE replicas DROP COLUMN {name}"
        for name in ("greeted", "connections", "bots", "app", "refusal")
    ),
    "0011": ("ALTER TABLE requests DROP COLUMN agreed",),
    "0012": ("DROP TABLE collectors",),
    "0013": ("ALTER TABLE requests DROP COLUMN escalated",),
    "0014": ("ALTER TABLE requests DROP COLUMN broke_glass",),
    "0015": (
        "DROP TABLE kept_shares",
        "DROP TABLE deletions",
        "DROP INDEX requests_ended",
    ),
}
"""The schema of each earlier release, and what makes it of the one after it."""


async def test_a_ledger_of_an_earlier_release_keeps_its_requests_and_tokens(
    database: Database,
) -> None:
    ledger = database.ledger("a")
    await ledger.start()
    platform, seal = "wxc0de00000000c0de", Seal()
    assert await ledger.tokens(platform, seal).ticket("ticket-1", 100)
    entry, newest = await accepted(ledger), objects(database)
    undone: list[str] = []
    for revision, changes in sorted(OLDER.items(), reverse=True):
        undone += changes
        await ledger.close()
        database.let_go()
        for change in (*undone, f"UPDATE alembic_version SET version_num = '{revision}'"):  # noqa: S608  # ours
            database.execute(change)
        assert objects(database) != newest
        ledger = database.ledger(f"on {revision}")
        await ledger.start()
        assert objects(database) == newest
        assert database.rows("SELECT version_num FROM alembic_version") == [{"version_num": HEAD}]
        (taken,) = await ledger.replica.take_over(9)
        assert taken.request == entry.request
        kept = await ledger.tokens(platform, seal).find(TICKET)
        assert kept is not None
        assert (kept.value, kept.code) == ("ticket-1", None)


async def test_a_request_that_waited_in_release_0_2_0_goes_on_and_takes_agreements(
    database: Database,
) -> None:
    ledger = database.ledger("a")
    await ledger.start()
    entry = await accepted(ledger, state=State.WAITING)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.asked(entry, "C2/1.6", entry.half_time)
    await ledger.close()
    database.let_go()
    newer = [OLDER[each] for each in sorted(OLDER, reverse=True) if each >= "0011"]
    for change in (*chain(*newer), "UPDATE alembic_version SET version_num = '0011'"):
        database.execute(change)
    database.execute("UPDATE requests SET wake = 1")
    ledger = database.ledger("b")
    await ledger.start()
    (taken,) = await ledger.replica.take_over(9)
    assert (taken.request, taken.asked, taken.agreed) == (entry.request, "C2/1.6", ())
    assert (taken.waits_since, taken.request.escalated) == (entry.created, False)
    agreed = (Agreement("U2", "fine"),)
    moved = await ledger.clicks.move(taken, Move(State.WAITING, "U2", "agreed", agreed=agreed))
    assert moved
    assert await ledger.escalate(moved, "C2/1.6 C3/")
    now = await ledger.find(entry.request.id)
    assert now
    assert (now.agreed, now.asked, now.request.escalated) == (agreed, "C2/1.6 C3/", True)
    approved = await ledger.clicks.move(now, Move(State.PLACED, "U3", "approved"))
    assert approved
    assert (approved.request.approval, approved.agreed) == (Approval("U3"), agreed)


async def test_of_a_persons_equal_requests_that_waited_in_an_earlier_ledger_the_first_waits_on(
    database: Database,
) -> None:
    ledger = database.ledger("a")
    await ledger.start()
    first = await accepted(ledger, new_request(env="prod-1"), State.WAITING)
    entries = [await accepted(ledger, state=State.WAITING) for _ in range(3)]
    theirs = new_request(env="prod-1")
    theirs = replace(theirs, origin=replace(theirs.origin, user_id="U2"))
    batches = [new_request(env="prod-1", appid="", appids=tuple(appids(2))) for _ in range(2)]
    others = [await accepted(ledger, each, State.WAITING) for each in (theirs, *batches)]
    await ledger.close()
    database.let_go()
    newer = [OLDER[each] for each in sorted(OLDER, reverse=True) if each >= "0007"]
    for change in (*chain(*newer), "UPDATE alembic_version SET version_num = '0007'"):
        database.execute(change)
    for entry in entries:
        asked = "UPDATE requests SET env = 'prod-1', wake = until WHERE id = :id"
        database.execute(asked, id=entry.request.id)
    ledger = database.ledger("b")
    await ledger.start()
    outcomes = {entry.request.id: entry.outcome for entry in await ledger.replica.take_over(9)}
    ended = {entry.request.id: Skipped(SkipReason.UNDER_WAY) for entry in entries}
    assert outcomes == ended | {entry.request.id: None for entry in (first, *others)}
    answers = database.rows("SELECT request, outcome FROM events WHERE kind = 'answered'")
    assert {row["request"] for row in answers if row["outcome"] == "skipped"} == set(ended)


def test_the_schema_names_the_newest_migration() -> None:
    steps = ScriptDirectory(str(MIGRATIONS))
    assert steps.get_heads() == [HEAD]


def test_a_new_database_has_the_newest_schema_and_its_revision(database: Database) -> None:
    assert database.open().new
    assert database.rows("SELECT version_num FROM alembic_version") == [{"version_num": HEAD}]
    built = objects(database)
    assert {name for name, *_ in built} == {
        "requests",
        "collectors",
        "deletions",
        "kept_shares",
        "events",
        "replicas",
        "tokens",
    }
    assert len(built) > 60  # columns and indexes


def test_a_ledger_is_new_too_where_another_program_has_its_tables(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE others (id INTEGER)"))
    assert database.open().new
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE others"))
    database.let_go()
    assert not database.open().new


def test_a_database_that_is_up_to_date_is_not_changed(database: Database) -> None:
    database.open()
    before = objects(database)
    database.let_go()
    assert not database.open().new
    assert objects(database) == before


def test_replicas_that_start_together_migrate_once(on_postgresql: Database) -> None:
    together = threading.Barrier(4)

    def start(_: int) -> None:
        together.wait()
        opened = open_database(on_postgresql.url, Runtime())
        opened.engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    assert on_postgresql.rows("SELECT version_num FROM alembic_version") == [{"version_num": HEAD}]


async def test_a_second_replica_waits_for_a_long_migration(on_postgresql: Database) -> None:
    waited = "SELECT clock_timestamp() - query_start > interval '1.6 s' AS long FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'"
    with on_postgresql.engine.begin() as migrating:
        migrating.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x5E4A})
        second = asyncio.create_task(asyncio.to_thread(on_postgresql.open))
        await soon(lambda: {"long": True} in on_postgresql.rows(waited))
        assert not second.done()
    assert not (await second).exclusive


def test_a_failed_migration_leaves_nothing_behind(sqlite: Database) -> None:
    with sqlite.engine.begin() as connection:
        connection.execute(text("CREATE TABLE tokens (id TEXT)"))  # the last one to be created
    with pytest.raises(CannotOpenError, match="table tokens already exists"):
        sqlite.open()
    assert {name for name, *_ in objects(sqlite)} == {"tokens"}
    with sqlite.engine.begin() as connection:
        connection.execute(text("DROP TABLE tokens"))
    sqlite.open()


@pytest.mark.parametrize("version", ["9999", "1975ea83b712"], ids=["newer", "another program's"])
def test_a_schema_that_this_version_does_not_know_is_refused(
    database: Database, version: str
) -> None:
    database.open()
    database.let_go()

    def write(version: str) -> None:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})

    write(version)
    with pytest.raises(CannotOpenError) as caught:
        database.open()
    assert str(caught.value) == (
        f"The ledger was written by a newer version of this bot, or by another program (schema {version}). "
        "Install that version, or let DATABASE_URL name another database."
    )
    write(HEAD)
    database.open()


def test_a_sqlite_transaction_locks_the_file_before_it_reads(sqlite: Database) -> None:
    engine = sqlite.open().engine
    with engine.begin(), sqlite.engine.connect() as other:
        other.exec_driver_sql("PRAGMA busy_timeout = 0")
        with pytest.raises(OperationalError, match="database is locked"):
            other.exec_driver_sql("BEGIN IMMEDIATE")


@pytest.mark.usefixtures("impatient")
def test_postgresql_connections_have_their_timeouts(on_postgresql: Database) -> None:
    with on_postgresql.open().engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_isolation",
            )
        }
    assert settings == {
        "statement_timeout": "1500ms",
        "lock_timeout": "700ms",
        "idle_in_transaction_session_timeout": "5s",
        "transaction_isolation": "read committed",
    }


def test_only_a_sqlite_file_is_locked_for_one_process(database: Database) -> None:
    assert database.open().exclusive == database.is_sqlite


def test_a_ledger_in_memory_needs_no_lock() -> None:
    first, second = open_database("sqlite://", Runtime()), open_database("sqlite://", Runtime())
    for opened in (first, second):
        with opened.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM requests").scalar() == 0
        opened.engine.dispose()
        opened.release()


async def test_a_second_process_on_the_same_file_is_refused(sqlite: Database) -> None:
    sqlite.open()
    process, said = await another_process(sqlite)
    await process.communicate(b"")
    path = file_of(sqlite)
    assert said == (
        f"Another share-env-bot already uses {path}. Stop it, or use PostgreSQL for several replicas."
    )


def test_a_look_at_who_uses_a_file_keeps_no_bot_from_starting(sqlite: Database) -> None:
    path = file_of(sqlite)
    assert user_of(path) is None
    sqlite.open()
    assert user_of(path) == str(os.getpid())
    sqlite.let_go()
    with Path(f"{path}.lock").open(encoding="ascii") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        sqlite.opened.append(open_database(sqlite.url, Runtime(block=lambda _: looking.close())))


@pytest.mark.parametrize("killed", [False, True])
async def test_a_file_is_free_once_its_process_has_ended(sqlite: Database, killed: bool) -> None:
    process, said = await another_process(sqlite)
    assert said == "open"
    with pytest.raises(CannotOpenError, match="already uses") as caught:
        sqlite.open()
    assert caught.value.transient
    if killed:
        process.kill()
    await process.communicate(b"")
    sqlite.open()


async def test_a_file_is_the_same_under_another_name(sqlite: Database, tmp_path: Path) -> None:
    sqlite.open()
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(file_of(sqlite))
    with pytest.raises(CannotOpenError, match="already uses"):
        open_database(f"sqlite:///{link}", Runtime())


async def test_several_processes_share_a_postgresql(on_postgresql: Database) -> None:
    on_postgresql.open()
    process, said = await another_process(on_postgresql)
    await process.communicate(b"")
    assert said == "open"


def test_closing_twice_has_no_effect(sqlite: Database) -> None:
    opened = sqlite.open()
    sqlite.let_go()
    opened.release()
    sqlite.open()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "is not a database's address"),
        ("share-env.db", "is not a database's address"),
        (
            "sqlite://share-env.db",
            "two slashes before share-env.db, where a file needs three. Set DATABASE_URL to",
        ),
        ("sqlite:///share-env.db?timeout=long", "cannot be opened"),
        ("sqlite:////nowhere/at/all.db", r"\(No such file or directory: /nowhere/at\). Choose a"),
        ("mysql://localhost/bot", "names another database than SQLite or PostgreSQL"),
        ("sqlite+aiosqlite:///share-env.db", r"sqlite\+aiosqlite://, .* begin with sqlite://"),
        ("postgresql+asyncpg://localhost/bot", r"begin with postgresql\+psycopg://"),
        ("postgresql://bot:S3cr@tPart2@127.0.0.1:5/db", "more than one @. Write %40 for the @ in"),
        ("postgresql+psycopg://bot:S3cr@t:/Part2@127.0.0.1/db", "more than one @. Write %40"),
        ("postgresql+psycopg://bot:S3cr@t/Part2@127.0.0.1/db", "more than one @. Write %40"),
        ("postgresql+psycopg://localhost:door/bot", "is not a database's address"),
        (
            "postgresql+psycopg://127.0.0.1:1/bot",
            r"cannot be opened \(.*refused.*\). Check DATABASE_URL",
        ),
        ("postgres://127.0.0.1:1/bot", r"cannot be opened \(.*refused.*\). Check DATABASE_URL"),
        ("postgresql://127.0.0.1:1/bot", r"cannot be opened \(.*refused.*\). Check DATABASE_URL"),
        (
            "postgresql+psycopg:///bot?sslmode=maybe",
            r"cannot be opened \(.*sslmode.*\). Check DATABASE_URL",
        ),
    ],
)
def test_a_wrong_url_is_refused_in_one_sentence(
    url: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with within(SOON), pytest.raises(CannotOpenError, match=sentence) as caught:
        open_database(url, Runtime())
    assert str(caught.value).startswith("DATABASE_URL ")
    assert "\n" not in str(caught.value)
    assert caught.value.transient is ("refused" in sentence)


@pytest.mark.parametrize(
    ("words", "transient"),
    [
        ("the database system is starting up", True),
        ("sorry, too many clients already", True),
        ("das Datenbanksystem startet", True),
        ('password authentication failed for user "bot"', False),
        ('database "ledger" does not exist', False),
        ('no pg_hba.conf entry for host "127.0.0.1"', False),
    ],
)
def test_a_servers_error_shows_whether_it_is_temporary(words: str, transient: bool) -> None:
    with refusing(words) as port, pytest.raises(CannotOpenError, match=re.escape(words)) as caught:
        open_database(
            f"postgresql://bot@127.0.0.1:{port}/ledger?sslmode=disable&gssencmode=disable",
            Runtime(),
        )
    assert caught.value.transient is transient


@contextmanager
def refusing(words: str) -> Iterator[int]:
    """Run a PostgreSQL that refuses every client; yields the port. Source: postgresql.org, "Message Formats"."""
    said = b"".join(
        f"{part}\0".encode() for part in ("SFATAL", "VFATAL", "C00000", f"M{words}", "")
    )

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_a_file_that_another_program_has_locked_counts_as_temporarily_unavailable(
    sqlite: Database,
) -> None:
    sqlite.open()
    sqlite.let_go()
    with sqlite.locked(), pytest.raises(CannotOpenError, match="database is locked") as caught:
        open_database(sqlite.url, Runtime())
    assert caught.value.transient
    assert str(caught.value).endswith(
        "Another program holds the database: end it, or wait until it is done."
    )


def test_a_disk_without_room_counts_as_temporarily_unavailable(sqlite: Database) -> None:
    sqlite.open()
    sqlite.let_go()
    with no_room(), pytest.raises(CannotOpenError, match="Make room on its disk") as caught:
        open_database(sqlite.url, Runtime())
    assert caught.value.transient


def test_a_standby_counts_as_temporarily_unavailable(on_postgresql: Database) -> None:
    on_postgresql.open()
    on_postgresql.let_go()
    with standby(on_postgresql), pytest.raises(CannotOpenError, match="read-only") as caught:
        on_postgresql.open()
    assert caught.value.transient


@pytest.mark.parametrize("error", [DeadlockDetected, SerializationFailure, LockNotAvailable])
def test_another_transaction_in_the_way_counts_as_temporary(error: type[Exception]) -> None:
    assert is_transient(OperationalError("DROP INDEX", {}, error("made up")))


def test_a_missing_parameter_does_not_count_as_temporary(sqlite: Database) -> None:
    incomplete = select(replicas).where(replicas.c.id == bindparam("which"))
    with sqlite.open().engine.connect() as on, pytest.raises(SQLAlchemyError) as caught:
        on.execute(incomplete)
    assert not is_transient(caught.value)


def test_errors_contain_no_password(postgresql: PostgreSQL) -> None:
    url = postgresql.url("nowhere").replace("postgres:@", "postgres:hunter2@")
    with pytest.raises(CannotOpenError, match='database "nowhere" does not exist') as caught:
        open_database(url, Runtime())
    assert "hunter2" not in str(caught.value)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("rights", "why"),
    [
        ("GRANT USAGE ON SCHEMA public TO PUBLIC", "permission denied for schema public"),
        ("REVOKE USAGE ON SCHEMA public FROM PUBLIC", "no schema has been selected to create in"),
    ],
)
def test_a_role_that_may_create_no_tables_has_to_own_the_database(
    postgresql: PostgreSQL, rights: str, why: str
) -> None:
    url = postgresql.new()
    postgresql.execute(url, rights, "CREATE ROLE guest LOGIN")
    try:
        with pytest.raises(CannotOpenError) as caught:
            open_database(url.replace("postgres:@", "guest:@"), Runtime())
    finally:
        postgresql.execute(url, "DROP ROLE guest")
        postgresql.give_back(url)
    fix = "Let the role in DATABASE_URL own the database and its tables."
    assert str(caught.value) == f"DATABASE_URL cannot be opened ({why}). {fix}"
    assert not caught.value.transient


@pytest.mark.parametrize("rights", [0o755, 0o700], ids=["not writable", "closed"])
def test_a_folder_that_the_bot_may_not_write_to_is_named(as_nobody: Path, rights: int) -> None:
    as_nobody.chmod(rights)
    become_nobody()
    with pytest.raises(CannotOpenError) as caught:
        open_database(f"sqlite:///{as_nobody}/ledger.db", Runtime())
    assert str(caught.value) == (
        f"DATABASE_URL cannot be opened (Permission denied: {as_nobody}). "
        "Choose a folder the bot may write to."
    )


@pytest.mark.parametrize("rights", [0o777, 0o755], ids=["the files", "the folder too"])
def test_all_that_root_left_is_named_so_that_one_chown_is_enough(
    as_nobody: Path, rights: int
) -> None:
    files = [as_nobody / f"ledger.db{end}" for end in ("", ".lock", "-wal")]
    for each in files:
        each.touch(0o600)
    as_nobody.chmod(rights)
    become_nobody()
    with pytest.raises(CannotOpenError) as caught:
        open_database(f"sqlite:///{as_nobody}/ledger.db", Runtime())
    needed = " ".join(map(str, files if rights == 0o777 else [as_nobody, *files]))
    assert str(caught.value) == (
        f"DATABASE_URL cannot be opened (Permission denied: {files[1]}). "
        f"Let the bot's user own what it needs, chown USER {needed}, or run this as the user who owns it."
    )


def test_a_limit_of_a_files_size_is_told_from_a_full_disk(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, before[1]))
    try:
        told = remedy(tmp_path / "ledger.db", "disk I/O error")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "no file above 10,000,000 bytes (ulimit -f)" in told
    assert remedy(tmp_path / "ledger.db", "disk I/O error").startswith("Make room on its disk")


def test_an_unknown_host_of_postgresql_is_told_from_other_errors() -> None:
    with pytest.raises(CannotOpenError, match="Correct the host in DATABASE_URL") as caught:
        open_database("postgresql+psycopg://bot@ledger.invalid/d", Runtime())
    assert caught.value.transient


def test_a_read_only_file_system_is_named_and_not_the_owner(tmp_path: Path) -> None:
    (tmp_path / "ledger.db.lock").touch()
    mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    code = (
        "import sys, bot.ledger.database as d, bot.runtime.clock as c; "
        "d.open_database(sys.argv[1], c.Runtime())"
    )
    start = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/ledger.db"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, str(tmp_path), *start],  # noqa: S607  # util-linux's
        check=False,
        capture_output=True,
        text=True,
    )
    if done.stderr.startswith(("unshare:", "mount:")):
        pytest.skip("this machine lets nobody mount")
    assert done.stderr.splitlines()[-1].endswith(
        "Mount its file system for writing: it is read-only, as after a disk error."
    )


def test_a_read_only_file_is_refused(as_nobody: Path) -> None:
    path = as_nobody / "ledger.db"
    database = Database(f"sqlite:///{path}")
    database.open()
    database.let_go()
    (as_nobody / "ledger.db.lock").unlink()
    path.chmod(0o444)
    as_nobody.chmod(0o777)
    become_nobody()
    with pytest.raises(CannotOpenError, match="readonly database") as caught:
        open_database(database.url, Runtime())
    assert not caught.value.transient


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set this umask during the test."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """Return the permissions of each file of a folder."""
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in folder.iterdir()}


OWNERS = dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"), "600")


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("umask", [0, 0o022, 0o277], indirect=True, ids=oct)
def test_only_its_owner_can_read_a_ledger_whatever_the_umask(sqlite: Database) -> None:
    folder = file_of(sqlite).parent
    sqlite.open()
    sqlite.execute("INSERT INTO replicas (id, lease_until) VALUES ('a', 0)")
    assert modes(folder).items() >= OWNERS.items()


def test_an_existing_ledger_becomes_readable_by_its_owner_only(sqlite: Database) -> None:
    folder = file_of(sqlite).parent
    sqlite.open()
    sqlite.execute("INSERT INTO replicas (id, lease_until) VALUES ('a', 0)")
    for name in OWNERS:
        (folder / name).chmod(0o644)
    sqlite.let_go()
    sqlite.open()
    assert modes(folder).items() >= OWNERS.items()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_ledger_is_opened_with_unchanged_permissions(as_nobody: Path) -> None:
    database = Database(f"sqlite:///{as_nobody}/ledger.db")
    database.open()
    database.let_go()
    for path in (as_nobody, *as_nobody.iterdir()):
        path.chmod(0o777)
    become_nobody()
    database.open()
    database.let_go()
    assert modes(as_nobody)["ledger.db"] == "777"


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}", Runtime())


def test_a_loop_of_symbolic_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ring.db").symlink_to("ring.db")
    with pytest.raises(CannotOpenError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}/ring.db", Runtime())


def test_a_file_that_is_not_a_database_is_refused(sqlite: Database) -> None:
    file_of(sqlite).write_text("This is a letter, not a database." * 99)
    with pytest.raises(CannotOpenError, match="file is not a database"):
        sqlite.open()


async def test_a_failed_opening_leaves_no_connection_open(on_postgresql: Database) -> None:
    with on_postgresql.engine.begin() as connection:
        connection.execute(text("CREATE TABLE replicas (id TEXT)"))
    with pytest.raises(CannotOpenError, match="already exists"):
        on_postgresql.open()
    others = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    # The server notices a closed connection a moment later.
    await soon(lambda: on_postgresql.rows(others) == [{"n": 0}])


@pytest.mark.usefixtures("lasting")
def test_every_sqlite_connection_syncs_its_commits_and_has_a_small_cache(sqlite: Database) -> None:
    engine = sqlite.open().engine
    fresh: list[object] = []
    event.listen(engine, "connect", lambda raw, _record: fresh.append(raw))
    engine.dispose()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA cache_size").scalar() == -1000
    assert len(fresh) == 1
