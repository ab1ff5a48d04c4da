"""A real PostgreSQL that waits for its disk, and what it counts."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import PostgreSQL


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Run a server of its own, which gives up no fsync, for as long as the context is open."""
    # Where another user may enter, since as root the server runs as one.
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        server = PostgreSQL(folder, durable=True)
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder)
