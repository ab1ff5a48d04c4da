"""Split the options of a command from its words. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bot.command.correction import wrong_reason
from bot.command.grammar import BLANK_REASON, FLAGS, OPTIONS, Options
from bot.command.mistake import ExtraWords, Mistake, OptionWithoutValue, UnknownOption
from bot.command.reading import Reading
from bot.command.tokenizer import Word
from bot.command.vocabulary import nearest_option

_NAMES = {"", "appid", "env"}


class Split(NamedTuple):
    """A command's words without the options, the options as they were most likely meant, and the first mistake in them."""

    words: list[str]
    options: Options
    unknown: Sequence[UnknownOption]
    mistake: Mistake | None


def split_options(words: Sequence[Word]) -> Split:
    """Separate words and options."""
    rest = deque(words)
    found: list[str] = []
    unknown: list[UnknownOption] = []
    wrong: list[Mistake] = []
    options = Options()
    while rest:
        word = rest.popleft()
        if word.quoted or word.text[:1] != "-" or not _is_option(word.text):
            found.append(word.text)
            continue
        name, _, value = word.text.partition("=")
        meant: str | None = name
        if name not in OPTIONS or (name in FLAGS and value):
            meant = nearest_option(word.text)
            unknown.append(UnknownOption(word.text, meant))
        elif name in options.given():
            wrong.append(ExtraWords((name,)))
        if meant == "--dry-run":
            options = replace(options, dry_run=True)
        elif meant == "--again":
            options = replace(options, again=True)
        elif meant == "--reason":
            said = _reason(value, rest, found)
            wrong += [] if said else [OptionWithoutValue(name)]
            wrong += [ExtraWords(tuple(said[1:]))] if said[1:] else []
            reason = options.reason or " ".join(said) or BLANK_REASON
            options = replace(options, reason=reason)
    if not wrong and options.reason and (fault := wrong_reason(options.reason)):
        wrong.append(fault)
    # An option that means none of ours is named first: for it there is no corrected line.
    unknown.sort(key=lambda each: each.nearest is not None)
    mistakes = [*unknown, *wrong]
    return Split(found, options, unknown, mistakes[0] if mistakes else None)


def _is_option(word: str) -> bool:
    """Return whether a word that begins with a dash is meant as an option; a bullet and `--env` are not."""
    name = word.partition("=")[0].strip("-")
    return name.lower() not in _NAMES and any(map(str.isalnum, name))


def _reason(value: str, rest: deque[Word], before: list[str]) -> list[str]:
    """Take the words of a reason: one, or, if an appid and an env stand before it, all up to the next option."""
    quoted = " " in value
    if not value and rest and (rest[0].quoted or rest[0].text not in OPTIONS):
        word = rest.popleft()
        value, quoted = word.text, word.quoted
    said = [value] if value else []
    if not quoted and rest and rest[0].text[:1] != "-" and Reading(before).is_share:
        while rest and (rest[0].quoted or rest[0].text[0] != "-"):
            said.append(rest.popleft().text)
    return said
