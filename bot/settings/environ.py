"""Read the environment, and a `.env` in the working directory, value by value; nothing else reads either."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dotenv import dotenv_values
from dotenv.parser import Original, parse_stream

from bot.domain.problem import Problem
from bot.settings.pasted import kind_of, may_be_shown, told

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

    def text(self, name: str) -> str | None:
        """Return what `name` is set to; an empty value counts as not set."""
        return self._environ.get(name, "").strip() or None

    def header(self, name: str) -> str | None:
        """Return the value of an HTTP header: letters, digits and signs of ASCII, and blanks."""
        word = self.text(name)
        if word and not (word.isascii() and word.isprintable()):
            self.problems.append(
                f"{name} holds characters that no header may have. Copy it again, as one line of plain letters."
            )
        return word

    def number(
        self, name: str, default: float, least: float, most: float, *, whole: bool = False
    ) -> float:
        """Return the number that `name` is set to, from `least` to `most`."""
        word = self.text(name) or str(default)
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        good = least <= value <= most and (value.is_integer() or not whole)
        if not good:
            kind = "a whole number" if whole else "a number"
            fix = f"Set it to {kind} from {least} to {most}."
            self.problems.append(Problem(f"{name} {told(word)}", fix))
        return value if good else default

    def choice(self, name: str, *known: str) -> str | None:
        """Return which of `known` the setting `name` is, whatever its case."""
        word = self.text(name)
        found = next((choice for choice in known if word and choice.lower() == word.lower()), None)
        if word and not found:
            fix = f"Set it to one of {', '.join(known)}."
            self.problems.append(Problem(f"{name} {told(word)}", fix))
        return found

    def url(self, name: str, default: str = "", instead: str = "") -> str:
        """Return a web address; only one on this machine may be unprotected.

        None may hold a password, which would show wherever the address does; `instead` says what to do with it.
        """
        word = self.text(name) or default
        scheme, host = _scheme_and_host(word)
        if word and (scheme not in {"http", "https"} or not host):
            self.problems.append(
                f"{name} is not a web address. Set it to one that begins with https://."
            )
        elif "@" in urlsplit(word).netloc:
            self.problems.append(
                f"{name} holds a user or a password. Take it out of the address{instead}."
            )
        elif scheme == "http" and not _is_loopback(host):
            self.problems.append(
                f"{name} begins with http://, which would send tokens unprotected. Use https://."
            )
        return word

    def ids(self, name: str, pattern: re.Pattern[str], example: str) -> frozenset[str]:
        """Return the ids in a list that is separated by commas or blanks."""
        words = frozenset((self.text(name) or "").replace(",", " ").split())
        for word in sorted(words):
            if not pattern.fullmatch(word):
                wrong = (
                    f": “{word}” is not an id" if may_be_shown(word) else f" holds {kind_of(word)}"
                )
                fix = f"Use ids such as {example}, separated by commas."
                self.problems.append(Problem(f"{name}{wrong}", fix))
        return words


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Return the two, or blanks when the host or the port cannot be one."""
    try:
        parts = urlsplit(url)
        possible = parts.port != 0
    except ValueError:
        possible = False
    return (parts.scheme, parts.hostname or "") if possible else ("", "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
