"""A setting, and the parsers for its value: text, a secret, a number, a choice, a URL, ids, keys."""

import re
import sys
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from ipaddress import ip_address
from typing import ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from bot.domain.language import SPOKEN, Language
from bot.settings.environ import OF_GETTEXT, Reader
from bot.settings.pasted import described, is_astray, is_word, kind_of, may_be_shown

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Parser = Callable[[Reader, str, str], T]
"""Returns the value; called with the reader, the setting's name and its default."""

_FERNET_KEY = re.compile(r"[A-Za-z0-9+/_-]{43}=")  # 32 bytes in Base64


@dataclass(frozen=True, slots=True)
class Setting(Generic[T_co]):
    """One setting: its parser, and what the README and `.env.example` say about it."""

    parse: Parser[T_co]
    meaning: str
    where: str = ""
    """What only `.env.example` says: where to get the value, and details."""
    _: KW_ONLY
    default: str = ""
    otherwise: str = ""
    """The README's text for a default that is not a single value."""
    left_empty: bool = False
    """Whether `.env.example` leaves it empty although it has a default."""
    section: str = ""
    """The heading in `.env.example`, for the first setting under it."""
    name: str = field(init=False)
    secret: ClassVar = False

    def __set_name__(self, _: type, name: str) -> None:
        """Take the name under which the setting stands in the table."""
        object.__setattr__(self, "name", name)

    def value(self, read: Reader) -> T_co:
        """Return the value or the default; `read` collects a sentence if the value is wrong."""
        return self.parse(read, self.name, self.default)


class Secret(Setting[T_co]):
    """A setting whose value nobody may see."""

    __slots__ = ()
    secret = True


def text(read: Reader, name: str, default: str) -> str:
    """Return the text."""
    return read.text(name) or default


def a_word(
    fix: str, fits: Callable[[str], object] | None = None, found: str = ""
) -> Parser[str | None]:
    """Return a parser for one word that `fits`, else for one that does not seem to belong to another setting.

    Without a `found`, what was pasted in its place is named, not shown.
    """

    def parse(read: Reader, name: str, _: str) -> str | None:
        word = read.text(name)
        if word and not (is_word(word) and (fits(word) if fits else not is_astray(word, name))):
            read.wrong(f"{name} {found or f'holds {kind_of(word)}'}", fix)
        return word

    return parse


def header(read: Reader, name: str, _: str) -> str | None:
    """Return the value of an HTTP header, or None: printable ASCII and spaces."""
    word = read.text(name)
    if word and not (word.isascii() and word.isprintable()):
        fix = "Copy it again, as one line of plain letters."
        read.wrong(f"{name} holds characters that no header may have", fix)
    return word


def number(least: float, most: float, *, whole: bool = False) -> Parser[float]:
    """Return a parser for numbers from `least` to `most`."""
    fix = f"Set it to {'a whole number' if whole else 'a number'} from {least} to {most}."

    def parse(read: Reader, name: str, default: str) -> float:
        word = read.text(name) or default
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if least <= value <= most and (value.is_integer() or not whole):
            return value
        read.wrong(f"{name} {described(word)}", fix)
        return float(default)

    return parse


def choice(*known: str) -> Parser[str]:
    """Return a parser for one of a few words, in any case."""
    words = {word.lower(): word for word in known}

    def parse(read: Reader, name: str, default: str) -> str:
        word = read.text(name) or ""
        if word and word.lower() not in words:
            read.wrong(f"{name} {described(word)}", f"Set it to one of {', '.join(known)}.")
        return words.get(word.lower(), default)

    return parse


def address(instead: str = "") -> Parser[str]:
    """Return a parser for URLs; only a loopback host may be plain http.

    A password in the URL is refused, since the URL is shown in several places; `instead` says where it belongs.
    """

    def parse(read: Reader, name: str, default: str) -> str:
        word = read.text(name) or default
        scheme, host = _scheme_and_host(word)
        if not is_word(word):
            read.wrong(f"{name} holds {kind_of(word)}", "Set it to the address alone.")
        elif word and (scheme not in {"http", "https"} or not host):
            read.wrong(f"{name} is not a web address", "Set it to one that begins with https://.")
        elif "@" in urlsplit(word).netloc:
            fix = f"Take it out of the address{instead}."
            read.wrong(f"{name} holds a user or a password", fix)
        elif scheme == "http" and not _is_loopback(host):
            found = f"{name} begins with http://, which would send tokens unprotected"
            read.wrong(found, "Use https://.")
        elif default and re.search("[?#]", word):  # paths are put behind it
            found = f"{name} is the address of a single call"
            read.wrong(found, f"Set it to one such as {default}.")
        return word

    return parse


def database(read: Reader, name: str, default: str) -> str:
    """Return a database's URL; a comment behind it, which env files of containers keep, would be in SQLite's file name."""
    word = read.text(name) or default
    if re.match(r"sqlite.*\s#", word):
        read.wrong(f"{name} has a comment behind it", "Put the comment on a line of its own.")
    return word


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Return the scheme and the host; empty strings if the host or the port is invalid."""
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


def ids(pattern: re.Pattern[str], example: str) -> Parser[frozenset[str]]:
    """Return a parser for a list of ids separated by commas or spaces."""
    fix = f"Use ids such as {example}, separated by commas."

    def parse(read: Reader, name: str, _: str) -> frozenset[str]:
        words = frozenset(read.words(name))
        for word in sorted(words):
            if not pattern.fullmatch(word):
                wrong = (
                    f": “{word}” is not an id" if may_be_shown(word) else f" holds {kind_of(word)}"
                )
                read.wrong(f"{name}{wrong}", fix)
        return words

    return parse


def fernet_keys(read: Reader, name: str, _: str) -> tuple[str, ...]:
    """Return a list of Fernet keys separated by commas or spaces."""
    keys = tuple(read.words(name))
    for at, key in enumerate(keys, 1):
        if not _FERNET_KEY.fullmatch(key):
            which = f" (number {at})" if len(keys) > 1 else ""
            make = "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"
            fix = f"Make one with: {sys.executable} -c '{make}'"
            read.wrong(f"{name}{which} is no Fernet key", fix)
    return keys


_LANGUAGE = choice(*(each.value for each in Language))


def language(read: Reader, name: str, default: str) -> Language:
    """Return a language; machines also export LANGUAGE for gettext, as in en_US:en or C."""
    word = read.text(name) or ""
    if OF_GETTEXT.search(word):
        spoken = re.split("[:_.-]", word.lower())[0]
        return SPOKEN.get(spoken, Language.ENGLISH)
    return Language(_LANGUAGE(read, name, default))
