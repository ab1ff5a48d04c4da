"""What is wrong and how to fix it, as one sentence or as what a check found. Pure."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from bot.domain.sentence import Sentence

Level = Literal["ok", "warning", "wrong"]

WITH_FIX: Final = Sentence("{found}. {fix}")
ALONE: Final = Sentence("{found}.")
SET_THE_CLOCK = Sentence("Set the clock, and let NTP keep it (timedatectl set-ntp true).")


def at(place: str, found: str) -> Sentence:
    """Return what was found, with its place in front."""
    return Sentence("{place}: {found}", place=place, found=found)


class Problem(Sentence):
    """What is wrong, then its fix; `found` may quote a path or a rule, so the parts cannot be split from the text."""

    __slots__ = ("fix", "found")

    found: str
    fix: str

    def __new__(cls, found: str, fix: str = "") -> Self:
        """Join what was `found`, without a full stop, and the `fix`, with one."""
        if not isinstance(found, Sentence):  # it has no translation, so the whole stays English
            self = super().__new__(cls, f"{found}. {fix}".rstrip())
        elif fix:
            self = super().__new__(cls, WITH_FIX, found=found, fix=fix)
        else:
            self = super().__new__(cls, ALONE, found=found)
        self.found, self.fix = found, fix
        return self

    def at(self, place: str) -> "Problem":
        """Return the same problem with its place in front."""
        return Problem(at(place, self.found), self.fix)


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
        if not self.unreached:
            return self.found
        return Sentence(
            "{server} cannot be reached: {found}", server=self.unreached, found=self.found
        )


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
    found, fix = Sentence("not checked: {why}", why=why), Sentence("Run the doctor again.")
    return Finding(name, "warning", found, fix, causes, checked=False)


def wrong_by(name: str, sentence: str) -> Finding:
    """Turn a sentence of the bot into a finding; a Problem has its parts, other text is split."""
    if isinstance(sentence, Problem):
        return Finding(name, "wrong", sentence.found, sentence.fix or None)
    found, _, fix = sentence.partition(". ")
    return Finding(name, "wrong", found.removesuffix("."), fix or None)
