"""A sentence that says what is wrong and how to fix it, with the two parts kept separately. Pure."""

from typing import Self


class Problem(str):
    """What is wrong, then its fix; `found` may quote a path or a rule, so the parts cannot be split from the text."""

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
