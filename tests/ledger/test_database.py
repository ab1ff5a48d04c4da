import asyncio
import json
import os
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import OperationalError

from bot.domain.link import Link
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Rejected,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
)
from bot.domain.request import State
from bot.guidance import by_key
from bot.ledger import Accepted, SharedBefore, UnderWay
from bot.ledger.address import CannotOpenError
from bot.ledger.database import open_database
from bot.ledger.entries import columns_of
from bot.ledger.migrate import upgrade
from bot.ledger.schema import HEAD, metadata
from bot.ledger.seal import Seal
from tests.conftest import no_room, soon
from tests.databases import Database, PostgreSQL, standby
from tests.ledger.conftest import SOON, all_requests, become_nobody, new_request, within
from tests.processes import ROOT, Forked, fork

MIGRATIONS = ROOT / "bot/ledger/migrations"
OPEN_AND_WAIT = """
import sys
from bot.ledger.address import CannotOpenError
from bot.ledger.database import open_database
try:
    opened = open_database(sys.argv[1])
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


def steps_to(database: Database, revision: str) -> None:
    """Migrate a new database to a revision, as an earlier version of the bot did."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def all_steps(database: Database) -> None:
    """Create the schema with all migrations, as for the oldest ledger."""
    with database.engine.begin() as connection:
        upgrade(connection, None)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE tokens ADD COLUMN more TEXT",
        "ALTER TABLE tokens RENAME COLUMN told TO heard",
        "CREATE INDEX more ON tokens (told)",
        "DROP INDEX requests_open",
    ],
)
def test_a_difference_between_two_schemas_would_be_detected(
    database: Database, change: str
) -> None:
    database.open()
    before = objects(database)
    database.execute(change)
    assert objects(database) != before


@pytest.mark.parametrize(
    "column", ["TEXT", "FLOAT NOT NULL", "FLOAT DEFAULT 1", "FLOAT PRIMARY KEY"]
)
def test_a_column_of_another_type_would_be_detected(database: Database, column: str) -> None:
    found = []
    for kind in ("FLOAT", column):
        database.execute(f"CREATE TABLE things (id {kind}, at FLOAT)")
        found.append(objects(database))
        database.execute("DROP TABLE things")
    assert found[0] != found[1]


ADDED: dict[str, dict[str, object]] = {
    "0001": {},
    "0002": {
        "language": "en",
        "thread_ts": "",
        "again": False,
        "begun": False,
        **dict.fromkeys(("until", "wake", "asked", "decided", "decided_by", "comment")),
        **dict.fromkeys(("retried_by", "appids", "batch", "lane")),
    },
    "0003": {"owed": None, "called_again": False, "paused": False, "turn": None},
    "0004": {},
}
"""The values of columns that later versions added, for requests of each version."""
PARTS = ("guidance", "errcode", "errmsg", "rid", "tries", "link", "tally")
"""The columns of an outcome's parts, up to version 0004."""


def insert(database: Database, **columns: object) -> None:
    """Insert a request as an earlier version wrote it, without the columns that it did not have."""
    known = {column["name"] for column in inspect(database.engine).get_columns("requests")}
    row = {name: value for name, value in columns.items() if name in known}
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f":{name}" for name in row)
    database.execute(f"INSERT INTO requests ({names}) VALUES ({places})", **row)  # noqa: S608  # the columns above


@pytest.mark.parametrize("version", ADDED)
async def test_a_ledger_of_an_earlier_version_keeps_its_requests(
    database: Database, version: str
) -> None:
    steps_to(database, version)
    asked = [new_request() for _ in range(3)]
    ends: list[dict[str, object]] = [
        {},
        {"state": "ended", "ended": 2.0, "outcome": "shared"},
        {"state": "ended", "ended": 2.0, "outcome": "failed", "guidance": "61003"},
    ]
    for number, (request, end) in enumerate(zip(asked, ends, strict=True)):
        row = columns_of(request, State.ACCEPTED, "gone")
        insert(database, **{**row, "created": float(number), **end})
    before = database.rows("SELECT * FROM requests ORDER BY id")

    ledger = database.ledger("a")
    await ledger.start()
    assert database.rows("SELECT version_num FROM alembic_version") == [{"version_num": HEAD}]
    kept = database.rows("SELECT * FROM requests ORDER BY id")
    endings = [row.pop("ending") for row in kept]
    assert [json.loads(ending)["kind"] for ending in endings if ending] == ["shared", "failed"]
    added = {k: v for since, more in ADDED.items() if since >= version for k, v in more.items()}
    stayed = [{k: v for k, v in row.items() if k not in PARTS} for row in before]
    assert kept == [{**row, **added} for row in stayed]
    failed, shared, under_way = await all_requests(ledger)
    assert [entry.request for entry in (under_way, shared, failed)] == asked
    assert (failed.outcome, shared.outcome) == (Failed(by_key("61003"), None, 0), Shared(0))
    assert await ledger.replica.take_over(9) == [replace(under_way, fence=2, taken_over=1)]
    found = await ledger.accept(new_request(env=shared.request.env))
    assert found == SharedBefore(shared)
    found = await ledger.accept(new_request(env=under_way.request.env))
    assert isinstance(found, UnderWay)
    assert await ledger.tokens("wxc0de00000000c0de", Seal()).all() == {}


