"""Read what somebody typed after `/share-env`: a Command, or a Misread that says how to put it right.

Pure: no I/O, no clock, no environment. A likely correction is offered as a line to copy, never acted upon.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bot.command.mistake import (
    AppidFault,
    ExtraWords,
    Misread,
    MissingAppid,
    MissingEnv,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    OptionNotHere,
    OptionTwice,
    OptionWithoutValue,
    ReasonTooLong,
    SeveralAppids,
    Swapped,
    UnclosedQuote,
    UnknownOption,
    UnknownWord,
)
from bot.command.typed import Word, words_of

SLASH_COMMAND = "/share-env"
FIRST_WORDS = ("help", "whoami", "why")
OPTIONS = ("--reason", "--dry-run")
REASON_LIMIT = 300
RECEIVED_LIMIT = 300

# An appid is case-sensitive; an env id has had several forms over the years, so its check is loose.
_APPID = re.compile(r"wx[0-9a-f]{16}")
_ENV = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_BLANK_APPID, _BLANK_ENV, _BLANK_REASON = "<appid>", "<env>", "why it is needed"


@dataclass(frozen=True, slots=True)
class Share:
    """Share `env` with `appid`; a dry run says what would happen and does nothing."""

    appid: str
    env: str
    reason: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Help:
    """Say what this requester may do."""


@dataclass(frozen=True, slots=True)
class Whoami:
    """Say whom the bot takes the requester for."""


@dataclass(frozen=True, slots=True)
class Why:
    """Say which rule decides about `env` and `appid`, and why."""

    appid: str
    env: str


Command = Share | Help | Whoami | Why


class _WrongError(Exception):
    """Carries a mistake and its corrected line from where it is seen to `parse`."""

    def __init__(self, mistake: Mistake, instead: str) -> None:
        super().__init__()
        self.mistake = mistake
        self.instead = instead


@dataclass(frozen=True, slots=True)
class _Options:
    reason: str | None = None
    dry_run: bool = False

    def given(self) -> tuple[str, ...]:
        return ("--reason",) * (self.reason is not None) + ("--dry-run",) * self.dry_run


_NO_OPTIONS = _Options()


def parse(text: str) -> Command | Misread:
    """Return what `text` asks for, or the Misread that says what is wrong with it; never raises."""
    try:
        words, closed = words_of(text)
        if not closed:
            guess = _Options(_BLANK_REASON, dry_run="--dry-run" in text)
            line = _line([word.text for word in words], guess)
            raise _WrongError(UnclosedQuote(), line)  # noqa: TRY301  # mistakes leave by one door
        return _read(*_split(words))
    except _WrongError as wrong:
        return Misread(wrong.mistake, text.strip()[:RECEIVED_LIMIT], wrong.instead)


def is_appid(word: str) -> bool:
    """Tell whether `word` has the strict form of an appid: wx and 16 lower-case hex digits."""
    return _APPID.fullmatch(word) is not None


def is_env(word: str) -> bool:
    """Tell whether `word` can be the id of an env; what is an appid but for its case cannot."""
    return _ENV.fullmatch(word) is not None and not is_appid(word.lower())


def _split(words: Sequence[Word]) -> tuple[list[str], _Options]:
    """Part the plain words from the options."""
    plain = [word.text for word in words]  # for corrections, until the options are taken out
    options = _NO_OPTIONS
    rest = iter(words)
    found: list[str] = []
    for word in rest:
        if word.quoted or not word.text.startswith("-"):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        if name not in OPTIONS or (name == "--dry-run" and value):
            near = _nearest(name.lower().lstrip("-"), [known.lstrip("-") for known in OPTIONS])
            guess = _Options(
                _BLANK_REASON if near == "reason" else options.reason, near == "dry-run"
            )
            raise _WrongError(UnknownOption(word.text, near and f"--{near}"), _line(plain, guess))
        if name in options.given():
            raise _WrongError(OptionTwice(name), _line(plain, options))
        if name == "--dry-run":
            options = replace(options, dry_run=True)
        else:
            options = replace(options, reason=value or _value_of_reason(rest, plain, options))
    if options.reason is not None and len(options.reason) > REASON_LIMIT:
        raise _WrongError(ReasonTooLong(len(options.reason), REASON_LIMIT), _line(found, options))
    return found, options


def _value_of_reason(rest: Iterator[Word], plain: list[str], options: _Options) -> str:
    following = next(rest, None)
    if (
        following is None
        or not following.text
        or (following.text in OPTIONS and not following.quoted)
    ):
        guess = replace(options, reason=_BLANK_REASON)
        raise _WrongError(OptionWithoutValue("--reason"), _line(plain, guess))
    return following.text


def _read(words: list[str], options: _Options) -> Command:
    first = words[0].lower() if words else ""
    if not words and not options.given():
        return Help()
    if first in FIRST_WORDS:
        return _read_first_word(first, words[1:], options)
    if len(words) == 1 and not is_appid(first) and (near := _nearest(first, FIRST_WORDS)):
        blanks = f" {_BLANK_APPID} {_BLANK_ENV}" if near == "why" else ""
        raise _WrongError(UnknownWord(words[0], near), f"{SLASH_COMMAND} {near}{blanks}")
    appid, env = _pair(words, options)
    return Share(appid, env, options.reason, options.dry_run)


def _read_first_word(first: str, rest: list[str], options: _Options) -> Command:
    if options.given():
        raise _WrongError(OptionNotHere(options.given()[0], first), _line([first, *rest]))
    if first == "why":
        return Why(*_pair(rest, options, verb=first))
    if rest:
        raise _WrongError(ExtraWords(tuple(rest)), _line([first]))
    return Help() if first == "help" else Whoami()


def _pair(words: list[str], options: _Options, verb: str = "") -> tuple[str, str]:
    """Return (appid, env) from exactly these two words, in this order."""
    line = _line([verb, *words], options)
    appids = [word for word in words if is_appid(word.lower())]
    match words:
        case [appid, env] if is_appid(appid) and is_env(env):
            return appid, env
        case _ if len(appids) > 1:
            raise _WrongError(SeveralAppids(len(appids)), line)
        case [] | [_] if all(is_env(word) and not _meant_as_appid(word) for word in words):
            raise _WrongError(MissingAppid(), line)
        case [appid] if is_appid(appid):
            raise _WrongError(MissingEnv(), line)
        case [env, appid] if is_env(env) and appids:
            raise _WrongError(Swapped(), line)
        case [appid, env, *extra] if extra and is_appid(appid) and is_env(env):
            # Words that are too many are often a reason without quotes.
            reason = " ".join([options.reason or "", *extra]).strip()
            guess = replace(options, reason=reason or None)
            raise _WrongError(ExtraWords(tuple(extra)), _line([verb, appid, env], guess))
        case [appid, *_] if not is_appid(appid):
            raise _WrongError(NotAnAppid(appid, _fault(appid)), line)
        case _:
            raise _WrongError(NotAnEnv(words[1]), line)


def _meant_as_appid(word: str) -> bool:
    """Tell whether `word` is likelier a damaged appid than an env, which has a dash as a rule."""
    return word.lower() == "appid" or re.match(r"(?i)wx[^-]{10}", word) is not None


def _fault(word: str) -> AppidFault:
    if word.lower() in {_BLANK_APPID, "appid"}:
        return AppidFault.BLANK
    if is_appid(word.lower()):
        return AppidFault.CASE
    if not word.lower().startswith("wx"):
        return AppidFault.PREFIX
    return AppidFault.LENGTH if len(word) != len("wx") + 16 else AppidFault.LETTERS


def _line(words: Sequence[str], options: _Options = _NO_OPTIONS) -> str:
    """Return a whole line to copy, made of the first word, appid and env among `words`, else of blanks.

    What was to be a question or a dry run stays one, wherever it says so.
    """
    verb = next((word.lower() for word in words[:1] if word.lower() in FIRST_WORDS), "")
    if verb in {"help", "whoami"}:
        return f"{SLASH_COMMAND} {verb}"
    # What stands behind --reason, however that is spelt, is no env; brackets and stars are no part of one.
    pairs = pairwise(["", *words[bool(verb) :]])
    kept = [word for before, word in pairs if not before.startswith("--r")]
    bare = [word if word == _BLANK_ENV else word.strip("<>()[]*_~") for word in kept]
    at = next((i for i, word in enumerate(bare) if is_appid(word.lower())), len(bare))
    appid = bare[at].lower() if bare[at:] else _BLANK_APPID
    likely = bare[at + 1 :] + bare[:at]
    env = next((word for word in likely if is_env(word) and not _meant_as_appid(word)), _BLANK_ENV)
    parts = [SLASH_COMMAND, verb, appid, env]
    if options.reason is not None and not verb:
        quiet = options.reason.translate({ord(quote): "'" for quote in '"“”„'})
        if len(quiet) > REASON_LIMIT:
            quiet = quiet[: REASON_LIMIT - 1].rstrip() + "…"
        parts.append(f'--reason "{quiet}"')
    if (options.dry_run or "--dry-run" in words) and not verb:
        parts.append("--dry-run")
    return " ".join(part for part in parts if part)


def _nearest(word: str, known: Sequence[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.65)), None)
