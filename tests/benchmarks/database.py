"""A real PostgreSQL with fsync, its resource usage, and PgBouncer in front of it."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import make_url

from bot.ledger.engine import POSTGRESQL
from tests.benchmarks.processes import busy
from tests.benchmarks.standins import WrongResultError
from tests.databases import PostgreSQL

_PGBOUNCER = """
[databases]
* = host={server} user=postgres
[pgbouncer]
unix_socket_dir = {folder}
listen_addr =
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = {size}
ignore_startup_parameters = options
log_connections = 0
log_disconnections = 0
log_stats = 0
{user}
"""


def timeouts() -> dict[str, str]:
    """Return the timeouts, in milliseconds, that a bot requests at connect and PgBouncer does not pass on."""
    return {name: value for name, value in POSTGRESQL.items() if name.endswith("_timeout")}


def folder_of(url: str) -> Path:
    """Return the folder of the server's socket."""
    return Path(str(make_url(url).query["host"]))


def through(url: str, folder: Path) -> str:
    """Return the URL of the same database through a socket in another folder."""
    other = make_url(url).update_query_dict({"host": str(folder)})
    return other.render_as_string(hide_password=False)


@contextmanager
def pgbouncer(url: str, size: int) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer, in transaction mode with `size` connections.

    The timeouts that PgBouncer does not pass on are set in the database. Raises WrongResultError if PgBouncer is missing or
    does not start.
    """
    server, program = folder_of(url), shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/bin")
    if program is None:
        raise WrongResultError("There is no PgBouncer: apt-get install pgbouncer.")
    name = make_url(url).database
    for setting, value in timeouts().items():
        PostgreSQL.execute(url, f"ALTER DATABASE {name} SET {setting} = {value}")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o777)  # as root, it runs as the server's user
        settings = folder / "pgbouncer.ini"
        user = f"user = {server.owner()}" if folder.owner() == "root" else ""
        settings.write_text(
            _PGBOUNCER.format(server=server, folder=folder, size=size, user=user), encoding="utf-8"
        )
        with subprocess.Popen((program, settings), stderr=subprocess.PIPE, text=True) as process:
            try:
                _wait_until_up(process)
                yield through(url, folder)
            finally:
                process.send_signal(signal.SIGQUIT)  # on SIGTERM it waits for its clients


def _wait_until_up(process: subprocess.Popen[str]) -> None:
    """Wait until PgBouncer listens; raises WrongResultError if it does not."""
    lines = list[str]()
    for line in process.stderr or ():
        lines.append(line)
        if "process up" in line:
            return
    raise WrongResultError(f"PgBouncer does not start:\n{''.join(lines)}")


@dataclass(frozen=True, slots=True)
class Spent:
    """A server's usage so far: CPU seconds of its processes, bytes of WAL and of the database; and its connections now."""

    cpu: float
    wal: int
    size: int
    connections: int

    @classmethod
    def by(cls, url: str) -> Self:
        """Query the server, on a connection that is not counted."""
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            row = connection.execute(text(_SPENT)).one()
            return cls(
                _busy(busy(int(row.pid))[0]), int(row.wal), int(row.size), int(row.connections)
            )


_SPENT = """
SELECT pg_backend_pid() AS pid, pg_current_wal_insert_lsn() - '0/0' AS wal,
  pg_database_size(current_database()) AS size,
  (SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()) AS connections
"""


def _busy(postmaster: int) -> float:
    total = 0.0
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent, seconds = busy(int(entry.name))
            except OSError:  # the process has just ended
                continue
            total += seconds if postmaster in {parent, int(entry.name)} else 0.0
    return total
