"""Split text into words as people really paste it. Pure; independent of the command's grammar.

Slack, phones and Chinese input methods insert link markup, curly quotes, full-width letters, long dashes and invisible
characters where plain ones were meant. Quoted text is kept as typed.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

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
_NO_APOSTROPHES = _QUOTES.keys() - {*"'‘’"}
# Not the apostrophe of “don't”, which is no quote in `_split` either.
_QUOTE = re.compile(rf"(?!(?<=[^\W\d_])['‘’][^\W\d_])[{''.join([*_QUOTES, *_QUOTES.values()])}]")
_SPACES = ",;、。`"  # full-width commas and semicolons are plain by then
_LONG_DASHES = "–—―"  # phones and documents make them of two hyphens
_PLAIN_SHORT_DASHES = dict.fromkeys(map(ord, "‐‑‒−"), "-")
_PLAIN_DASHES = _PLAIN_SHORT_DASHES | dict.fromkeys(map(ord, _LONG_DASHES), "-")
_OPTION = re.compile(f"[-{_LONG_DASHES}][^=]*")
_FORMS = ("<wide>", "<narrow>", "<small>", "<noBreak>")  # in Unicode's decompositions
_INVISIBLE = {"Cf", "Cc", "Cs"}  # format and control characters, surrogates
# Drawn as nothing or as a blank by themselves, and so no reason; within a text they may change how a letter or a sign looks.
# Sources: Unicode 16.0, Default_Ignorable_Code_Point in DerivedCoreProperties.txt, besides what is invisible; and the
# object replacement character, a Braille cell, a notehead, and fillers of Khitan and of hieroglyphs.
_DRAWN_AS_NOTHING = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
    r"\ufffc\u2800\U0001d159\U00016fe4\U00013441\U00013442]"
)
# Runs of characters without a special meaning are taken at once, all others one by one.
_PIECE = re.compile(r"[A-Za-z0-9_.=-]+|.", re.DOTALL)
# Bounded, because int() refuses numbers of thousands of digits.
_ENTITY = re.compile(r"&#?\w{1,31};")

# Slack's own markup: <https://a.b|a.b>, <mailto:x|x>, <@U1>, <@U1|name>, <#C1|name>, <!here>.
# Source: docs.slack.dev, "Formatting message text".
_LINK = re.compile(r"<(?:https?://|mailto:|tel:)([^|<>\s]*)(?:\|([^<>]*))?>")
_MENTION = re.compile(r"<([@#!])([^|<>\s]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True)
class Word:
    """One word. A quoted one may contain spaces and is never an option."""

    text: str
    quoted: bool = False


def tokenize(text: str) -> tuple[list[Word], bool]:
    """Return the words of `text`, normalised, and whether all quotes are closed. Never raises.

    The words end before a quote that is not closed.
    """
    return _split(_without_markup(text))


def tokenize_unquoted(text: str) -> list[str]:
    """Return the words of `text` with quotes ignored, to see the words inside an unclosed quote."""
    words, _ = _split(_QUOTE.sub(" ", _without_markup(text)))
    return [word.text for word in words]


def visible(text: str) -> str:
    """Return `text` without invisible characters, of which databases refuse NUL and lone surrogates."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)


def seen(text: str) -> str:
    """Return `text` without invisible characters and the blanks around it; empty if nothing of it can be seen."""
    plain = visible(text).strip()
    return plain if _DRAWN_AS_NOTHING.sub("", plain).strip() else ""


def _without_markup(text: str) -> str:
    if "<" not in text and "&" not in text:
        return text
    plain = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return _MENTION.sub(r"\1\2", _LINK.sub(lambda link: link[2] or link[1], plain))


def _split(plain: str) -> tuple[list[Word], bool]:
    pieces = iter(_PIECE.findall(visible(plain)))
    words: list[Word] = []
    part: str = ""
    for piece in pieces:
        if piece in _NO_APOSTROPHES and _OPTION.fullmatch(part):  # --reason“QA”, without a space
            words += _word(part)
            part = ""
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
        simple = _simple(piece)
        if simple.isspace() or simple in _SPACES:
            words += _word(part)
            part = ""
        else:
            part += simple
    return words + _word(part), True


def _simple(char: str) -> str:
    """Return a full-width character, a small or a non-breaking one, as keyboards have it.

    All others stay: a footnote's mark in `prod-1²` would make it another env, `prod-12`.
    """
    if char.isascii() or not unicodedata.decomposition(char).startswith(_FORMS):
        return char
    return unicodedata.normalize("NFKC", char)


def _word(part: str) -> list[Word]:
    """Return `part` as a word, without the full stop behind it; nothing if it is only dots.

    The dots of `prod-1...` stay: they say that something was cut off.
    """
    if not part.strip(".…"):
        return []
    plain = _plain_dashes(part)
    return [Word(plain if plain.endswith("..") else plain.removesuffix("."))]


def _until(pieces: Iterator[str], closing: str) -> str | None:
    """Consume pieces up to the closing quote and return them; None if it is missing."""
    taken = ""
    for piece in pieces:
        if piece in closing:
            return " ".join(taken.split())
        taken += piece
    return None


def plain_dashes(word: str) -> str:
    """Return `word` with a hyphen in place of each dash."""
    return word if word.isascii() else word.translate(_PLAIN_DASHES)


def _plain_dashes(word: str) -> str:
    """Replace dashes: phones turn `--` into a long one, and copied ids contain non-breaking hyphens.

    A long one inside a name stays: `prod—1` may be `prod--1`, which is another env than `prod-1`.
    """
    if word.isascii():
        return word
    word = word.translate(_PLAIN_SHORT_DASHES)
    if word[0] in _LONG_DASHES:
        word = "--" + word[1:].lstrip("-" + _LONG_DASHES)
    if word[0] == "-":
        option, equals, value = word.partition("=")
        word = plain_dashes(option) + equals + value
    return word