SAID = Said(40014, "invalid access_token 无效", "5f3a-1")
WORDS = {"errcode": SAID.errcode, "errmsg": SAID.errmsg, "rid": SAID.rid}
OLD_OUTCOMES: list[tuple[Outcome, dict[str, object]]] = [
    (Shared(3), {"tries": 3}),
    (Failed(by_key("61003")), {"guidance": "61003", "tries": 1}),
    (
        Failed(by_key("40014"), SAID, 2, Link.OWNER),
        {"guidance": "40014", "tries": 2, "link": "owner", **WORDS},
    ),
    (Failed(by_key("40014"), None, 0), {"guidance": "40014", "tries": 0, "link": None}),
    (Unknown(by_key("timeout"), SAID, 2), {"guidance": "timeout", "tries": 2, **WORDS}),
    (Rejected("U2", "not “now”"), {"decided_by": "U2", "comment": "not “now”"}),
    (Rejected("U2"), {"decided_by": "U2"}),
    (Cancelled("U3"), {"decided_by": "U3"}),
    (Cancelled(""), {}),
    (Expired("confirmation"), {"guidance": "confirmation"}),
    (Expired("approval"), {"guidance": "approval"}),
    *[(Denied(ground), dict[str, object](guidance=ground.value)) for ground in Ground],
    (Denied(), {"guidance": None}),  # as the first versions wrote it
    (Stopped(), {}),
    *[(Skipped(why), dict[str, object](guidance=why.value)) for why in SkipReason],
    (
        Finished(Tally(9, 1, 2, 3, 1, 1, 1)),
        {"tally": "total=9 shared=1 skipped=2 failed=3 unknown=1 cancelled=1 stopped=1"},
    ),
    (Finished(Tally(0)), {"tally": None}),
]
"""Each kind of outcome, as version 0004 wrote it."""


async def test_a_ledger_of_an_earlier_version_keeps_every_outcome(database: Database) -> None:
    assert {type(outcome) for outcome, _ in OLD_OUTCOMES} == set(get_args(Outcome))
    steps_to(database, "0004")
    for number, (outcome, parts) in enumerate(OLD_OUTCOMES):
        row = columns_of(new_request(), State.ENDED, None)
        name = {"outcome": type(outcome).__name__.lower(), "ended": 2.0}
        insert(database, **{**row, "created": float(number), **name, **parts})
    insert(database, **columns_of(new_request(), State.ACCEPTED, None), created=-1.0)

    ledger = database.ledger("a")
    await ledger.start()
    *ended, under_way = await all_requests(ledger)
    assert [entry.outcome for entry in reversed(ended)] == [outcome for outcome, _ in OLD_OUTCOMES]
    assert under_way.outcome is None


@pytest.mark.parametrize(
    ("place", "asked", "now"),
    [
        (None, None, (None, None)),
        ("private", None, ("private", None)),
        ("thread C1 1.5", None, ("C1/1.5", None)),
        ("thread C1 1.5 1.2", "C2 2.5", ("C1/1.5/1.2", "C2/2.5")),
        ("private", "D2 2.5 D3 3.5", ("private", "D2/2.5 D3/3.5")),
        (None, "C2 2.5", (None, "C2/2.5")),
    ],
)
async def test_a_ledger_of_an_earlier_version_keeps_where_messages_stand(
    database: Database, place: str | None, asked: str | None, now: tuple[str | None, str | None]
) -> None:
    steps_to(database, "0004")
    insert(
        database,
        **columns_of(new_request(), State.WAITING, None),
        created=1.0,
        place=place,
        asked=asked,
    )
    ledger = database.ledger("a")
    await ledger.start()
    (entry,) = await all_requests(ledger)
    assert (entry.place, entry.asked) == now


