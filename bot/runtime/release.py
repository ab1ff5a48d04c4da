"""The version of this release and, where known, the commit that it was built from.

A wheel has the commit in its version, after "+g": `pyproject.toml` makes the build call `numbered` in the clone.
"""

from importlib.metadata import distributions
from pathlib import Path

from bot import __version__

_HEX = frozenset("0123456789abcdef")
_SHORT = 10  # letters of a commit
_ROOT = Path(__file__).parents[2]
_BEFORE = "+g"


def release(root: Path = _ROOT) -> str:
    """Return the version, with the commit if `root` is a clone or the place of an installed wheel that has one."""
    commit = _checked_out(root) or _installed(root)
    return f"{__version__} ({commit})" if commit else __version__


def numbered(root: Path = _ROOT) -> str:
    """Return the version of a wheel built in `root`."""
    commit = _checked_out(root)
    return f"{__version__}{_BEFORE}{commit}" if commit else __version__


def _installed(root: Path) -> str:
    found = distributions(name="share-env-bot", path=[str(root)])
    return next((each.version.partition(_BEFORE)[2] for each in found), "")


def _checked_out(root: Path) -> str:
    """Return the short hash of the checked-out commit; empty if there is no clone or it cannot be read."""
    try:
        commit = _commit(root / ".git")
    except (OSError, ValueError):
        return ""
    return commit[:_SHORT] if _HEX.issuperset(commit) else ""


def _commit(git: Path) -> str:
    """Return the commit from git's files: HEAD itself, the branch's own file, or packed-refs."""
    if git.is_file():  # of a worktree, or of a submodule: it names the folder
        git = git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text(encoding="ascii").strip()
    ref = head.removeprefix("ref: ")
    if ref == head:
        return head
    if (shared := git / "commondir").is_file():
        git /= shared.read_text(encoding="utf-8").strip()
    loose = git / ref
    if loose.is_file():
        return loose.read_text(encoding="ascii").strip()
    packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), "")
