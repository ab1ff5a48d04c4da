"""Which release this is: its version and, where it is known, the commit that it was built from.

The wheel's version has it behind a "+g": `pyproject.toml` has `numbered` called for that, in the clone that is installed.
"""

from importlib.metadata import distributions
from pathlib import Path

from bot import __version__

_HEX = frozenset("0123456789abcdef")
_SHORT = 10  # letters of a commit
_ROOT = Path(__file__).parents[2]
_BEFORE = "+g"


def release(root: Path = _ROOT) -> str:
    """Return the version and the commit, if `root` is a clone or where a wheel was installed that has it."""
    commit = _checked_out(root) or _installed(root)
    return f"{__version__} ({commit})" if commit else __version__


def numbered(root: Path = _ROOT) -> str:
    """Return the version as a wheel that is built in `root` bears it."""
    commit = _checked_out(root)
    return f"{__version__}{_BEFORE}{commit}" if commit else __version__


def _installed(root: Path) -> str:
    found = distributions(name="share-env-bot", path=[str(root)])
    return next((each.version.partition(_BEFORE)[2] for each in found), "")


def _checked_out(root: Path) -> str:
    """Return the beginning of the commit that is checked out; blank where there is no clone, or one written otherwise."""
    try:
        commit = _commit(root / ".git")
    except (OSError, ValueError):
        return ""
    return commit[:_SHORT] if _HEX.issuperset(commit) else ""


def _commit(git: Path) -> str:
    """Return the commit as git writes it: in HEAD itself, in the branch's own file, or among the packed ones."""
    head = (git / "HEAD").read_text(encoding="ascii").strip()
    ref = head.removeprefix("ref: ")
    if ref == head:
        return head
    loose = git / ref
    if loose.is_file():
        return loose.read_text(encoding="ascii").strip()
    packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), "")
