"""What is wrong and how to fix it, as one sentence or as what a check found. Pure."""

from dataclasses import dataclass
from typing import Literal, Self

Level = Literal["ok", "warning", "wrong"]

SET_THE_CLOCK = "Set the clock, and let NTP keep it (timedatectl set-ntp true)."


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


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, with a fix if there is something to fix; `name` is that of the check."""

    name: str
    level: Level
    found: str
    fix: str | None = None
    causes: tuple[str, ...] = ()
    """The checks whose findings, if they are not ok, explain this one; it is then printed with theirs."""
    checked: bool = True
    unreached: str = ""
    """The server that cannot be reached, if so; equal findings about several servers are printed as one."""

    @property
    def told(self) -> str:
        """What was found, and of which server."""
        way = f"{self.unreached} cannot be reached: {self.found}"
        return way if self.unreached else self.found


def ok(name: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, fix: str, *causes: str) -> Finding:
    """Return a finding that does not stop the bot from working."""
    return Finding(name, "warning", found, fix, causes)


def wrong(name: str, found: str, fix: str, *causes: str) -> Finding:
    """Return a finding that stops the bot from working."""
    return Finding(name, "wrong", found, fix, causes)


def unchecked(name: str, why: str, *causes: str) -> Finding:
    """Return that a check could not be made."""
    found, fix = f"not checked: {why}", "Run the doctor again."
    return Finding(name, "warning", found, fix, causes, checked=False)


def wrong_by(name: str, sentence: str) -> Finding:
    """Turn a sentence of the bot into a finding; a Problem has its parts, other text is split."""
    if isinstance(sentence, Problem):
        return Finding(name, "wrong", sentence.found, sentence.fix or None)
    found, _, fix = sentence.partition(". ")
    return Finding(name, "wrong", found.removesuffix("."), fix or None)
