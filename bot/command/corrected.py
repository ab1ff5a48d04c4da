"""Make one corrected line out of words that are wrong, and guess what a word was meant to be. Pure."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.command.kinds import is_appid, is_env, is_placeholder
from bot.command.mistake import AppidFault

SLASH_COMMAND = "/share-env"
FIRST_WORDS = ("help", "whoami", "why", "history")
OPTIONS = ("--reason", "--dry-run", "--again")
FLAGS = ("--dry-run", "--again")
REASON_LIMIT = 300

BLANK_APPID, BLANK_ENV, BLANK_REASON = "<appid>", "<env>", "why it is needed"
_SHORTEST_START = 3


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a command, as far as they have been read."""

    reason: str | None = None
    dry_run: bool = False
    again: bool = False

    def given(self) -> tuple[str, ...]:
        """Return the names of those that were given."""
        flags = ("--dry-run",) * self.dry_run + ("--again",) * self.again
        return ("--reason",) * (self.reason is not None) + flags


_NO_OPTIONS = Options()


def line(words: Sequence[str], options: Options = _NO_OPTIONS) -> str:
    """Return a whole line to copy, made of the first word, appid and env among `words`, else of blanks.

    What was to be a question or a dry run stays one, wherever it says so; `--again` stays too.
    """
    verb = next((word.lower() for word in words[:1] if word.lower() in FIRST_WORDS), "")
    if verb in {"help", "whoami"}:
        return f"{SLASH_COMMAND} {verb}"
    if verb == "history":
        appid, env = _pair_among([word for word in words if word.lower() != verb])
        return f"{SLASH_COMMAND} {verb} {appid or env or ''}".rstrip()
    appid, env = _pair_among(words[bool(verb) :])
    parts = [SLASH_COMMAND, verb, appid or BLANK_APPID, env or BLANK_ENV]
    if options.reason is not None and not verb:
        quiet = options.reason.translate({ord(quote): "'" for quote in '"“”„'})
        if len(quiet) > REASON_LIMIT:
            quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
        parts.append(f'--reason "{quiet}"')
    asked = [flag for flag in FLAGS if flag in options.given() or flag in words]
    parts += [] if verb else asked
    return " ".join(part for part in parts if part)


def _pair_among(words: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the likeliest appid and env among `words`."""
    # What stands behind --reason, however that is spelt, is no env; brackets and stars are no part of one.
    kept = [word for before, word in pairwise(["", *words]) if not before.startswith("--r")]
    bare = [word if is_placeholder(word) else word.strip("<>()[]*_~") for word in kept]
    at = next((i for i, word in enumerate(bare) if is_appid(word.lower())), len(bare))
    appid = bare[at].lower() if bare[at:] else None
    likely = bare[at + 1 :] + bare[:at]
    return appid, next((w for w in likely if is_env(w) and not meant_as_appid(w)), None)


def meant_as_appid(word: str) -> bool:
    """Tell whether `word` is likelier a damaged appid than an env, which has a dash as a rule."""
    return word.lower() in {"appid", BLANK_APPID} or re.match(r"(?i)wx[^-]{10}", word) is not None


def fault_of(word: str) -> AppidFault:
    """Return what keeps `word` from being an appid."""
    if word.lower() in {"appid", BLANK_APPID} or is_placeholder(word):
        return AppidFault.BLANK
    if is_appid(word.lower()):
        return AppidFault.CASE
    if not word.lower().startswith("wx"):
        return AppidFault.PREFIX
    return AppidFault.LENGTH if len(word) != len("wx") + 16 else AppidFault.LETTERS


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return which of `known` begins with `word`, else which looks most like it, if any does."""
    begun = [name for name in known if len(word) >= _SHORTEST_START and name.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, known, n=1, cutoff=0.65)), None)
