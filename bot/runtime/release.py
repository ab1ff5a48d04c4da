"""The version of this release and, where known, the commit that it was built from."""

import os
import subprocess
from pathlib import Path

from bot import __version__

BUILT_FROM = "bot/commit.txt"
"""Where a wheel has its commit; `bot/ops/build_hook.py` writes it."""
_ROOT = Path(__file__).parents[2]
_LONGEST = 2  # seconds that git may take


def release(root: Path = _ROOT) -> str:
    """Return the version, with the commit if `root` is a clone or the place of an installed wheel that has one."""
    written = root / BUILT_FROM
    commit = written.read_text(encoding="ascii") if written.exists() else checked_out(root)
    return f"{__version__} ({commit})" if commit else __version__


def checked_out(root: Path) -> str:
    """Return the short hash of the checked-out commit; empty if there is no clone, or git does not say."""
    # Else git looks for a clone around it too, and takes one that its variables name, as they do in its hooks.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ("git", f"--git-dir={root / '.git'}", "rev-parse", "--short=10", "HEAD")
    try:
        said = subprocess.run(  # noqa: S603  # this very command
            command, check=True, capture_output=True, text=True, timeout=_LONGEST, env=environ
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.strip()
