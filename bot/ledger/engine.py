"""The connection to the database, with the driver's settings.

SQLite syncs to disk at every commit (WAL, synchronous=FULL). Sources: sqlite.org/pragma.html; postgresql.org, "Client
Connection Defaults", "Database Connection Control Functions".
"""

import time
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, StaticPool

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

    def begin(raw: PoolProxiedConnection) -> None:
        if path:
            _verify_file(raw.info, path)
        # The driver begins a transaction only at the first change, and never for CREATE TABLE or WITH … UPDATE.
        raw.cursor().execute("BEGIN IMMEDIATE")

    event.listen(engine, "connect", set_up)
    # An event `begin` would make SQLAlchemy look for listeners at each statement, and its errors are not translated.
    engine.dialect.do_begin = begin  # type: ignore[assignment,method-assign]  # of one engine
    return engine


def _verify_file(info: MutableMapping[str, Any], path: Path) -> None:
    """Raise SQLAlchemyError once another file is at the path: SQLite would go on with the old one until the stop.

    Not before each transaction: a look releases the GIL, and getting it back took 7 % of an ack.
    """
    now = time.monotonic()
    if now < info[_LOOK_AT]:
        return
    if info[_FILE] != _identity_of(path):
        raise SQLAlchemyError(
            f"{path} is gone or was replaced: put the same file back; "
            f"or stop the bot, {how_to_restore(path)}, and start it"
        )
    info[_LOOK_AT] = now + _LOOK_EVERY


def _identity_of(path: Path | None) -> tuple[int, int] | None:
    """Return which file is at a path; None if there is none. Source: sqlite.org/src, os_unix.c, fileHasMoved."""
    with suppress(OSError):
        found = path.stat() if path else None
        return found and (found.st_dev, found.st_ino)
    return None
