"""Find what is wrong with the words of a command, and build the corrected line. Pure.

A line that shares is offered only if every word up to its last id is understood. What stands behind may be a reason, which
only the requester can word.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.command.grammar import (
    BLANK_APPID,
    BLANK_ENV,
    BLANK_REASON,
    FLAGS,
    MOST_APPIDS,
    REASON_LIMIT,
    SLASH_COMMAND,
    Options,
    Subcommand,
    is_blank_reason,
)
from bot.command.mistake import (
    ExtraWords,
    MissingAppid,
    MissingEnv,
    MissingReason,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    NotUnderstood,
    ReasonTooLong,
    Swapped,
    TooManyAppids,
    WhichEnv,
)
from bot.command.reading import Reading
from bot.command.vocabulary import Sense, first_with, is_filler, subcommand


def corrected_line(words: Sequence[str], options: Options) -> str | None:
    """Return a complete line to copy, with placeholders for what is missing; None if a word may ask for something else.

    The options are kept, and a subcommand remains that subcommand.
    """
    meant = first_word(words)
    if sub := subcommand(meant):
        named = following(sub, meant, words)
        pair = [*(named.appids[:1] or [BLANK_APPID]), named.env or BLANK_ENV]
        ids = pair if sub.takes > 1 else named.ids[: sub.takes]
        return " ".join([SLASH_COMMAND, sub.verb, *ids])
    named = Reading(words)
    if _unclear(named):
        return None
    if named.is_share and named.behind:
        options = replace(options, reason=BLANK_REASON)
    if first_with(Sense.DRY_RUN, named.extra):
        options = replace(options, dry_run=True)
    ids = [*(named.appids[:MOST_APPIDS] or [BLANK_APPID]), named.env or BLANK_ENV]
    return " ".join([SLASH_COMMAND, *ids, *_as_typed(options)])


def first_word(words: Sequence[str]) -> str:
    """Return the first word that is no filler, which may be a subcommand; empty if there is none."""
    return next((word for word in words if not is_filler(word)), "")


def following(sub: Subcommand, first: str, words: Sequence[str]) -> Reading:
    """Return what the words after `first` name; if that stands for the subcommand, its verb names nothing: `show history`."""
    stands_for, after = first.lower() != sub.verb, words[words.index(first) + 1 :]
    return Reading([word for word in after if not (stands_for and word.lower() == sub.verb)])


def _unclear(named: Reading) -> str | None:
    """Return the word that a line must not leave out; with one appid and no env there is nothing yet that it shares."""
    return named.unclear if named.is_share or len(named.appids) > 1 else None


def _as_typed(options: Options) -> list[str]:
    flags = [flag for flag in FLAGS if flag in options.given()]
    if options.reason is None:
        return flags
    said = BLANK_REASON if is_blank_reason(options.reason) else options.reason
    quiet = said.translate({ord(quote): "'" for quote in '"“”„'})
    if len(quiet) > REASON_LIMIT:
        quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
    return [f'--reason "{quiet}"', *flags]


def wrong_reason(reason: str) -> MissingReason | ReasonTooLong | None:
    """Return why `reason` cannot be one; an empty one is none."""
    if is_blank_reason(reason):
        return MissingReason()
    too_long = len(reason) > REASON_LIMIT
    return ReasonTooLong(len(reason), REASON_LIMIT) if too_long else None


def wrong_share(named: Reading) -> Mistake:
    """Return what is wrong with words that are not exactly appids and an env."""
    if unclear := _unclear(named):
        return NotUnderstood(unclear)
    if len(named.appids) > MOST_APPIDS and not named.damaged:
        return TooManyAppids(len(named.appids), MOST_APPIDS)
    return wrong_pair(named)


def wrong_pair(named: Reading) -> Mistake:
    """Return what is wrong with words that should be an appid and an env."""
    if wrong := named.damaged:
        return wrong
    if not named.appids:
        # A word that is offered as the env is not called a wrong appid.
        missing = named.others[:1] == named.envs
        return MissingAppid() if missing else NotAnAppid(named.others[0])
    if len(named.envs) > 1:
        return WhichEnv(tuple(named.envs))
    if not named.env:
        return NotAnEnv(named.others[0]) if named.others else MissingEnv()
    if named.swapped:
        return Swapped()
    return ExtraWords(tuple(dict.fromkeys(named.behind or named.extra)))


def wrong_name(named: Reading) -> Mistake:
    """Return what is wrong with words that should be one appid or one env."""
    if wrong := named.damaged:
        return wrong
    if len(named.envs) > 1 and not named.appids:
        return WhichEnv(tuple(named.envs))
    if named.others and not named.ids:
        return NotAnEnv(named.others[0])
    extra = [word for word in named.words if word not in named.ids[:1]]
    return ExtraWords(tuple(extra or named.words[1:]))
