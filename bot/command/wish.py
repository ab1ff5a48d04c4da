"""Tell whether what was typed can mean a share at all, and which mini program would receive access. Pure."""

from collections.abc import Sequence
from itertools import takewhile

from bot.command.corrected import line
from bot.command.grammar import FIRST_WORDS, History, is_appid
from bot.command.mistake import MistakeError, OnlyShares, UnclearReceiver, UnknownWord
from bot.command.vocabulary import (
    JOINING,
    Sense,
    bare,
    envs_in,
    meaning,
    named_in,
    names_an_owner,
    names_reason,
    nearly_reverse,
    sense,
    spoken,
    without_fillers,
)


def said_in(words: Sequence[str]) -> list[str]:
    """Return the words without the reason; after a complete command, all that follows `--reason` belongs to it."""
    before = before_reason(words)
    whole = all(named_in(without_fillers(before)))
    options = [word for word in words if word.startswith("-") and not names_reason(word)]
    return [*before, *spoken(options)] if whole else spoken(words)


def before_reason(words: Sequence[str]) -> list[str]:
    """Return the words in front of `--reason`."""
    return spoken(takewhile(lambda word: not names_reason(word), words))


def check(said: Sequence[str], heard: Sequence[str]) -> None:
    """Raise MistakeError if everyday words say that no share is wanted, or that an appid may not be the receiver.

    `heard` are the words that may ask for the opposite of a share. What begins with a first word never does.
    """
    if _asks(said):
        return
    if opposites := meaning(heard, Sense.REVERSE):
        raise MistakeError(OnlyShares(opposites[0]), None)
    looks = meaning(said, Sense.LOOK)
    if looks and (len(looks) > 1 or looks != without_fillers(said)[:1]):
        raise MistakeError(UnknownWord(looks[0], History.word), line([History.word, *said]))
    if _unclear_receiver(said):
        right = line([word for word in said if not is_appid(bare(word).lower())])
        raise MistakeError(UnclearReceiver(), right)


def misspelt(said: Sequence[str]) -> MistakeError | None:
    """Return the mistake where a command, wrong anyway, may hold a misspelt word for the opposite of a share."""
    word = next(filter(nearly_reverse, said), None)
    return MistakeError(OnlyShares(word), None) if word and not _asks(said) else None


def _asks(said: Sequence[str]) -> bool:
    return any(word.lower() in FIRST_WORDS for word in without_fillers(said)[:1])


def _unclear_receiver(words: Sequence[str]) -> bool:
    """Tell whether an appid among `words` may not be a receiver, but an owner, or one that another replaces."""
    names = [bare(word) for word in words]
    at = [place for place, word in enumerate(names) if is_appid(word.lower())]
    if any(names_an_owner(*["", *names, ""][place : place + 3 : 2]) for place in at):
        return True
    between = names[at[0] : at[-1]] if at else []
    if not between:
        return False
    known = {*JOINING, *map(str.lower, envs_in(words))}
    return any(
        word.lower() not in known and (word.isalpha() or sense(word) is Sense.FILLER)
        for word in between
        if not is_appid(word.lower())
    )
