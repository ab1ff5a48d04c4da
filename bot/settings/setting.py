"""A setting, and the parsers for its value: text, a secret, a number, a choice, a URL, ids, keys."""

import base64
import binascii
import re
import sys
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from ipaddress import ip_address
from typing import ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from bot.domain.language import Language, spoken
from bot.domain.sentence import Sentence
from bot.settings.environ import OF_GETTEXT, Reader
from bot.settings.pasted import described, is_astray, is_word, kind_of, may_be_shown

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Parser = Callable[[Reader, str, str], T]
"""Returns the value; called with the reader, the setting's name and its default."""

_WEBHOOK, _WEBHOOK_BYTES = "whsec_", range(24, 65)
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
    filed: bool = False
    """Whether it may be read from a file too, as each secret may: it can hold a password."""
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
            read.wrong(_about(name, found or Sentence("holds {kind}", kind=kind_of(word))), fix)
        return word

    return parse


def header(read: Reader, name: str, _: str) -> str | None:
    """Return the value of an HTTP header, or None: printable ASCII and spaces."""
    word = read.text(name)
    if word and not (word.isascii() and word.isprintable()):
        fix = Sentence("Copy it again, as one line of plain letters.")
        read.wrong(Sentence("{name} holds characters that no header may have", name=name), fix)
    return word


def webhook_secret(read: Reader, name: str, _: str) -> bytes | None:
    """Return the key in a secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in Base64."""
    word = read.text(name)
    if not word:
        return None
    try:
        key = base64.b64decode(word.removeprefix(_WEBHOOK), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not word.startswith(_WEBHOOK) or len(key) not in _WEBHOOK_BYTES:
        fix = Sentence("Make one with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\"")
        read.wrong(Sentence("{name} is not whsec_ and 24 to 64 bytes in Base64", name=name), fix)
        return None
    return key


def number(least: float, most: float, *, whole: bool = False) -> Parser[float]:
    """Return a parser for numbers from `least` to `most`."""
    fix = (
        Sentence("Set it to a whole number from {least} to {most}.", least=least, most=most)
        if whole
        else Sentence("Set it to a number from {least} to {most}.", least=least, most=most)
    )

    def parse(read: Reader, name: str, default: str) -> float:
        word = read.text(name) or default
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if least <= value <= most and (value.is_integer() or not whole):
            return value
        read.wrong(_about(name, described(word)), fix)
        return float(default)

    return parse


def optional(parser: Parser[float]) -> Parser[int | None]:
    """Return a parser for a whole number, or for nothing."""

    def parse(read: Reader, name: str, default: str) -> int | None:
        return int(parser(read, name, default)) if read.text(name) else None

    return parse


def _about(name: str, predicate: str) -> Sentence:
    return Sentence("{name} {predicate}", name=name, predicate=predicate)


def choice(*known: str, also: Callable[[Sentence], str] = lambda fix: fix) -> Parser[str]:
    """Return a parser for one of a few words, in any case; `also` completes the fix."""
    words = {word.lower(): word for word in known}

    def parse(read: Reader, name: str, default: str) -> str:
        word = read.text(name) or ""
        if word and word.lower() not in words:
            fix = Sentence("Set it to one of {names}.", names=", ".join(known))
            read.wrong(_about(name, described(word)), also(fix))
        return words.get(word.lower(), default)

    return parse


def address(instead: str = Sentence("Take it out of the address.")) -> Parser[str]:
    """Return a parser for URLs; only a loopback host may be plain http.

    A password in the URL is refused, since the URL is shown in several places; `instead` is the fix.
    """

    def parse(read: Reader, name: str, default: str) -> str:
        word = read.text(name) or default
        scheme, host = _scheme_and_host(word)
        if not is_word(word):
            holds = Sentence("holds {kind}", kind=kind_of(word))
            read.wrong(_about(name, holds), Sentence("Set it to the address alone."))
        elif word and (scheme not in {"http", "https"} or not host):
            read.wrong(
                Sentence("{name} is not a web address", name=name),
                Sentence("Set it to one that begins with https://."),
            )
        elif "@" in urlsplit(word).netloc:
            read.wrong(Sentence("{name} holds a user or a password", name=name), instead)
        elif scheme == "http" and not _is_loopback(host):
            found = Sentence(
                "{name} begins with http://, which would send tokens unprotected", name=name
            )
            read.wrong(found, Sentence("Use https://."))
        elif default and re.search("[?#]", word):  # paths are put behind it
            found = Sentence("{name} is the address of a single call", name=name)
            read.wrong(found, Sentence("Set it to one such as {default}.", default=default))
        return word

    return parse


def database(read: Reader, name: str, default: str) -> str:
    """Return a database's URL; a comment behind it, which env files of containers keep, would be in SQLite's file name."""
    word = read.text(name) or default
    if re.match(r"sqlite.*\s#", word):
        read.wrong(
            Sentence("{name} has a comment behind it", name=name),
            Sentence("Put the comment on a line of its own."),
        )
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
    fix = Sentence("Use ids such as {example}, separated by commas.", example=example)

    def parse(read: Reader, name: str, _: str) -> frozenset[str]:
        words = frozenset(read.words(name))
        for word in sorted(words):
            if not pattern.fullmatch(word):
                wrong = (
                    Sentence("{name}: “{word}” is not an id", name=name, word=word)
                    if may_be_shown(word)
                    else _about(name, Sentence("holds {kind}", kind=kind_of(word)))
                )
                read.wrong(wrong, fix)
        return words

    return parse


def fernet_keys(read: Reader, name: str, _: str) -> tuple[str, ...]:
    """Return a list of Fernet keys separated by commas or spaces."""
    keys = tuple(read.words(name))
    for at, key in enumerate(keys, 1):
        if not _FERNET_KEY.fullmatch(key):
            which = Sentence(" (number {at})", at=at) if len(keys) > 1 else ""
            make = "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"
            fix = Sentence("Make one with: {command}", command=f"{sys.executable} -c '{make}'")
            read.wrong(Sentence("{name}{which} is no Fernet key", name=name, which=which), fix)
    return keys


def _in_both(fix: Sentence) -> str:
    """Return a fix that whoever sets LANGUAGE wrongly can read, in whatever language they do."""
    return f"{fix} 请设为 {' 或 '.join(each.value for each in Language)}。"


_LANGUAGE = choice(*(each.value for each in Language), also=_in_both)


def language(read: Reader, name: str, default: str) -> Language:
    """Return a language; machines also export LANGUAGE for gettext, as in en_US:en or C."""
    word = read.text(name) or ""
    if OF_GETTEXT.search(word):
        return spoken(word)
    return Language(_LANGUAGE(read, name, default))
