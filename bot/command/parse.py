"""Parse what somebody typed after `/share-env`: a Command, or a Misread with a corrected line.

Pure. A likely correction is only offered as a line to copy; it is never executed.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple, assert_never

from bot.command.beside import ids_alone
from bot.command.correction import (
    Reading,
    corrected_line,
    following,
    wrong_name,
    wrong_pair,
    wrong_reason,
    wrong_share,
)
from bot.command.grammar import (
    BLANK_REASON,
    FIRST_WORDS,
    FLAGS,
    MOST_APPIDS,
    OPTIONS,
    Command,
    OpenForm,
    Options,
    Query,
    Share,
    Subcommand,
    Verb,
    is_appid,
    is_env,
)
from bot.command.mistake import Misread, Mistake, Wrong
from bot.command.naming import (
    first_with,
    is_cut_off,
    is_damaged_appid,
    is_like_an_id,
    opposite,
    parts,
)
from bot.command.question import first_word, question, subcommand
from bot.command.tokenizer import Word, seen, tokenize, tokenize_unquoted
from bot.command.vocabulary import (
    Sense,
    is_understood,
    nearest,
    nearest_option,
    sense,
    split_chinese,
)

RECEIVED_LIMIT = 300
_HELP_OPTIONS = {"-h", "--help"}
_ALIKE = 0.65
# Besides good appids; a command has some 150. To look for a meaning in more would delay everybody's acks.
_MOST_WORDS = 1000
_NAMES = {"", "appid", "app-id", "env", "env-id", "envid"}
_OPTION_OF = {Sense.DRY_RUN: "--dry-run", Sense.AGAIN: "--again"}


class Split(NamedTuple):
    """A command's words without the options, the options as they were most likely meant, and the first mistake in them."""

    words: list[str]
    options: Options
    unknown: list[str]
    mistake: Mistake | None


def parse(text: str, most: int = MOST_APPIDS, known: Collection[str] = ()) -> Command | Misread:
    """Return the command in `text`, with `most` appids at most, or a Misread that says what is wrong with it. Never raises.

    An env that looks like a word is one only if it is `known`.
    """
    words, closed = tokenize(text)
    outside = list[str]()
    if not closed:
        # Behind a reason whose own quotes are closed, they may ask for the opposite.
        outside = _split_options(words, closed=True).words
        words = list(map(Word, tokenize_unquoted(text)))
    split = _split_options(words, closed=closed)
    share = None if split.mistake else _plain_share(split, most)
    if share and (share.env in known or is_like_an_id(share.env)):
        return share
    if split.words == ["?"] or any(option.lower() in _HELP_OPTIONS for option in split.unknown):
        return Query(Verb.HELP)
    said = split_chinese(split.words)
    others = tuple(word for word in said if not is_appid(word))
    if len(others) > _MOST_WORDS:
        extra = Mistake(Wrong.EXTRA_WORDS, others)
        return Misread(extra, text.strip()[:RECEIVED_LIMIT], corrected_line([], Options(), most))
    read = _objection(split, [*said, *split_chinese(outside)]) or _read(words, split, said, most)
    if not isinstance(read, Mistake):
        return read
    line = _instead(read, said, split.options, most)
    doubtful = share.env if share else None
    return Misread(read, text.strip()[:RECEIVED_LIMIT], line, doubtful, _request(said))


