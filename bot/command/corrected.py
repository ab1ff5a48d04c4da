"""Make one corrected line out of words that are wrong, and guess what a word was meant to be. Pure."""

import difflib
import re
from collections.abc import Sequence
from typing import assert_never

from bot.command.grammar import (
    FLAGS,
    REASON_LIMIT,
    SLASH_COMMAND,
    SUBCOMMANDS,
    Alone,
    History,
    Options,
    Subcommand,
    WithName,
    WithPair,
)
from bot.command.kinds import MOST_APPIDS, is_appid, is_env, is_placeholder
from bot.command.mistake import AppidFault
from bot.command.vocabulary import Sense, sense, without_fillers, without_reasons

BLANK_APPID, BLANK_ENV, BLANK_REASON = "<appid>", "<env>", "why it is needed"
_SHORTEST_START = 3
_NO_OPTIONS = Options()


def line(words: Sequence[str], options: Options = _NO_OPTIONS) -> str:
    """Return a whole line to copy: the first word, appids and env among `words`, and blanks for what is missing.

    A question or a dry run stays one, wherever among the words it is marked as one; `--again` stays too.
    """
    said = without_fillers(without_reasons(words))
    if said and (sub := subcommand(said[0])):
        return " ".join([SLASH_COMMAND, sub.word, *_following(sub, said[1:])])
    appids, env = named_in(said)
    flags = [flag for flag in FLAGS if flag in options.given() or flag in words]
    named = appids[:MOST_APPIDS] or [BLANK_APPID]
    return " ".join([SLASH_COMMAND, *named, env or BLANK_ENV, *_as_typed(options, flags)])


def _following(sub: Subcommand, words: Sequence[str]) -> list[str]:
    match sub.takes:
        case Alone():
            return []
        case WithName():
            appids, env = named_in([word for word in words if word.lower() != sub.word])
            return [*appids, *([env] if env else [])][:1]
        case WithPair():
            appids, env = named_in(words)
            return [appids[0] if appids else BLANK_APPID, env or BLANK_ENV]
        case _:
            assert_never(sub.takes)


def once_more(appid: str, env: str, reason: str | None) -> str:
    """Return the whole line that shares again what was shared before."""
    return " ".join([SLASH_COMMAND, appid, env, *_as_typed(Options(reason), ["--again"])])


def _as_typed(options: Options, flags: Sequence[str]) -> list[str]:
    parts: list[str] = []
    if options.reason is not None:
        quiet = options.reason.translate({ord(quote): "'" for quote in '"“”„'})
        if len(quiet) > REASON_LIMIT:
            quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
        parts.append(f'--reason "{quiet}"')
    return [*parts, *flags]


def subcommand(word: str) -> Subcommand | None:
    """Return the subcommand that `word` is or stands for."""
    by_word = {row.word: row for row in SUBCOMMANDS}
    stands_for = History.word if sense(word) is Sense.LOOK else ""
    return by_word.get(word.lower()) or by_word.get(stands_for)


def named_in(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the appids among `words`, and the env where only one word can be it."""
    appids = [word.lower() for word in map(bare, words) if is_appid(word.lower())]
    envs = envs_in(words)
    return list(dict.fromkeys(appids)), envs[0] if len(envs) == 1 else None


def envs_in(words: Sequence[str]) -> list[str]:
    """Return the words that can be the env: those with a dash, which envs have as a rule, before all others."""
    found = [
        w for w in map(bare, words) if is_env(w) and not meant_as_appid(w) and sense(w) is None
    ]
    return list(dict.fromkeys([word for word in found if "-" in word] or found))


def bare(word: str) -> str:
    """Return `word` without brackets, stars and marks around it."""
    return word.strip("<>()[]*_~!?:")


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
