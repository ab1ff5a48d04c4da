"""Parse what somebody typed after `/share-env`: a Command, or a Misread with a corrected line.

Pure. A likely correction is only offered as a line to copy; it is never executed.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

from bot.command.correction import batch, corrected_line, name, pair
from bot.command.everyday import sense
from bot.command.grammar import (
    BLANK_REASON,
    FIRST_WORDS,
    Alone,
    Command,
    Help,
    OpenForm,
    Options,
    Query,
    Share,
    Subcommand,
    WithName,
    WithPair,
    is_appid,
    is_env,
)
from bot.command.mistake import (
    ExtraWords,
    Joined,
    Misread,
    MistakeError,
    NotUnderstood,
    OptionNotHere,
    UnclosedQuote,
    UnknownWord,
)
from bot.command.options import Split, split_options
from bot.command.tokenizer import tokenize, tokenize_unquoted
from bot.command.vocabulary import (
    bare,
    meant_as_appid,
    misspelt_opposite,
    nearest,
    not_understood,
    objection_in,
    split_chinese,
    subcommand,
    taken_apart,
    without_fillers,
    words_before_reason,
    words_outside_reason,
)

RECEIVED_LIMIT = 300
_HELP_OPTIONS = {"-h", "--help", "?"}


def parse(text: str) -> Command | Misread:
    """Return the command in `text`, or a Misread that says what is wrong with it. Never raises."""
    words, closed = tokenize(text)
    split = split_options(words)
    plain = [word.text for word in words]
    try:
        if closed and not isinstance(split, MistakeError) and (exact := _exact(*split)):
            return exact
        apart = taken_apart(words)
        if joined := apart != words:
            split = split_options(apart)
            plain = [word.text for word in apart]
        return _understood(text, plain, split, closed=closed, joined=joined)
    except MistakeError as wrong:
        received = text.strip()[:RECEIVED_LIMIT]
        if unwanted := misspelt_opposite(words_outside_reason(plain)):
            return Misread(unwanted, received, None)
        if wrong.instead and (unknown := not_understood(plain, wrong.instead)):
            return Misread(NotUnderstood(unknown), received, None)
        return Misread(wrong.mistake, received, wrong.instead)


def _exact(words: list[str], options: Options) -> Share | None:
    """Return the share if the words are exactly appids and an env: then everyday words need not be looked for."""
    *appids, env = words or [""]
    if not (appids and all(map(is_appid, appids)) and is_env(env)):
        return None
    if env.replace("-", "").isalpha() and sense(env):
        return None
    if (options.reason or "").startswith("-"):  # possibly another option
        return None
    if len(appids) > 1:
        return _share(*batch(words, options), options)
    return _share(appids, env, options)


def _understood(
    text: str, plain: list[str], split: Split, *, closed: bool, joined: bool
) -> Command:
    """Return the command, unless an everyday word among `plain` asks for something other than a share, or ids were joined."""
    said = words_outside_reason(plain)
    # Words inside an unclosed quote count too, except those of a reason.
    if wrong := objection_in(
        said, said if closed else words_before_reason(tokenize_unquoted(text))
    ):
        mistake, words = wrong
        raise MistakeError(mistake, None if words is None else corrected_line(words))
    if not closed:
        loose = tokenize_unquoted(text)
        guess = Options(BLANK_REASON, "--dry-run" in loose, "--again" in loose)
        raise MistakeError(UnclosedQuote(), corrected_line(plain, guess))
    if len(plain) == 1 and plain[0].lower() in _HELP_OPTIONS:
        return Help()
    if isinstance(split, MistakeError):
        raise split
    command = _read(*split)
    if joined:
        raise MistakeError(Joined(), corrected_line(*split))
    return command


def _read(words: list[str], options: Options) -> Command:
    """Return the command in words without options; a whole sentence is corrected instead of executed."""
    if not words and not options.given():
        return OpenForm()
    said = without_fillers(words)
    # Extra words after a complete command are often a reason without quotes; then the line is kept as typed.
    if said == words or (said[:2] == words[:2] and is_appid(words[0]) and not _are_several(words)):
        return _command(words, options)
    try:
        _command(said, options)
    except MistakeError as wrong:
        if not isinstance(wrong.mistake, ExtraWords):
            raise
    right = corrected_line(said, options)
    kept = right.split()
    more = [
        word for word in split_chinese(words) if word not in said or bare(word).lower() not in kept
    ]
    raise MistakeError(ExtraWords(tuple(more)), right)


def _command(words: list[str], options: Options) -> Command:
    first, *rest = words or [""]
    first = first.lower()
    # A misspelt subcommand. Before other words it has only letters, as few envs have; its line never shares.
    near_one = not rest or (first.isalpha() and not sense(first))
    if near_one and first not in FIRST_WORDS and (near := nearest(first, FIRST_WORDS)):
        raise MistakeError(UnknownWord(words[0], near), corrected_line([near, *rest]))
    if sub := subcommand(first):
        return _query(sub, rest, options)
    if _are_several(words):
        return _share(*batch(words, options), options)
    appid, env = pair(words, options)
    return _share([appid], env, options)


def _share(appids: Iterable[str], env: str, options: Options) -> Share:
    """Return the share; duplicate appids count once."""
    once = tuple(dict.fromkeys(appids))
    return Share(once, env, options.reason, options.dry_run, options.again)


def _are_several(words: Sequence[str]) -> bool:
    """Return whether several appids are meant, malformed ones included; of two words, the second may be such an env."""
    appids = sum(is_appid(word.lower()) for word in words)
    return appids > 1 or (len(words) > 2 and sum(map(meant_as_appid, words)) > 1)  # noqa: PLR2004


def _query(sub: Subcommand, rest: list[str], options: Options) -> Query:
    """Return the query of `sub` with the words after it, or raise the mistake in them."""
    if options.given():
        raise MistakeError(
            OptionNotHere(options.given()[0], sub.word), corrected_line([sub.word, *rest])
        )
    match sub.takes:
        case Alone(becomes):
            if rest:
                raise MistakeError(ExtraWords(tuple(rest)), corrected_line([sub.word]))
            return becomes()
        case WithName(becomes):
            return becomes(name(rest, sub.word))
        case WithPair(becomes):
            return becomes(*pair(rest, options, verb=sub.word))
        case _:
            assert_never(sub.takes)
