"""The connection to the database, with the driver's settings, and SQL that the driver executes.

SQLite syncs to disk at every commit (WAL, synchronous=FULL). Sources: sqlite.org/pragma.html; postgresql.org, "Client
Connection Defaults", "Database Connection Control Functions".
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIModule
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from bot.ledger.address import file_of, how_to_restore

_PAGE_CACHE = 1000  # KiB: half of SQLite's default, since the system keeps the file's pages too
BUSY_SECONDS = 1.5
"""How long SQLite waits for another writer's lock."""
_FILE, _LOOK_AT = "file", "look at"
_LOOK_EVERY = 1.0  # seconds

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


def options_for(*names: str) -> str:
    """Return these POSTGRESQL settings as the value of libpq's `options`."""
    return " ".join(f"-c {name}={POSTGRESQL[name]}" for name in names)


def engine_of(url: URL) -> Engine:
    """Return an engine with one connection, which only the writer's thread uses."""
    if url.get_backend_name() == "postgresql":
        options = options_for(*POSTGRESQL)
        return create_engine(
            url,
            hide_parameters=True,
            pool_size=1,
            max_overflow=0,
            connect_args={"options": options, **REACHING},
        )
    path = file_of(url)
    pool = {"pool_size": 1, "max_overflow": 0} if path else {"poolclass": StaticPool}
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        **pool,
    )

    def set_up(raw: object, record: ConnectionPoolEntry) -> None:
        raw.isolation_level = None  # type: ignore[attr-defined]  # the driver's own connection
        cursor = raw.cursor()  # type: ignore[attr-defined]  # the driver's own connection
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{_PAGE_CACHE}")
        cursor.close()
        record.info.update({_FILE: _identity_of(path), _LOOK_AT: 0.0})

    def begin(on: Connection) -> None:
        if path:
            _verify_file(on, path)
        # The driver begins a transaction only at the first change, and never for CREATE TABLE or WITH … UPDATE.
        execute(on, "BEGIN IMMEDIATE")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    return engine


def _verify_file(on: Connection, path: Path) -> None:
    """Raise SQLAlchemyError once another file is at the path: SQLite would go on with the old one until the stop.

    Not before each transaction: a look releases the GIL, and getting it back took 7 % of an ack.
    """
    now = time.monotonic()
    if now < on.info[_LOOK_AT]:
        return
    if on.info[_FILE] != _identity_of(path):
        raise SQLAlchemyError(
            f"{path} is gone or was replaced: put the same file back; "
            f"or stop the bot, {how_to_restore(path)}, and start it"
        )
    on.info[_LOOK_AT] = now + _LOOK_EVERY


def _identity_of(path: Path | None) -> tuple[int, int] | None:
    """Return which file is at a path; None if there is none. Source: sqlite.org/src, os_unix.c, fileHasMoved."""
    with suppress(OSError):
        found = path.stat() if path else None
        return found and (found.st_dev, found.st_ino)
    return None


def execute(on: Connection, sql: str, parameters: Any = ()) -> tuple[int, Sequence[Any] | None]:
    """Execute SQL by the driver; return the number of rows written, and the first row found; raises SQLAlchemy's errors."""
    try:
        cursor = on.connection.cursor()
        try:  # `closing` takes a fifth of the time of a short statement
            cursor.execute(sql, parameters)
            found = cursor.fetchone() if cursor.description else None
            return cursor.rowcount, found
        finally:
            cursor.close()  # SQLite commits only without open results
    except on.dialect.loaded_dbapi.Error as error:
        raise _translated(error, on, sql) from error


def _translated(error: DBAPIModule.Error, on: Connection, sql: str) -> Exception:
    """Return SQLAlchemy's error for the driver's, and let go of a connection that is lost."""
    dialect = on.dialect
    lost = dialect.is_disconnect(error, on.connection.dbapi_connection, None)
    if lost:
        on.invalidate(error)
    return DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=lost,
        dialect=dialect,
    )
