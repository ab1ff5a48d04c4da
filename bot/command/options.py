"""Separate the options of a command from its plain words. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.command.corrected import BLANK_REASON, line, nearest
from bot.command.grammar import FLAGS, OPTIONS, REASON_LIMIT, Options
from bot.command.mistake import (
    MistakeError,
    OptionTwice,
    OptionWithoutValue,
    ReasonTooLong,
    UnknownOption,
)
from bot.command.typed import Word


def split(words: Sequence[Word]) -> tuple[list[str], Options]:
    """Return the plain words and the options among `words`; raises MistakeError."""
    plain = [word.text for word in words]  # for corrections, until the options are read
    options = Options()
    rest = iter(words)
    found: list[str] = []
    for word in rest:
        if word.quoted or not word.text.startswith("-"):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        if name not in OPTIONS or (name in FLAGS and value):
            near = nearest(name.lower().lstrip("-"), [known.lstrip("-") for known in OPTIONS])
            guess = Options(
                BLANK_REASON if near == "reason" else options.reason,
                near == "dry-run",
                near == "again",
            )
            raise MistakeError(UnknownOption(word.text, near and f"--{near}"), line(plain, guess))
        if name in options.given():
            raise MistakeError(OptionTwice(name), line(plain, options))
        if name == "--dry-run":
            options = replace(options, dry_run=True)
        elif name == "--again":
            options = replace(options, again=True)
        else:
            options = replace(options, reason=value or _value_of_reason(rest, plain, options))
    if options.reason is not None and len(options.reason) > REASON_LIMIT:
        raise MistakeError(ReasonTooLong(len(options.reason), REASON_LIMIT), line(found, options))
    return found, options


def _value_of_reason(rest: Iterator[Word], plain: list[str], options: Options) -> str:
    following = next(rest, None)
    if (
        following is None
        or not following.text
        or (following.text in OPTIONS and not following.quoted)
    ):
        guess = replace(options, reason=BLANK_REASON)
        raise MistakeError(OptionWithoutValue("--reason"), line(plain, guess))
    return following.text
