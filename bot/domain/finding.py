"""What a check finds: whether all is well, or what is wrong and how to fix it. Pure."""

from dataclasses import dataclass
from typing import Literal

from bot.domain.problem import Problem

Level = Literal["ok", "warning", "wrong"]


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
