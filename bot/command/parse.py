"""Read what somebody typed after `/share-env`: a Command, or a Misread that says how to put it right.

Pure: no I/O, no clock, no environment. A likely correction is offered as a line to copy, never acted upon.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from bot.command import wish
from bot.command.corrected import (
    BLANK_REASON,
    bare,
    envs_in,
    fault_of,
    line,
    meant_as_appid,
    named_in,
    nearest,
    subcommand,
)
from bot.command.grammar import (
    FIRST_WORDS,
    Alone,
    Help,
    Options,
    Query,
    Subcommand,
    WithName,
    WithPair,
)
from bot.command.kinds import (
    MOST_APPIDS,
    Command,
    OpenForm,
    Share,
    ShareMany,
    is_appid,
    is_env,
    is_placeholder,
)
from bot.command.mistake import (
    ExtraWords,
    Misread,
    MissingAppid,
    MissingEnv,
    MistakeError,
    NotAnAppid,
    NotAnEnv,
    OptionNotHere,
    SeveralAppids,
    Swapped,
    TooManyAppids,
    UnclosedQuote,
    UnknownWord,
    WhichEnv,
)
from bot.command.options import split
from bot.command.typed import loose_words, words_of
from bot.command.vocabulary import Sense, parted, sense, without_fillers

RECEIVED_LIMIT = 300
_HELP_OPTIONS = {"-h", "--help"}


def parse(text: str) -> Command | Misread:
    """Return what `text` asks for, or the Misread that says what is wrong with it; never raises."""
    words, closed = words_of(text)
    said = wish.said_in([word.text for word in words])
    try:
        # What a quote that never closes has swallowed is heard too, unless it is a reason.
        wish.check(said, said if closed else wish.before_reason(loose_words(text)))
        if not closed:
            loose = loose_words(text)
            guess = Options(BLANK_REASON, "--dry-run" in loose, "--again" in loose)
            right = line([word.text for word in words], guess)
            raise MistakeError(UnclosedQuote(), right)  # noqa: TRY301  # caught below, as all mistakes are
        if len(words) == 1 and words[0].text.lower() in _HELP_OPTIONS:
            return Help()
        return _read(*split(words))
    except MistakeError as wrong:
        wrong = wish.misspelt(said) or wrong
        return Misread(wrong.mistake, text.strip()[:RECEIVED_LIMIT], wrong.instead)


def _read(words: list[str], options: Options) -> Command:
    """Return what plain words ask for; a whole sentence is corrected, never acted upon."""
    if not words and not options.given():
        return OpenForm()
    said = without_fillers(words)
    # Words behind a whole command are often a reason without quotes, which stays as it was typed.
    if said == words or (said[:2] == words[:2] and is_appid(words[0]) and not _are_several(words)):
        return _command(words, options)
    try:
        _command(said, options)
    except MistakeError as wrong:
        if not isinstance(wrong.mistake, ExtraWords):
            raise
    right = line(said, options)
    kept = right.split()
    more = [word for word in parted(words) if word not in said or bare(word).lower() not in kept]
    raise MistakeError(ExtraWords(tuple(more)), right)


def _command(words: list[str], options: Options) -> Command:
    first = words[0].lower() if words else ""
    alone = len(words) == 1 and first not in FIRST_WORDS and not is_appid(first)
    if alone and (near := nearest(first, FIRST_WORDS)):
        raise MistakeError(UnknownWord(words[0], near), line([near]))
    if sub := subcommand(first):
        return _query(sub, words[1:], options)
    if _are_several(words):
        return _many(words, options)
    appid, env = _pair(words, options)
    return Share(appid, env, options.reason, options.dry_run, options.again)


def _are_several(words: Sequence[str]) -> bool:
    """Tell whether several appids are meant, damaged ones included; of two words the second may be an env like one."""
    appids = sum(is_appid(word.lower()) for word in words)
    return appids > 1 or (len(words) > 2 and sum(map(meant_as_appid, words)) > 1)  # noqa: PLR2004


def _many(words: list[str], options: Options) -> Share | ShareMany:
    """Return the batch of exactly these appids and, behind them, one env; an appid that comes twice counts once."""
    right = line(words, options)
    appids = tuple(dict.fromkeys(word for word in words if is_appid(word)))
    others = [word for word in words if not is_appid(word)]
    if damaged := next((word for word in others if meant_as_appid(bare(word))), None):
        raise MistakeError(NotAnAppid(damaged, fault_of(damaged)), right)
    if len(appids) > MOST_APPIDS:
        raise MistakeError(TooManyAppids(len(appids), MOST_APPIDS), right)
    match others:
        case []:
            raise MistakeError(MissingEnv(), right)
        case [word] if not is_env(word):
            raise MistakeError(NotAnEnv(word, blank=is_placeholder(word)), right)
        case [_] if is_appid(words[-1]):
            raise MistakeError(Swapped(), right)
        case [word]:
            several = len(appids) > 1
            more = options.reason, options.dry_run, options.again
            return ShareMany(appids, word, *more) if several else Share(appids[0], word, *more)
        case _ if len(envs := envs_in(others)) > 1:
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case _:
            raise MistakeError(ExtraWords(tuple(w for w in others if w not in envs)), right)


def _query(sub: Subcommand, rest: list[str], options: Options) -> Query:
    """Return what the first word of `sub` and the words behind it ask."""
    if options.given():
        raise MistakeError(OptionNotHere(options.given()[0], sub.word), line([sub.word, *rest]))
    match sub.takes:
        case Alone(becomes):
            if rest:
                raise MistakeError(ExtraWords(tuple(rest)), line([sub.word]))
            return becomes()
        case WithName(becomes):
            return becomes(_name(rest, sub.word))
        case WithPair(becomes):
            return becomes(*_pair(rest, options, verb=sub.word))
        case _:
            assert_never(sub.takes)


def _name(words: list[str], verb: str) -> str | None:
    """Return the one appid or env that these words are, if there are any."""
    right = line([verb, *words])
    match words:
        case []:
            return None
        case [about] if is_appid(about):
            return about
        case [about] if meant_as_appid(about):
            raise MistakeError(NotAnAppid(about, fault_of(about)), right)
        case [about] if about.lower() != verb:
            if is_env(about):
                return about
            raise MistakeError(NotAnEnv(about, blank=is_placeholder(about)), right)
        case _ if len(envs := envs_in(words)) > 1 and not any(map(is_appid, words)):
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case _:
            kept = right.split()[2:]
            extra = [word for word in words if word not in kept and word.lower() not in kept]
            raise MistakeError(ExtraWords(tuple(extra or words[1:])), right)


def _pair(words: list[str], options: Options, verb: str = "") -> tuple[str, str]:
    """Return (appid, env) from exactly these two words, in this order."""
    if len(words) == 2 and is_appid(words[0]) and is_env(words[1]):  # noqa: PLR2004
        return words[0], words[1]
    right = line([verb, *words], options)
    appids = [word for word in words if is_appid(word.lower())]
    envs = envs_in(words)
    match words:
        case _ if len(appids) > 1:
            raise MistakeError(SeveralAppids(len(appids)), right)
        case _ if appids and len(envs) > 1:
            raise MistakeError(WhichEnv(tuple(envs)), right)
        case [] | [_] if all(is_env(word) and not meant_as_appid(word) for word in words):
            raise MistakeError(MissingAppid(), right)
        case [appid] if is_appid(appid):
            raise MistakeError(MissingEnv(), right)
        case [env, appid, *_] if envs == [env] and is_appid(bare(appid).lower()):
            raise MistakeError(Swapped(), right)
        case [appid, env, *extra] if extra and is_appid(appid) and envs == [env]:
            # Words that are too many are often a reason without quotes.
            meant = any(sense(word) is not Sense.FILLER for word in extra)
            reason = " ".join([options.reason or "", *(extra if meant else [])]).strip()
            guess = replace(options, reason=reason or None)
            raise MistakeError(ExtraWords(tuple(extra)), line([verb, appid, env], guess))
        case [appid, env, _, *_] if is_appid(appid) and is_env(env):
            raise MistakeError(ExtraWords(tuple(w for w in words[1:] if w not in envs)), right)
        case [appid, *rest] if not is_appid(appid):
            known, _ = named_in(words)
            # A word that is blamed as an appid is not offered as the env.
            instead = right if known else line([verb, *rest], options)
            raise MistakeError(NotAnAppid(appid, fault_of(appid)), instead)
        case _:
            blank = is_placeholder(words[1])
            raise MistakeError(NotAnEnv(words[1], blank=blank), right)
