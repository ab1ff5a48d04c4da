"""Split text as people really paste it into words. Pure; knows nothing of commands.

Slack, phones and Chinese input methods put link markup, curly quotes, full-width letters, long dashes and
invisible characters where a person meant plain ones. Inside quotes everything stays as it was typed.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bot.command.mistake import UnclosedQuote

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
_SPACES = ",;、。`"  # after NFKC, which turns the full-width comma and semicolon into these
_DASHES = "‐‑‒–—―−"

# Slack's own markup: <https://a.b|a.b>, <mailto:x|x>, <@U1>, <@U1|name>, <#C1|name>, <!here>.
# Source: docs.slack.dev, "Formatting message text".
_LINK = re.compile(r"<(?:https?://|mailto:|tel:)([^|<>\s]*)(?:\|([^<>]*))?>")
_MENTION = re.compile(r"<([@#!])([^|<>\s]+)(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True)
class Word:
    """One word; a quoted one may hold spaces and is never an option."""

    text: str
    quoted: bool = False


def words_of(text: str) -> list[Word] | UnclosedQuote:
    """Return the words of `text` with what only looks different made plain; never raises."""
    plain = _MENTION.sub(r"\1\2", _LINK.sub(lambda m: m[2] or m[1], html.unescape(text)))
    visible = iter(
        [c for c in plain if c in "\n\r\t" or unicodedata.category(c) not in {"Cf", "Cc"}]
    )
    words: list[Word] = []
    part: str = ""
    for char in visible:
        if char in _QUOTES and (not part or part.endswith("=")):
            quoted = _until(visible, _QUOTES[char])
            if quoted is None:
                return UnclosedQuote()
            # --reason="two words" is one word; "two words" on its own is marked as quoted.
            words.append(Word(_plain_dashes(part) + quoted, quoted=not part))
            part = ""
            continue
        for simple in unicodedata.normalize("NFKC", char):
            if simple.isspace() or simple in _SPACES:
                words += [Word(_plain_dashes(part))] if part else []
                part = ""
            else:
                part += simple
    words += [Word(_plain_dashes(part))] if part else []
    return words


def _until(chars: Iterator[str], closing: str) -> str | None:
    """Take characters up to a closing quote; None when there is none."""
    taken = ""
    for char in chars:
        if char in closing:
            return " ".join(taken.split())
        taken += char
    return None


def _plain_dashes(word: str) -> str:
    """Undo long dashes: phones turn `--` into one, and copied ids carry non-breaking hyphens."""
    if word and word[0] in "–—―":
        word = "--" + word[1:].lstrip("-" + _DASHES)
    return word.translate(dict.fromkeys(map(ord, _DASHES), "-")).rstrip(".")