def _split_options(words: Sequence[Word], *, closed: bool) -> Split:
    """Separate words and options; `closed` if all quotes are."""
    rest = deque(words)
    found: list[str] = []
    unknown: list[str] = []
    wrong = [] if closed else [Mistake(Wrong.UNCLOSED_QUOTE)]
    options = Options()
    while rest:
        word = rest.popleft()
        if word.quoted or not _is_option(word.text):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        meant: str | None = name
        if name not in OPTIONS or (name in FLAGS and value):
            meant = nearest_option(word.text)
            unknown.append(word.text)
            kind = Wrong.UNKNOWN_WORD if meant else Wrong.UNKNOWN_OPTION
            wrong.append(Mistake(kind, (word.text,), meant))
        elif name in options.given():
            wrong.append(Mistake(Wrong.EXTRA_WORDS, (name,)))
        if meant == "--dry-run":
            options = replace(options, dry_run=True)
        elif meant == "--again":
            options = replace(options, again=True)
        elif meant == "--reason":
            said = _reason(value, rest, [] if options.reason else found, closed=closed)
            wrong += [Mistake(Wrong.EXTRA_WORDS, tuple(said[1:]))] if said[1:] else []
            reason = options.reason or seen(" ".join(said)) or BLANK_REASON
            options = replace(options, reason=reason)
    if options.reason and (fault := wrong_reason(options.reason)):
        wrong.append(fault)
    # An option that means none of ours is named first: for it there is no corrected line.
    first = (Wrong.UNKNOWN_OPTION, Wrong.UNCLOSED_QUOTE, Wrong.UNKNOWN_WORD)
    wrong.sort(key=lambda each: first.index(each.wrong) if each.wrong in first else len(first))
    return Split(found, options, unknown, next(iter(wrong), None))


def _is_option(word: str) -> bool:
    """Return whether a word is meant as an option: it begins with a dash. A bullet and `--env` are none."""
    if word[:1] != "-":
        return False
    name = word.partition("=")[0].strip("-").replace("_", "-")
    return name.lower() not in _NAMES and any(map(str.isalnum, name))


def _reason(value: str, rest: deque[Word], before: list[str], *, closed: bool) -> list[str]:
    """Take the words of a reason: one, or, if an appid and an env are `before` it, all up to the next option.

    All also if quotes are not `closed`: an id may stand in the reason, and is then not to be shared.
    """
    quoted = " " in value
    if not value and rest and (rest[0].quoted or not _is_option(rest[0].text)):
        word = rest.popleft()
        value, quoted = word.text, word.quoted
    said = [value] if value else []
    if not quoted and rest and (not closed or Reading(before).is_share):
        while rest and (rest[0].quoted or rest[0].text[0] != "-"):
            said.append(rest.popleft().text)
    return said


def _plain_share(split: Split, most: int) -> Share | None:
    """Return the share if the words are exactly appids and an env, and at most what labels, numbers and names these."""
    return _exact(split.words, split.options, most) or _exact(
        ids_alone(split.words), split.options, most
    )


def _exact(words: list[str], options: Options, most: int) -> Share | None:
    """Return the share if the words are exactly appids and an env."""
    *appids, env = words or [""]
    if not (appids and all(map(is_appid, appids)) and is_env(env)):
        return None
    if len(appids) > 1:
        appids = list(dict.fromkeys(appids))
        if len(appids) > most or is_damaged_appid(env):
            return None
    return Share(tuple(appids), env, options.reason, options.dry_run, options.again)


def _objection(split: Split, said: Sequence[str]) -> Mistake | None:
    """Return the mistake if a line asks for the opposite of a share, for one that ends, or a question.

    Words that begin with a subcommand are never a mistake.
    """
    first = first_word(said)
    sub, looks = subcommand(first), sense(first) is Sense.LOOK
    if sub and sub.verb in {first.lower(), Verb.WHY}:
        return None
    if reverse := opposite([*said, *split.unknown]):
        return Mistake(Wrong.ONLY_SHARES, (reverse,))
    if sub and not looks:
        return None
    asked = question(said)
    if asked is Verb.HISTORY:
        look = first_with(Sense.LOOK, said) or first_with(Sense.WHAT, said)
        return None if sub or not look else Mistake(Wrong.UNKNOWN_WORD, (look,), asked)
    values = (part for option in split.unknown for part in option.split("="))
    if limit := first_with(Sense.LIMIT, [*values, *said]):
        return Mistake(Wrong.LIMITED, (limit,))
    return Mistake(Wrong.QUESTION, (), asked) if asked else None


