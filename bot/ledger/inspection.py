"""Read-only inspection of a ledger that a bot may be using: no migration, no commit, no byte changed.

Source: sqlite.org, "Write-Ahead Logging" (read-only databases), "URI Filenames" (immutable).
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import Engine, NullPool, StaticPool, create_engine, func, select, text
from sqlalchemy.engine import URL

from bot.domain.sentence import Sentence
from bot.ledger.engine import REACHING, file_of, options_for, sqlite_engine
from bot.ledger.schema import OPEN, metadata, replicas, requests
from bot.ledger.statements import NOW, OWED_SECONDS
from bot.runtime.clock import Runtime

_POSTGRESQL = {**REACHING, "options": options_for("statement_timeout", "lock_timeout")}


def path_problem(path: Path) -> tuple[str, str] | None:
    """Return why there can be no ledger at a path, and the fix; None if there is one, or it could be created."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            fix = Sentence("Let DATABASE_URL name a file, such as sqlite:///share-env.db.")
            return Sentence("{path} is no file", path=path), fix
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        return Sentence("{path}: {why}", path=path, why=error.strerror), Sentence(
            "Run it as the bot's user."
        )
    except OSError as error:  # such as a name that is too long
        return Sentence("{path}: {why}", path=path, why=error.strerror), Sentence(
            "Correct DATABASE_URL."
        )
    return None


@contextmanager
def open_read_only(url: URL) -> Iterator[Engine]:
    """Yield a read-only engine; using it raises SQLAlchemyError.

    On SQLite, keep it open while `try_to_write` runs: the last connection to close checkpoints the file, unless it is
    read-only.
    """
    path = file_of(url)
    engine = _file_engine(path, **_read_mode(path)) if path else _server_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _read_mode(path: Path) -> dict[str, str]:
    """Return the query of the file's URI; without a write-ahead log no bot has it open, and a plain read would create one."""
    return {"mode": "ro"} if Path(f"{path}-wal").exists() else {"mode": "ro", "immutable": "1"}


def _file_engine(path: Path, **how: str) -> Engine:
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={**how, "uri": "true"})
    return sqlite_engine(url, Runtime().now, poolclass=StaticPool)


def _server_engine(url: URL) -> Engine:
    return create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=_POSTGRESQL)


def live_replicas(engine: Engine) -> int:
    """Return the number of replicas with a current lease, by the database's clock."""
    alive = replicas.c.lease_until > NOW
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).where(alive)) or 0


class Greeting(NamedTuple):
    """What a bot that runs recorded of how Slack last greeted it, or refused it, in Unix seconds."""

    at: float
    connections: int | None
    """Those of the app then, of that bot's own the one alone that was greeted."""
    bots: int | None
    """Those that ran on this ledger then."""
    app: str | None
    refusal: str | None


def last_greeting(engine: Engine) -> Greeting | None:
    """Return the newest greeting of the replicas that run; on SQLite, whose only bot renews no lease, of the last one."""
    r = replicas.c
    query = select(r.greeted, r.connections, r.bots, r.app, r.refusal)
    if engine.dialect.name != "sqlite":
        query = query.where(r.lease_until > NOW)
    newest = query.where(r.greeted.is_not(None)).order_by(r.greeted.desc()).limit(1)
    with engine.connect() as connection:
        row = connection.execute(newest).one_or_none()
    return Greeting(*row) if row else None


def may_create(engine: Engine) -> bool:
    """Return whether the ledger can be made in an empty database."""
    if engine.dialect.name == "sqlite":
        return True
    asked = text("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
    with engine.connect() as connection:
        return bool(connection.scalar(asked))


def owed(engine: Engine) -> tuple[int, float]:
    """Return for how many requests Slack has refused the next message, and the seconds since the first of them.

    No seconds if the clock was set back meanwhile.
    """
    query = select(func.count(requests.c.owed), OWED_SECONDS).where(OPEN)
    with engine.connect() as connection:
        count, seconds = connection.execute(query).one()
    return count, max(seconds or 0.0, 0.0)


def try_to_write(url: URL) -> None:
    """Insert zero rows into each table and roll back; raises SQLAlchemyError if a bot could not write."""
    path = file_of(url)
    engine = _file_engine(path, mode="rw") if path else _server_engine(url)
    try:
        with engine.connect() as connection:
            for table in metadata.tables:
                # S608: the names are the schema's own.
                connection.exec_driver_sql(
                    f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0"  # noqa: S608
                )
            connection.rollback()
    finally:
        engine.dispose()
