"""Split text into words as people really paste it. Pure; independent of the command's grammar.

Slack, phones and Chinese input methods insert link markup, curly quotes, full-width letters, long dashes and invisible
characters where plain ones were meant. Quoted text is kept as typed.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_QUOTES = {
    '"': '"”“„',
    "“": '”"“',
    "”": '”"“',
    "„": '”“"',
    "＂": "＂",
    "'": "'’‘",
    "‘": "’'‘",
    "’": "’'‘",
    "「": "」",
    "『": "』",
    "«": "»",
}
_NO_QUOTES = {ord(mark): " " for pair in _QUOTES.items() for mark in "".join(pair)}
_SPACES = ",;、。`"  # after NFKC, which maps the full-width comma and semicolon to these
_DASHES = "‐‑‒–—―−"
_PLAIN_DASHES = dict.fromkeys(map(ord, _DASHES), "-")
LONG_DASHES = frozenset("–—―")
"""What phones and documents make of two hyphens."""
_MARKS = ("<super>", "<sub>")  # in Unicode's decompositions
_SIGNS = {"No", "Nl", "So"}  # Unicode's categories of ①, Ⅱ and №
# Runs of characters without a special meaning are taken at once, all others one by one.
_PIECE = re.compile(r"[A-Za-z0-9_.=-]+|.", re.DOTALL)
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9-]*")
# Bounded, because int() refuses numbers of thousands of digits.
_ENTITY = re.compile(r"&#?\w{1,31};")

# Slack's own markup: <https://a.b|a.b>, <mailto:x|x>, <@U1>, <@U1|name>, <#C1|name>, <!here>.
# Source: docs.slack.dev, "Formatting message text".
_LINK = re.compile(r"<(?:https?://|mailto:|tel:)([^|<>\s]*)(?:\|([^<>]*))?>")
_MENTION = re.compile(r"<([@#!])([^|<>\s]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True)
class Word:
    """One word. A quoted one may contain spaces and is never an option.

    `typed` is set if there is a long dash in the word: a hyphen in `text` may have been two.
    """

    text: str
    quoted: bool = False
    typed: str = field(default="", compare=False)


def tokenize(text: str) -> tuple[list[Word], bool]:
    """Return the words of `text`, normalised, and whether all quotes are closed. Never raises.

    The words end before a quote that is not closed.
    """
    return _split(_without_markup(text))


def tokenize_unquoted(text: str) -> list[str]:
    """Return the words of `text` with quotes ignored, to see the words inside an unclosed quote."""
    words, _ = _split(_without_markup(text).translate(_NO_QUOTES))
    return [word.text for word in words]


def unsure_names(words: Iterable[Word]) -> dict[str, str]:
    """Return the names in `words` in which a hyphen may have been two, each with the word as typed."""
    return {
        name: word.typed
        for word in words
        if word.typed
        for name in {*_NAME.findall(word.text)} - {*_NAME.findall(word.typed)}
    }


def visible(text: str) -> str:
    """Return `text` without invisible characters (control and format characters)."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in {"Cf", "Cc"})


def _without_markup(text: str) -> str:
    plain = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _MENTION.sub(r"\1\2", _LINK.sub(lambda link: link[2] or link[1], plain))


def _split(plain: str) -> tuple[list[Word], bool]:
    pieces = iter(_PIECE.findall(visible(plain)))
    words: list[Word] = []
    part: str = ""
    for piece in pieces:
        if piece in _QUOTES and (not part or part.endswith("=")):
            quoted = _until(pieces, _QUOTES[piece])
            if quoted is None:
                return words, False
            # --reason="two words" is one word; a bare "two words" is marked as quoted.
            words.append(Word(_plain_dashes(part) + quoted, quoted=not part))
            part = ""
            continue
        if len(piece) > 1:
            part += piece
            continue
        for simple in _simple(piece):
            if simple.isspace() or simple in _SPACES:
                words += _word(part)
                part = ""
            else:
                part += simple
    return words + _word(part), True


def _simple(char: str) -> str:
    """Return a character as keyboards have it, such as a full-width one.

    A footnote's mark or a sign such as ① stays: `prod-1²` would become another env, `prod-12`.
    """
    is_mark = unicodedata.decomposition(char).startswith(_MARKS)
    stays = is_mark or unicodedata.category(char) in _SIGNS
    return char if stays else unicodedata.normalize("NFKC", char)


def _word(part: str) -> list[Word]:
    """Return `part` as a word; nothing if only full stops are left of it."""
    plain = _plain_dashes(part)
    unsure = not part.isascii() and LONG_DASHES.intersection(part)
    return [Word(plain, typed=part if unsure else "")] if plain else []


def _until(pieces: Iterator[str], closing: str) -> str | None:
    """Consume pieces up to the closing quote and return them; None if it is missing."""
    taken = ""
    for piece in pieces:
        if piece in closing:
            return " ".join(taken.split())
        taken += piece
    return None


def _plain_dashes(word: str) -> str:
    """Replace long dashes: phones turn `--` into one, and copied ids contain non-breaking hyphens."""
    if word and word[0] in "–—―":
        word = "--" + word[1:].lstrip("-" + _DASHES)
    return word.translate(_PLAIN_DASHES).rstrip(".")
