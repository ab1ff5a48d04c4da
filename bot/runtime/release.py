"""Which release this is: its version and, where it runs in a clone, the commit."""

from pathlib import Path

from bot import __version__

_HEX = frozenset("0123456789abcdef")
_SHORT = 10  # letters of a commit
_ROOT = Path(__file__).parents[2]


def release(root: Path = _ROOT) -> str:
    """Return the version and, if `root` is a clone, the commit that is checked out there."""
    try:
        commit = _commit(root / ".git")
    except (OSError, ValueError):  # no clone, or written otherwise
        commit = ""
    known = commit and _HEX.issuperset(commit)
    return f"{__version__} ({commit[:_SHORT]})" if known else __version__


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
