"""What people paste beside ids, and what is left out as it changes nothing: labels, JSON, the items of a list, names. Pure."""

import re
from collections.abc import Sequence

from bot.command.grammar import is_appid, is_env
from bot.command.vocabulary import Sense, sense

# `AppID:`, `环境 ID:`, `env_id=`, `"appid":`, also attached to Chinese. A bounded number of words, or a page of them would
# take long.
_PART = "(?:app|mini ?program|env(?:ironment)?|cloud|id|小程序|应用|云开发|云环境|环境)"
_LABEL = re.compile(
    rf"(?:[{{&'\"]+|(?<![\w-])|(?=[小应云环]))-{{0,2}}{_PART}(?:[ _-]?{_PART}){{0,3}}['\"]?\s?[:=]+\s?['\"]?",
    re.IGNORECASE,
)
_LABEL_OPTION = re.compile(r"(?<!\S)(--?(?:app|env)(?:[_-]?id)?)(?= )", re.IGNORECASE)
_JSON = "{}'\""
_APPID = re.compile(r"(?<![0-9A-Za-z])(wx[0-9a-f]{16})(?![\w-])", re.ASCII)
_NUMBER = re.compile(r"\(?\d{1,3}[.)]?|[①-⑳]")
_BULLETS = {*"•◦▪·・*–-", "--"}
_ATTACHED = re.compile(r"(\(?\d{1,3}[.)]|[①-⑳•◦▪·・])(?=wx)", re.IGNORECASE)


def ids_alone(words: Sequence[str]) -> list[str]:
    """Return `words` without what only labels, numbers or names the ids. With labels the order is free: the env comes last."""
    if any(word.split() != [word] for word in words):  # what is quoted together is no list
        return list(words)
    text = _LABEL_OPTION.sub(r"\1:", " ".join(words))
    text, labels = _LABEL.subn(" ", text)
    said = [word.strip(_JSON) if labels else word for word in _APPID.sub(r" \1 ", text).split()]
    rest = without_items(_without_names([word for word in said if word]))
    if labels and rest and is_env(rest[0]):
        rest = [*rest[1:], rest[0]]
    return rest


def without_items(words: Sequence[str]) -> list[str]:
    """Return `words` without the sign or the number of an item, if each appid has one in front of it."""
    said = [part for word in words for part in _ATTACHED.sub(r"\1 ", word).split()]
    places = [at for at, word in enumerate(said) if word.lower().startswith("wx")]
    items = {at - 1 for at in places}
    if not places or not all(at >= 0 and _is_item(said[at]) for at in items):
        return list(words)
    return [word for at, word in enumerate(said) if at not in items]


def _is_item(word: str) -> bool:
    return word in _BULLETS or _NUMBER.fullmatch(word) is not None


def _is_name(word: str) -> bool:
    return sense(word) is Sense.NAME


def _without_names(words: Sequence[str]) -> list[str]:
    """Return `words` without the names of mini programs that stand beside an appid."""
    near = [any(map(is_appid, words[max(at - 1, 0) : at + 2])) for at in range(len(words))]
    return [word for word, named in zip(words, near, strict=True) if not (named and _is_name(word))]
