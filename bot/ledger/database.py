"""Open the database, with one process per SQLite file and its schema up to date, and say what an error of it means.

Only the owner can read SQLite's files, whatever the umask; the side files get the mode of the database file. Sources:
sqlite.org/src, findCreateFileMode; postgresql.org, "Advisory Locks".
"""

import fcntl
import os
import re
import resource
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, delete, false, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.ledger.engine import CannotOpenError, engine_of, file_of, how_to_restore, parse
from bot.ledger.schema import HEAD, metadata, replicas
from bot.runtime.clock import Runtime

_MIGRATION_LOCK = 0x5E4A  # any number that nothing else in this database uses

# Classes of SQLSTATE: connection exception, rolled back for another transaction, insufficient resources, operator
# intervention; and the lock timeout.
_TRANSIENT = ("08", "40", "53", "57", "55P03")
READ_ONLY = "25006"
"""PostgreSQL's code for a server that takes no writes: after a failover, the one that is now the standby."""
_WRONG_ADDRESS = re.compile(
    r"authentication failed|does not exist|pg_hba\.conf|no password supplied|invalid "
)

_INSTANT = 0.1  # seconds
_OWNERS = 0o600
_OTHERS = 0o077
_NO_LEDGER = re.compile(r"not a database|malformed")
LET_IT_OWN = Sentence("Let the role in DATABASE_URL own the database and its tables.")
_CHECK = Sentence("Check DATABASE_URL, whether the database runs, and its rights.")
_DISK = r"disk is full|No space left|disk I/O error"
_REMEDIES = {
    _DISK: Sentence("Make room on its disk, or replace the disk if it is not full."),
    r"no such (table|column)|(relation|column) .* does not exist": Sentence(
        "Start the bot once: it brings the schema up to date. If that does not help, bring the ledger back from a backup."
    ),
    "read-only transaction": Sentence(
        "Let DATABASE_URL name the primary, or make room: the server is a standby, or was locked when it was full."
    ),
    "database is locked|lock timeout": Sentence(
        "Another program holds the database: end it, or wait until it is done."
    ),
    "permission denied for|no schema has been selected|must be owner of": LET_IT_OWN,
    "could not translate host name|Name or service not known": Sentence(
        "Correct the host in DATABASE_URL, or this machine's DNS."
    ),
    "certificate verify failed": Sentence(
        "Let sslrootcert in DATABASE_URL name the certificate of the server's CA."
    ),
    "too many (clients|connections)|connection slots": Sentence(
        "Let the database take more connections, or stop what holds them."
    ),
}
"""What to do about an error of a driver, by its words."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine on a database with the current schema; `exclusive` if no other process can use the database.

    `new` if the database had no ledger.
    """

    engine: Engine
    exclusive: bool
    new: bool
    release: Callable[[], None]


def open_database(url: str, runtime: Runtime) -> Opened:
    """Return the database at `url`, migrated; SQLite's clock is `runtime.now`. Raises CannotOpenError."""
    parsed = parse(url)
    with ExitStack() as on_failure:
        release = on_failure.callback(_lock_file(parsed, runtime.block))
        try:
            engine = engine_of(parsed, runtime.now)
            on_failure.callback(engine.dispose)
            with engine.begin() as connection:
                new = _migrate(connection)
                # Fails on a read-only database, which opens without an error.
                connection.execute(delete(replicas).where(false()))
        except (SQLAlchemyError, ValueError) as error:
            why = reason_of(error)
            raise CannotOpenError(
                Problem(
                    Sentence("DATABASE_URL cannot be opened ({why})", why=why),
                    remedy(file_of(parsed), why),
                ),
                transient=is_transient(error),
            ) from error
        on_failure.pop_all()
    return Opened(engine, engine.dialect.name == "sqlite", new, release)


def _migrate(connection: Connection) -> bool:
    """Create or upgrade the schema, one process at a time; return whether it was created.

    Raises CannotOpenError if a newer version wrote it, or another program that uses Alembic too.
    """
    if connection.dialect.name == "postgresql":
        # A migration, and another process that waits for it, may take longer than the usual timeouts allow.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {name} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    current = revision_of(connection)
    if current is None:
        _create_schema(connection)
    elif current != HEAD:
        _upgrade(connection, current)
    return current is None


def revision_of(connection: Connection) -> str | None:
    """Return the migration revision of the ledger; None if there is none yet."""
    version = text("SELECT version_num FROM alembic_version")
    return connection.scalar(version) if inspect(connection).has_table("alembic_version") else None


def _create_schema(connection: Connection) -> None:
    """Create the newest schema, without loading Alembic."""
    # If it skipped tables that exist, another program's would pass for ours.
    metadata.create_all(connection, checkfirst=False)
    column = "version_num VARCHAR(32) NOT NULL"
    key = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS alembic_version ({column}, {key})"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, current: str) -> None:
    """Run every migration from revision `current` to the newest one."""
    # Imported here, since it takes 8 MB and most starts have nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config).walk_revisions()
    if current not in {step.revision for step in steps}:
        raise CannotOpenError(
            Problem(
                Sentence(
                    "The ledger was written by a newer version of this bot, or by another program (schema {current})",
                    current=current,
                ),
                Sentence("Install that version, or let DATABASE_URL name another database."),
            )
        )
    command.upgrade(config, "head")


