"""Who may read the ledger's files: nobody but their owner, whatever the umask.

SQLite gives the files that it makes beside a database the rights of that, see sqlite.org/src, findCreateFileMode.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

_OWNERS = 0o600
_OTHERS = 0o077


def make(path: Path) -> None:
    """Make a file unless it is there; raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS))
        path.chmod(_OWNERS)  # a umask may have taken even that


def close_to_others(*paths: Path) -> None:
    """Take all rights from others; a file that is not there, or is somebody else's, stays as it is."""
    for path in paths:
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)


def beside(path: Path) -> list[Path]:
    """Return the files that SQLite has beside a database."""
    return [Path(f"{path}-wal"), Path(f"{path}-shm")]