def _read(words: Sequence[Word], split: Split, said: list[str], most: int) -> Command | Mistake:
    """Return the command; a whole sentence is corrected instead of executed."""
    if split.mistake:
        return split.mistake
    if not words:
        return OpenForm()
    first = first_word(said)
    # A misspelt subcommand. Before other words it has only letters, as few envs have; its line never shares.
    alone = all(map(is_understood, (word for word in said if word != first)))
    may_be_one = first.lower() not in FIRST_WORDS and (
        alone or (first.isalpha() and not sense(first))
    )
    if may_be_one and (near := nearest(first.lower(), FIRST_WORDS, _ALIKE)):
        return Mistake(Wrong.UNKNOWN_WORD, (first,), near)
    if cut := next(filter(_is_cut_off, said), None):
        return Mistake(Wrong.CUT_OFF, (cut,))
    if sub := subcommand(first):
        if extra := (*split.options.given()[:1], *said[: said.index(first)]):
            return Mistake(Wrong.EXTRA_WORDS, extra)
        return _query(sub, following(sub, first, said))
    if first_with(Sense.RETRY, said):
        return Mistake(Wrong.RETRY)
    for meant, option in _OPTION_OF.items():
        if undashed := first_with(meant, said):
            return Mistake(Wrong.UNKNOWN_WORD, (undashed,), option)
    return wrong_share(Reading(said, share=True), most)


def _request(said: Sequence[str]) -> str | None:
    """Return the word that may be a request's id: the only one besides those that say nothing, or ask for a retry."""
    ids = [word for word in said if not (is_understood(word) or sense(word) is Sense.RETRY)]
    return ids[0] if len(ids) == 1 and is_env(ids[0]) else None


def _is_cut_off(word: str) -> bool:
    """Return whether `word` is an id of which a part is missing, no `please...`."""
    return is_cut_off(word) and sense(word) is None and subcommand(word) is None


def _query(sub: Subcommand, named: Reading) -> Query | Mistake:
    """Return the query of `sub` about what the words after it name, or the mistake in them."""
    match sub.takes:
        case 0:
            extra = tuple(named.words)
            return Mistake(Wrong.EXTRA_WORDS, extra) if extra else Query(sub.verb)
        case 1:
            whole = named.words == named.ids[:1]
            return Query(sub.verb, tuple(named.ids)) if whole else wrong_name(named)
        case 2:
            if len(named.appids) > 1:
                return Mistake(Wrong.EXTRA_WORDS, tuple(named.appids[1:]))
            whole = named.is_share and named.words == named.ids
            return Query(sub.verb, tuple(named.ids)) if whole else wrong_pair(named)
        case _:
            assert_never(sub.takes)


def _instead(mistake: Mistake, said: Sequence[str], options: Options, most: int) -> str | None:
    """Return the corrected line, if there is one that does what was meant."""
    match mistake:
        case Mistake(Wrong.ONLY_SHARES | Wrong.LIMITED):
            return None
        case Mistake(Wrong.UNKNOWN_OPTION) if not subcommand(first_word(said)):
            return None
        case Mistake(Wrong.RETRY):
            return corrected_line([Verb.HISTORY, *said], options, most)
        case Mistake(Wrong.QUESTION, _, str(verb)):
            return corrected_line([verb, *_with_one_appid(said)], options, most)
        case Mistake(_, words, near) if near in FIRST_WORDS:
            return corrected_line(
                [near, *(each for each in said if each not in words)], options, most
            )
        case _:
            return corrected_line(said, options, most)


def _with_one_appid(said: Sequence[str]) -> list[str]:
    """Return the words of a question; without its appids if there are several, since it is not said who is to receive."""
    if len(Reading(said).appids) < 2:  # noqa: PLR2004  # one
        return list(said)
    return [word for word in said if not any(map(is_appid, parts(word)))]
