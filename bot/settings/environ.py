"""Read the environment, and a `.env` in the working directory; nothing else reads either."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NoReturn, TypeVar

from dotenv import dotenv_values
from dotenv.parser import Original, parse_stream

T = TypeVar("T")

DOTENV = Path(".env")
"""The file in the working directory."""

_CURLY = re.compile(r"[“”„‘’].*[“”‘’]", re.DOTALL)


def environment() -> dict[str, str]:
    """Return the process's environment on top of the `.env` in the working directory.

    A `.env` that is there and cannot be read, or a line of it, ends the process with a sentence and exit code 2, a
    wrong setup's: a line that is passed over might be the one that says from where people may share.
    """
    try:
        raw = DOTENV.read_bytes() if DOTENV.is_file() else b""
    except OSError as error:
        fix = "Let the bot's user read it, or take it away."
        _end([f".env cannot be read: {error.strerror}. {fix}"])
    if b"\0" in raw:
        _end([".env is in UTF-16. Save it as UTF-8."])
    # A comment in another encoding is no reason to stop.
    text = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    lines = [line for line in parse_stream(StringIO(text)) if line.error or line.key]
    bad = [_number(line.original) for line in lines if line.error or line.value is None]
    if bad:
        _end([f".env, line {number}, is not NAME=value. Correct it." for number in bad])
    curly = [_number(line.original) for line in lines if _CURLY.fullmatch(line.value or "")]
    if curly:
        found = "has curly quotes around the value. Write straight ones, or none."
        _end([f".env, line {number}, {found}" for number in curly])
    file = {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}
    return {**file, **os.environ}


def _number(original: Original) -> int:
    """Return a line's number; blank lines before it belong to it."""
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")


def _end(problems: Sequence[str]) -> NoReturn:
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    raise SystemExit(2)


class Reader:
    """Reads single settings, and keeps a sentence for each that is wrong; none shows what may be a secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def unless_wrong(self, read: Callable[[], T]) -> T | None:
        """Return what `read` reads; None if a sentence was kept meanwhile."""
        before = len(self.problems)
        value = read()
        return value if len(self.problems) == before else None

    def text(self, name: str) -> str | None:
        """Return what `name` is set to; an empty value counts as not set."""
        return self._environ.get(name, "").strip() or None
