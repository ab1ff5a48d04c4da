"""Split the options of a command from its words. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from bot.command.correction import corrected_line, nearest_option, wrong_reason
from bot.command.grammar import BLANK_REASON, FLAGS, OPTIONS, Options, is_env
from bot.command.mistake import MistakeError, OptionTwice, OptionWithoutValue, UnknownOption
from bot.command.tokenizer import Word
from bot.command.vocabulary import names_reason, subcommand

_UNDASHED = re.compile(r"(?<![\w-])dry[ -]?run(?![\w-])|试运行|试跑", re.IGNORECASE)
_A_PAIR = 2

Split = tuple[list[str], Options] | MistakeError
"""The words without the options, and the options; or the mistake in the options."""


def split_options(words: Sequence[Word], plain: list[str]) -> Split:
    """Separate words and options; `plain` has the text of all words, for corrections."""
    if (undashed := _undashed_dry_run(words)) and not subcommand(plain[0]):
        said, others = undashed
        right = corrected_line(others, Options(dry_run=True))
        return MistakeError(UnknownOption(said, "--dry-run"), right)
    options = Options()
    rest = iter(words)
    found: list[str] = []
    for word in rest:
        if word.quoted or not word.text.startswith("-"):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        if name not in OPTIONS or (name in FLAGS and value):
            near = nearest_option(name)
            guess = Options(
                BLANK_REASON if near == "reason" else options.reason,
                near == "dry-run",
                near == "again",
            )
            # `prod -1` is `prod-1`, and not `prod`.
            part = name.lstrip("-")[:1].isdigit() and not subcommand(plain[0])
            right = corrected_line([each for each in plain if not (part and is_env(each))], guess)
            return MistakeError(UnknownOption(word.text, near and f"--{near}"), right)
        if name in options.given():
            return MistakeError(OptionTwice(name), corrected_line(plain, options))
        if name == "--dry-run":
            options = replace(options, dry_run=True)
        elif name == "--again":
            options = replace(options, again=True)
        elif reason := value or _value_behind(rest):
            options = replace(options, reason=reason)
        else:
            guess = replace(options, reason=BLANK_REASON)
            return MistakeError(OptionWithoutValue(name), corrected_line(plain, guess))
    if wrong := wrong_reason(options.reason or ""):
        return MistakeError(wrong, corrected_line(found, options))
    return found, options


def _value_behind(rest: Iterator[Word]) -> str | None:
    """Take the word after an option, if it can be the option's value."""
    word = next(rest, None)
    return word.text if word and (word.quoted or word.text not in OPTIONS) else None


def _undashed_dry_run(words: Sequence[Word]) -> tuple[str, list[str]] | None:
    """Return how a dry run is asked for without dashes, beside appid and env, and all other words before a reason."""
    before = takewhile(lambda word: word.quoted or not names_reason(word.text), words)
    said = [word.text for word in before if not word.quoted]
    text = " ".join(said)
    found = _UNDASHED.search(text)
    if found is None or len(said) <= _A_PAIR:
        return None
    return found[0], f"{text[: found.start()]} {text[found.end() :]}".split()
