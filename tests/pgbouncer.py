"""PgBouncer in front of a real PostgreSQL."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from bot.ledger.engine import POSTGRESQL
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


def _folder_of(url: str) -> Path:
    """Return the folder of the server's socket."""
    return Path(str(make_url(url).query["host"]))


def _through(url: str, folder: Path) -> str:
    """Return the URL of the same database through a socket in another folder."""
    other = make_url(url).update_query_dict({"host": str(folder)})
    return other.render_as_string(hide_password=False)


@contextmanager
def pgbouncer(url: str, size: int) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer, in transaction mode with `size` connections.

    The timeouts that PgBouncer does not pass on are set in the database. Raises RuntimeError if PgBouncer is missing or does
    not start.
    """
    server, program = _folder_of(url), shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/bin")
    if program is None:
        raise RuntimeError("There is no PgBouncer: apt-get install pgbouncer.")
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
                yield _through(url, folder)
            finally:
                process.send_signal(signal.SIGQUIT)  # on SIGTERM it waits for its clients


def _wait_until_up(process: subprocess.Popen[str]) -> None:
    """Wait until PgBouncer listens; raises RuntimeError if it does not."""
    lines = list[str]()
    for line in process.stderr or ():
        lines.append(line)
        if "process up" in line:
            return
    raise RuntimeError(f"PgBouncer does not start:\n{''.join(lines)}")
