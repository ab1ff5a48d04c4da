"""DATABASE_URL: parsed and checked, and the file of a SQLite database."""

import os
import sys
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError


class CannotOpenError(Exception):
    """The database cannot be used; the text is a sentence with the fix.

    `transient` if a later try may succeed without a change of the settings.
    """

    def __init__(self, sentence: str, *, transient: bool = False) -> None:
        super().__init__(sentence)
        self.transient = transient


def parse(url: str) -> URL:
    """Return the parsed URL of a database; raises CannotOpenError."""
    if url.startswith("postgres") and url.count("@") > 1:
        # The driver would take the rest of the password for the host's name, and show it in its error.
        raise CannotOpenError(
            "DATABASE_URL has more than one @. Write %40 for the @ in the password, and keep the one before the host."
        )
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        raise CannotOpenError(
            "DATABASE_URL is not a database's address. Use sqlite:///share-env.db or postgresql+psycopg://…"
        ) from error
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise CannotOpenError(
            "DATABASE_URL names another database than SQLite or PostgreSQL. "
            "Use sqlite:///share-env.db or postgresql+psycopg://…"
        )
    if parsed.drivername == "sqlite" and parsed.host:
        file = "/".join(filter(None, (parsed.host, parsed.database)))
        raise CannotOpenError(
            f"DATABASE_URL has two slashes before {file}, where a file needs three. "
            f"Set DATABASE_URL to sqlite:///{file}."
        )
    if parsed.drivername == "postgresql+psycopg":
        _load_driver()
    return parsed


def _load_driver() -> None:
    try:
        import psycopg  # noqa: F401, PLC0415  # an extra, and only PostgreSQL needs it
    except ImportError as error:  # not installed, or without libpq
        raise CannotOpenError(
            "DATABASE_URL names PostgreSQL, whose driver is not installed. "
            f'Run {sys.executable} -m pip install "share-env-bot[postgres]".'
        ) from error


def in_memory(url: URL) -> tuple[str, str] | None:
    """Return the warning that the database is in memory, and the fix; None for any other database."""
    if url.get_backend_name() != "sqlite" or file_of(url):
        return None
    fix = "Name a file in DATABASE_URL, such as sqlite:///share-env.db."
    return "it is in memory, and lost at each stop", fix


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for PostgreSQL and for one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    # Not `Path.resolve`, which raises RuntimeError for a loop of symbolic links.
    return Path(os.path.realpath(url.database or ""))


def how_to_restore(path: Path) -> str:
    """Return how to restore a backup; SQLite would replay the old -wal into it, and damage it."""
    return f"delete {path}-wal and {path}-shm and put a backup of the ledger at {path}"
