"""Read the process's variables, and those of a `.env` in the working directory. No other module reads either."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from dotenv.parser import Binding, Original, parse_stream

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence

T = TypeVar("T")

DOTENV = Path(".env")
"""The `.env` in the working directory."""

OF_GETTEXT = re.compile(r"[:_.]|\A(?:C|POSIX)\Z")
"""What a LANGUAGE has that a machine exports for gettext, as in en_US:en or C; it counts only if `.env` has none."""

_QUOTED = re.compile(r"""["'“”„‘’](.*)["'“”‘’]""", re.DOTALL)
_OPEN = re.compile(r"\s*(?:export\s+)?\w+\s*=\s*(['\"])(?!.*\1)")


class UnreadableError(Exception):
    """Settings cannot be read; `language` is what LANGUAGE says, as far as it could be read."""

    def __init__(self, problems: Iterable[Problem], language: str = "") -> None:
        super().__init__()
        self.problems = [*problems]
        self.language = os.environ.get("LANGUAGE") or language


def variables() -> dict[str, str]:
    """Return the process's environment, with the `.env` in the working directory as its defaults.

    An empty value counts as not set, also below a line with one: `.env.example` has an empty line for most settings.

    Raises UnreadableError for a `.env`, or a line of it, that cannot be read. Such a line is not skipped: it might be the one
    that restricts from where people may share.
    """
    file = _in_dotenv()
    given = {**file, **os.environ}
    if "LANGUAGE" in file and OF_GETTEXT.search(given["LANGUAGE"]):
        given["LANGUAGE"] = file["LANGUAGE"]
    return given


def overridden(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names that have another value in `.env` than in `environ`, which the process's environment made."""
    return frozenset(n for n, value in _in_dotenv().items() if environ.get(n, value) != value)


def fixed(names: Iterable[str]) -> list[str]:
    """Return the names to which the process's environment itself gives a value, which stays until the process ends."""
    return [name for name in names if os.environ.get(name)]


def blamed(problems: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the `names` that the problems mention."""
    words = {word for problem in problems for word in re.findall(r"\w+", problem)}
    return sorted(words & set(names))


def overriding(names: Sequence[str]) -> Problem:
    """Return that the environment overrides what `.env` says of these names."""
    found = Sentence(
        "The environment gives {names} another value than .env, and it counts",
        names=", ".join(names),
    )
    fix = Sentence(
        "Take it out of the environment (unset {names}), or correct it there.",
        names=" ".join(names),
    )
    return Problem(found, fix)


def _in_dotenv() -> dict[str, str]:
    """Return the values in `.env` that are not empty."""
    lines = _dotenv()
    bad = [line for line in lines if line.value is None]
    if bad:
        language = next((line.value for line in lines if line.key == "LANGUAGE" and line.value), "")
        raise UnreadableError(map(_flawed, bad), language)
    text = "".join(line.original.string for line in lines if line.value)
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


def repeated() -> list[str]:
    """Return the names that stand in `.env` again below a line that gives them a value."""
    given, again = set[str](), set[str]()
    for line in _dotenv():
        name = line.key or ""
        again |= given & {name}
        if line.value:
            given.add(name)
    return sorted(again)


def _dotenv() -> list[Binding]:
    """Return the lines of `.env` that are not blank or comments."""
    try:
        raw = DOTENV.read_bytes() if DOTENV.is_file() else b""
    except OSError as error:
        found = Sentence(".env cannot be read: {why}", why=error.strerror)
        fix = Sentence("Let the bot's user read it, or take it away.")
        raise UnreadableError([Problem(found, fix)]) from error
    if b"\0" in raw:
        raise UnreadableError(
            [Problem(Sentence(".env is in UTF-16"), Sentence("Save it as UTF-8."))]
        )
    # Comments may be in another encoding.
    text = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    return [line for line in parse_stream(StringIO(text)) if line.error or line.key]


def _flawed(line: Binding) -> Problem:
    flaw, fix = Sentence("is not NAME=value"), Sentence("Correct it.")
    if _OPEN.match(line.original.string):
        flaw, fix = Sentence("has a quote that does not end"), Sentence("Close it, or write none.")
    number = _number(line.original)
    return Problem(Sentence(".env, line {number}, {flaw}", number=number, flaw=flaw), fix)


def _number(original: Original) -> int:
    """Return a line's number; dotenv counts preceding blank lines as part of a line."""
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")


class Reader:
    """Reads single settings and collects a sentence for each wrong one; no sentence shows a possible secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def wrong(self, found: str, fix: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(found, fix))

    def unless_wrong(self, read: Callable[[], T]) -> T | None:
        """Return what `read` returns; None if it added a problem."""
        before = len(self.problems)
        value = read()
        return value if len(self.problems) == before else None

    def text(self, name: str) -> str | None:
        """Return the value of `name`, without the quotes that a container leaves around it; None if it is empty."""
        value = self._environ.get(name, "").strip()
        quoted = _QUOTED.fullmatch(value)
        return (quoted[1].strip() if quoted else value) or None

    def words(self, name: str) -> list[str]:
        """Return the words in the value of `name`; between them are commas, also Chinese ones, or blanks.

        Commas alone, as of empty variables, count as a word: a list without any would restrict, or encrypt, nothing.
        """
        text = self.text(name) or ""
        return re.sub("[,，、]", " ", text).split() or [text] * bool(text)
