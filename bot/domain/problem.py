"""A sentence that says what is wrong and how to fix it, and keeps the two apart. Pure."""

from typing import Self


class Problem(str):
    """What is wrong, then its fix; what is wrong may name a path or a rule, and so contain any text."""

    __slots__ = ("fix", "found")

    found: str
    fix: str

    def __new__(cls, found: str, fix: str = "") -> Self:
        """Join what was `found`, without a full stop, and the `fix`, with one."""
        self = super().__new__(cls, f"{found}. {fix}".rstrip())
        self.found, self.fix = found, fix
        return self

    def at(self, place: str) -> "Problem":
        """Return the same problem with its place in front."""
        return Problem(f"{place}: {self.found}", self.fix)
