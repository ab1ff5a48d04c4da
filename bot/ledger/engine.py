"""From DATABASE_URL to a connection: the address, the file of a SQLite database, and the driver's settings.

SQLite syncs to disk at every commit (WAL, synchronous=FULL). Sources: sqlite.org/pragma.html; postgresql.org, "Client
Connection Defaults", "Database Connection Control Functions".
"""

import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence

_PAGE_CACHE = 1000  # KiB: half of SQLite's default, since the system keeps the file's pages too
BUSY_SECONDS = 1.5
"""How long SQLite waits for another writer's lock."""

# Milliseconds. The lock timeout is short, since others queue behind a waiter; a replica that froze within a transaction
# is disconnected.
POSTGRESQL = {
    "statement_timeout": "1500",
    "lock_timeout": "700",
    "idle_in_transaction_session_timeout": "5000",
    "default_transaction_isolation": r"read\ committed",
}
# Detects a server that is gone without closing the connection after two seconds; Unix sockets ignore all but the first.
REACHING = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
}


_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


class CannotOpenError(Exception):
    """The database cannot be used; the text is that of the `problem`, with the fix.

    `transient` if a later try may succeed without a change of the settings.
    """

    def __init__(self, problem: Problem, *, transient: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.transient = transient


def parse(url: str) -> URL:
    """Return the parsed URL of a database; raises CannotOpenError."""
    if url.startswith("postgres") and url.count("@") > 1:
        # The driver would take the rest of the password for the host's name, and show it in its error.
        raise CannotOpenError(
            Problem(
                Sentence("DATABASE_URL has more than one @"),
                Sentence("Write %40 for the @ in the password, and keep the one before the host."),
            )
        )
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise CannotOpenError(
            Problem(
                Sentence("DATABASE_URL is not a database's address"),
                Sentence("Use sqlite:///share-env.db or postgresql+psycopg://…"),
            )
        ) from error
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    ours = _DRIVERS.get(parsed.get_backend_name())
    if ours and parsed.drivername != ours:
        raise CannotOpenError(
            Problem(
                Sentence(
                    "DATABASE_URL begins with {drivername}://, a driver that the bot does not use",
                    drivername=parsed.drivername,
                ),
                Sentence("Let it begin with {ours}://.", ours=ours),
            )
        )
    if not ours:
        raise CannotOpenError(
            Problem(
                Sentence("DATABASE_URL names another database than SQLite or PostgreSQL"),
                Sentence("Use sqlite:///share-env.db or postgresql+psycopg://…"),
            )
        )
    if parsed.drivername == "sqlite" and parsed.host:
        file = "/".join(filter(None, (parsed.host, parsed.database)))
        raise CannotOpenError(
            Problem(
                Sentence(
                    "DATABASE_URL has two slashes before {file}, where a file needs three",
                    file=file,
                ),
                Sentence("Set DATABASE_URL to sqlite:///{file}.", file=file),
            )
        )
    if parsed.drivername == "postgresql+psycopg":
        _load_driver()
    return parsed


def _load_driver() -> None:
    try:
        import psycopg  # noqa: F401, PLC0415  # an extra, and only PostgreSQL needs it
    except ImportError as error:  # not installed, or without libpq
        raise CannotOpenError(
            Problem(
                Sentence("DATABASE_URL names PostgreSQL, whose driver is not installed"),
                Sentence(
                    'Run {executable} -m pip install "share-env-bot[postgres]".',
                    executable=sys.executable,
                ),
            )
        ) from error


def in_memory(url: URL) -> tuple[str, str] | None:
    """Return the warning that the database is in memory, and the fix; None for any other database."""
    if url.get_backend_name() != "sqlite" or file_of(url):
        return None
    fix = Sentence("Name a file in DATABASE_URL, such as sqlite:///share-env.db.")
    return Sentence("it is in memory, and lost at each stop"), fix


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for PostgreSQL and for one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    # Not `Path.resolve`, which raises RuntimeError for a loop of symbolic links.
    return Path(os.path.realpath(url.database or ""))


def how_to_restore(path: Path) -> str:
    """Return how to restore a backup; SQLite would replay the old -wal into it, and damage it."""
    return Sentence(
        "delete {path}-wal and {path}-shm and put a backup of the ledger at {path}", path=path
    )


def options_for(*names: str) -> str:
    """Return these POSTGRESQL settings as the value of libpq's `options`."""
    return " ".join(f"-c {name}={POSTGRESQL[name]}" for name in names)


def sqlite_engine(
    url: URL, now: Callable[[], float], *, busy_seconds: float = BUSY_SECONDS, **pool: object
) -> Engine:
    """Return an engine on a SQLite database, with this pool; it waits so long for others' locks.

    `now` is its clock, in Unix seconds: SQL calls it `unix_now()`, since SQLite's own times are whole milliseconds.
    """
    engine = create_engine(
        url,
        hide_parameters=True,
        paramstyle="named",  # one dict, as on PostgreSQL
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        **pool,
    )

    def register(raw: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        raw.create_function("unix_now", 0, now)

    event.listen(engine, "connect", register)
    return engine


def engine_of(url: URL, now: Callable[[], float]) -> Engine:
    """Return an engine with one connection, which only the writer's thread uses.

    `now` is the clock of a SQLite database, in Unix seconds.
    """
    if url.get_backend_name() == "postgresql":
        options = options_for(*POSTGRESQL)
        return create_engine(
            url,
            hide_parameters=True,
            pool_size=1,
            max_overflow=0,
            connect_args={"options": options, **REACHING},
        )
    one = {"pool_size": 1, "max_overflow": 0} if file_of(url) else {"poolclass": StaticPool}
    engine = sqlite_engine(url, now, **one)

    def set_up(raw: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        raw.isolation_level = None
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{_PAGE_CACHE}")
        cursor.close()

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Begin a transaction; the driver would do so only at the first change, and never for CREATE TABLE or WITH … UPDATE."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
