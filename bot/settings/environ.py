"""Read the environment, and a `.env` in the working directory. No other module reads either."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import NoReturn, TypeVar

from dotenv import dotenv_values
from dotenv.parser import Binding, Original, parse_stream

from bot.domain.finding import Problem

T = TypeVar("T")

DOTENV = Path(".env")
"""The `.env` in the working directory."""

_QUOTED = re.compile(r"""["'“”„‘’](.*)["'“”‘’]""", re.DOTALL)
_OPEN = re.compile(r"\s*(?:export\s+)?\w+\s*=\s*(['\"])(?!.*\1)")


def environment() -> dict[str, str]:
    """Return the process's environment, with the `.env` in the working directory as its defaults.

    An empty value counts as not set, also below a line with one: `.env.example` has an empty line for most settings.

    A `.env`, or a line of it, that cannot be read ends the process with a sentence and exit code 2, as for a wrong setting.
    Such a line is not skipped: it might be the one that restricts from where people may share.
    """
    lines = _dotenv()
    bad = [line for line in lines if line.value is None]
    if bad:
        _end(f".env, line {_number(line.original)}, {_flaw(line)}" for line in bad)
    text = "".join(line.original.string for line in lines if line.value)
    file = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}
    return {**file, **os.environ}


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
        fix = "Let the bot's user read it, or take it away."
        _end([f".env cannot be read: {error.strerror}. {fix}"])
    if b"\0" in raw:
        _end([".env is in UTF-16. Save it as UTF-8."])
    # Comments may be in another encoding.
    text = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    return [line for line in parse_stream(StringIO(text)) if line.error or line.key]


def _flaw(line: Binding) -> str:
    if _OPEN.match(line.original.string):
        return "has a quote that does not end. Close it, or write none."
    return "is not NAME=value. Correct it."


def _number(original: Original) -> int:
    """Return a line's number; dotenv counts preceding blank lines as part of a line."""
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")


def _end(problems: Iterable[str]) -> NoReturn:
    with suppress(OSError):  # if nothing can be written there, the exit code still says it
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
    raise SystemExit(2)


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
