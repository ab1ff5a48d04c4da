"""What a setting is, and how its value is read: as text, a number, a choice, an address or ids."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bot.domain.language import Language, language_of
from bot.settings.environ import Reader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting: how it is read, and what README and `.env.example` say about it."""

    name: str
    parse: Callable[[Reader, str, str], T]
    """Takes the reader, the name and the default."""
    meaning: str
    """README's words."""
    where: str = ""
    """The comment in `.env.example`, with where to get it; blank if the comment above covers this one too."""
    default: str = ""
    otherwise: str = ""
    """README's words for a default that is not one value."""
    secret: bool = False
    left_empty: bool = False
    """Whether `.env.example` leaves it empty although it has a default."""

    def value(self, read: Reader) -> T:
        """Return what it is set to, or its default; `read` keeps a sentence if the value is wrong."""
        return self.parse(read, self.name, self.default)


def optional(read: Reader, name: str, _: str) -> str | None:
    """Return the text, if it is set."""
    return read.text(name)


def text(read: Reader, name: str, default: str) -> str:
    """Return the text."""
    return read.text(name) or default


def header(read: Reader, name: str, _: str) -> str | None:
    """Return the value of an HTTP header, if it is set."""
    return read.header(name)


def number(
    least: float, most: float, *, whole: bool = False
) -> Callable[[Reader, str, str], float]:
    """Return how a number from `least` to `most` is read."""
    return lambda read, name, default: read.number(name, float(default), least, most, whole=whole)


def choice(*known: str) -> Callable[[Reader, str, str], str]:
    """Return how one of a few words is read."""
    return lambda read, name, default: read.choice(name, *known) or default


def address(instead: str = "") -> Callable[[Reader, str, str], str]:
    """Return how a web address is read; `instead` says what to do with a password in it."""
    return lambda read, name, default: read.url(name, default, instead)


def ids(pattern: re.Pattern[str], example: str) -> Callable[[Reader, str, str], frozenset[str]]:
    """Return how a list of ids is read."""
    return lambda read, name, _: read.ids(name, pattern, example)


def language(read: Reader, name: str, default: str) -> Language:
    """Return a language; a desktop exports LANGUAGE too, for gettext, as in en_US:en."""
    word = read.text(name) or ""
    if ":" in word or "_" in word:
        return language_of(word.partition(":")[0])
    return Language(read.choice(name, *(each.value for each in Language)) or default)