def remedy(path: Path | None, why: str, otherwise: str = _CHECK) -> str:
    """Return what to do about a database that cannot be opened, read or written; `path` is SQLite's file."""
    if path and os.access(path, os.F_OK) and path.is_dir():
        return Sentence("{path} is a folder: let DATABASE_URL name a file in it.", path=path)
    if path and is_no_ledger(why):
        return Sentence(
            "Let DATABASE_URL name another file, or {restore}.", restore=how_to_restore(path)
        )
    if path and (foreign := _foreign(path)):
        if os.statvfs(foreign[0]).f_flag & os.ST_RDONLY:
            return Sentence(
                "Mount its file system for writing: it is read-only, as after a disk error."
            )
        names = " ".join(map(str, foreign))
        return Sentence(
            "Let the bot's user own what it needs, chown USER {names}, or run this as the user who owns it.",
            names=names,
        )
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if path and is_of_disk(why) and most > 0:
        limit = Sentence(
            "the process may write no file above {most} bytes (ulimit -f)", most=f"{most:,}"
        )
        return Sentence(
            "Raise the limit of a file's size: {limit}. If that is enough, make room on the disk.",
            limit=limit,
        )
    return next((fix for words, fix in _REMEDIES.items() if re.search(words, why)), otherwise)


def _foreign(path: Path) -> list[Path]:
    """Return which of the ledger's folder and files this user may not write; none if there is no ledger yet."""
    files = [
        each for each in (path, _guard_of(path), *side_files(path)) if os.access(each, os.F_OK)
    ]
    needed = [path.parent, *files] if files else []
    return [each for each in needed if not os.access(each, os.R_OK | os.W_OK, effective_ids=True)]


def is_no_ledger(why: str) -> bool:
    """Tell from an error whether the file is damaged, or no database at all."""
    return bool(_NO_LEDGER.search(why))


def is_of_disk(why: str) -> bool:
    """Tell from an error whether the disk is full or fails; SQLite calls either an I/O error, if it has no room to begin."""
    return bool(re.search(_DISK, why))


def reason_of(error: Exception) -> str:
    """Return the first line of the driver's error, without SQLAlchemy's statement and its parameters, which are private."""
    lines = str(getattr(error, "orig", None) or error).splitlines()
    return lines[0] if lines else type(error).__name__


def sqlstate_of(error: Exception) -> str | None:
    """Return PostgreSQL's code for an error; None on SQLite, and for an error without the server's answer."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def is_transient(error: Exception) -> bool:
    """Tell whether the server is away, starting or busy, rather than the address wrong; True if in doubt.

    Without a connection libpq gives no SQLSTATE, only the server's message or its own.
    """
    state = sqlstate_of(error)
    if state == READ_ONLY:
        return True
    if not isinstance(error, OperationalError):
        return False
    if name := getattr(error.orig, "sqlite_errorname", None):
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR"))
    if state:
        return state.startswith(_TRANSIENT)
    return not _WRONG_ADDRESS.search(str(error.orig))


def _lock_file(url: URL, block: Callable[[float], None]) -> Callable[[], None]:
    """Lock the SQLite file against other processes, and take its rights from other users; return what unlocks it."""
    path = file_of(url)
    if path is None:
        return lambda: None
    guard = _guard_of(path)
    try:
        _make(guard)
        lock = guard.open("a")
    except OSError as error:
        left = guard if os.access(guard, os.F_OK) else None
        fix = remedy(path, error.strerror or "", Sentence("Choose a folder the bot may write to."))
        raise CannotOpenError(
            Problem(
                Sentence(
                    "DATABASE_URL cannot be opened ({why}: {path})",
                    why=error.strerror,
                    path=left or path.parent,
                ),
                fix,
            )
        ) from error
    try:
        _lock(lock, block)
    except BlockingIOError as error:
        lock.close()
        raise CannotOpenError(
            Problem(
                Sentence("Another share-env-bot already uses {database}", database=url.database),
                Sentence("Stop it, or use PostgreSQL for several replicas."),
            ),
            transient=True,
        ) from error
    with suppress(OSError):  # such as a full disk, which SQLite reports; this is for people alone
        lock.truncate(0)
        os.write(lock.fileno(), str(os.getpid()).encode())
    with suppress(OSError):  # SQLite reports it better
        _make(path)
    _restrict(path, guard, *side_files(path))
    return lock.close


def _lock(lock: IO[str], block: Callable[[float], None]) -> None:
    """Lock the file for this process alone; raises BlockingIOError. Tried twice: a doctor holds it for an instant."""
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    block(_INSTANT)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def user_of(path: Path) -> str | None:
    """Return the id of the process that has locked a SQLite file, empty if it is not known; None if none has.

    Raises OSError if the lock cannot be looked at.
    """
    try:
        lock = _guard_of(path).open()
    except FileNotFoundError:
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.read()
    return None


def _guard_of(path: Path) -> Path:
    """Return the file that is locked in place of a SQLite file, whose own locks are SQLite's."""
    return Path(f"{path}.lock")


def _make(path: Path) -> None:
    """Create a file with the owner's rights only, unless it exists; raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS))
        path.chmod(_OWNERS)  # the umask may have removed some of them


def _restrict(*paths: Path) -> None:
    """Take all rights from other users; skips files that are missing or belong to another user."""
    for path in paths:
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)


def side_files(path: Path) -> list[Path]:
    """Return SQLite's side files of a database."""
    return [Path(f"{path}-wal"), Path(f"{path}-shm")]
