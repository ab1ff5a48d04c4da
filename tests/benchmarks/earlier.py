"""The sources of an earlier version of the bot, to measure it in the same run."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.processes import ROOT
from tests.benchmarks.standins import WrongResultError

_LOCK = ".requirements.run.lock"
_PIP = (
    *(sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "--only-binary", ":all:"),
    "--target",
)


@contextmanager
def sources_of(commit: str | None) -> Iterator[Path | None]:
    """Extract a commit's sources, with the packages of its own lock, while the context is open; None for no commit."""
    if commit is None:
        yield None
        return
    with TemporaryDirectory() as folder:
        git = "git", "-C", str(ROOT), "archive", commit, "bot", _LOCK
        archived = subprocess.run(git, capture_output=True, check=False)
        if archived.returncode:
            raise WrongResultError(archived.stderr.decode(errors="replace").strip())
        with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as packed:
            packed.extractall(folder, filter="data")
        installed = subprocess.run((*_PIP, folder, "-r", Path(folder, _LOCK)), check=False)
        if installed.returncode:
            raise WrongResultError(f"The packages of {commit} cannot be installed.")
        yield Path(folder)
