"""A sentence about what is wrong, which still knows where the fix in it begins. Pure."""

from typing import Self


class Problem(str):
    """A sentence about what is wrong, then its fix; what is wrong may name a path or a rule, and so hold any words."""

    __slots__ = ("fix", "found")

    found: str
    fix: str

    def __new__(cls, found: str, fix: str = "") -> Self:
        """Return the sentence of what was `found`, without a full stop, and of the `fix`, with one."""
        self = super().__new__(cls, f"{found}. {fix}".rstrip())
        self.found, self.fix = found, fix
        return self

    def at(self, place: str) -> "Problem":
        """Return the same, with its place before it."""
        return Problem(f"{place}: {self.found}", self.fix)