async def test_a_long_ledger_of_an_earlier_version_keeps_every_outcome(database: Database) -> None:
    steps_to(database, "0004")
    row = columns_of(new_request(), State.ENDED, None)
    columns = {**row, "created": 1.0, "ended": 2.0, "outcome": "shared", "tries": 2}
    insert(database, **columns)
    names = [name for name in columns if name not in {"id", "trigger_id"}]
    same = ", ".join(f'"{name}"' for name in names)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
    more = f"INSERT INTO requests (id, trigger_id, {same}) {numbers} SELECT i, i, {same} FROM n, requests"  # noqa: S608  # the columns above
    database.execute(more)

    ledger = database.ledger("a")
    await ledger.start()
    read = await ledger.history(("T1", "U1"), None, 9999)
    assert [entry.outcome for entry in read] == [Shared(2)] * 2501


@pytest.mark.parametrize("version", ADDED)
async def test_a_ledger_of_an_earlier_version_lets_batches_of_one_env_be_open_together(
    database: Database, version: str
) -> None:
    steps_to(database, version)
    ledger = database.ledger("a")
    await ledger.start()
    for _ in range(2):
        batch = new_request(env="prod-1", appid="", appids=("wx1", "wx2"))
        assert isinstance(await ledger.accept(batch), Accepted)


def test_the_schema_names_the_newest_migration() -> None:
    steps = ScriptDirectory(str(MIGRATIONS))
    assert steps.get_heads() == [HEAD]


def test_a_new_database_has_the_schema_and_the_revision_that_the_migrations_lead_to(
    database: Database,
) -> None:
    assert database.open().new
    built = objects(database)
    assert database.rows("SELECT version_num FROM alembic_version") == [{"version_num": HEAD}]
    with database.engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    all_steps(database)
    assert objects(database) == built
    assert {name for name, *_ in built} == {"requests", "events", "replicas", "tokens"}
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
    database.statements.clear()
    assert not database.open().new
    assert objects(database) == before
    assert not [statement for statement, _ in database.statements if "CREATE" in statement]


def test_replicas_that_start_together_migrate_once(on_postgresql: Database) -> None:
    together = threading.Barrier(4)

    def start(_: int) -> None:
        together.wait()
        opened = open_database(on_postgresql.url)
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


def test_a_newer_schema_is_refused_in_one_sentence(database: Database) -> None:
    database.open()
    database.let_go()

    def write(version: str) -> None:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})

    write("9999")
    with pytest.raises(CannotOpenError) as caught:
        database.open()
    assert str(caught.value) == (
        "The ledger was written by a newer version of this bot (schema 9999). Install that version."
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
    first, second = open_database("sqlite://"), open_database("sqlite://")
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
        open_database(f"sqlite:///{link}")


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
        ("sqlite+aiosqlite:///share-env.db", "names another database than SQLite or PostgreSQL"),
        ("postgresql+asyncpg://localhost/bot", "names another database than SQLite or PostgreSQL"),
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
        open_database(url)
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
            f"postgresql://bot@127.0.0.1:{port}/ledger?sslmode=disable&gssencmode=disable"
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
        open_database(sqlite.url)
    assert caught.value.transient


def test_a_disk_without_room_counts_as_temporarily_unavailable(sqlite: Database) -> None:
    sqlite.open()
    sqlite.let_go()
    with no_room(), pytest.raises(CannotOpenError, match="Make room on its disk") as caught:
        open_database(sqlite.url)
    assert caught.value.transient


def test_a_standby_counts_as_temporarily_unavailable(on_postgresql: Database) -> None:
    on_postgresql.open()
    on_postgresql.let_go()
    with standby(on_postgresql), pytest.raises(CannotOpenError, match="read-only") as caught:
        on_postgresql.open()
    assert caught.value.transient


def test_errors_contain_no_password(postgresql: PostgreSQL) -> None:
    url = postgresql.url("nowhere").replace("postgres:@", "postgres:hunter2@")
    with pytest.raises(CannotOpenError, match='database "nowhere" does not exist') as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)
    assert not caught.value.transient


def test_a_folder_that_is_not_writable_is_named(as_nobody: Path) -> None:
    become_nobody()
    with pytest.raises(CannotOpenError) as caught:
        open_database(f"sqlite:///{as_nobody}/ledger.db")
    assert str(caught.value) == (
        f"DATABASE_URL cannot be opened (Permission denied: {as_nobody}). "
        "Choose a folder the bot may write to."
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
        open_database(database.url)
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
    sqlite.execute("INSERT INTO replicas VALUES ('a', 0)")
    assert modes(folder).items() >= OWNERS.items()


def test_an_existing_ledger_becomes_readable_by_its_owner_only(sqlite: Database) -> None:
    folder = file_of(sqlite).parent
    sqlite.open()
    sqlite.execute("INSERT INTO replicas VALUES ('a', 0)")
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
        open_database(f"sqlite:///{tmp_path}")


def test_a_loop_of_symbolic_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ring.db").symlink_to("ring.db")
    with pytest.raises(CannotOpenError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}/ring.db")


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
