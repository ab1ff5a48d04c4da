"""The ids that a word names: joined, decorated or damaged ones, and what can be an env. Pure."""

import re
from collections.abc import Iterable

from bot.command.grammar import is_appid, is_env
from bot.command.tokenizer import plain_dashes
from bot.command.vocabulary import Sense, sense

_JOINTS = re.compile("[/=&:|>]+|->")
_ASIDE = set("()[]!?")
_LABEL = re.compile("[:=]")


def parts(word: str) -> list[str]:
    """Return what `word` is made of: ids that are joined, named, quoted or decorated (`A/prod-1`, `env=prod-1`, `"A prod-1"`, `<A>`) without all that.

    Appids are in lower case. Two ids of a kind are not taken apart: in `A->B`, A may not be a receiver.
    """
    found: list[str] = []
    for said in word.split() or [word]:
        split = [_bare(part) for part in _JOINTS.split(said.lstrip("-"))]
        ids = [part for part in split if sense(part) is not Sense.FILLER]
        kinds = ["appid" if is_appid(part) else "env" if may_be_env(part) else "" for part in ids]
        plain = ids and all(kinds) and len({*kinds}) == len(kinds)
        found += ids if plain else [_bare(said)]
    return found


def _bare(word: str) -> str:
    """Return `word` without surrounding brackets, asterisks, quotation marks and punctuation; an appid in lower case.

    Signs alone stay: `->` is no bullet. So do tildes: what is struck out is not meant.
    """
    if not any(map(str.isalnum, word)):
        return word
    bare = word.strip("<>()[]{}*_!?:\"'“”„‘’")
    return bare.lower() if is_appid(bare.lower()) else bare


def first_with(meant: Sense, words: Iterable[str]) -> str | None:
    """Return the first word that has this meaning, or that is quoted or joined and has such a word in it."""
    return next((word for word in words if any(sense(part) is meant for part in parts(word))), None)


def opposite(words: Iterable[str]) -> str | None:
    """Return the first word that asks for the opposite of a share, also as a value: `action=unshare`, `prod-1:off`."""

    def said(word: str) -> list[str]:
        return [word] if word[:1] == "-" else [word, *re.split("[=:&]", word)]

    return next((word for word in words if first_with(Sense.REVERSE, said(word)) is not None), None)


def is_aside(word: str) -> bool:
    """Return whether signs around an appid say that it is not meant as the others are: `(A)`, `!A`, `A?`."""
    return not _ASIDE.isdisjoint(word)


def is_labelled(word: str) -> bool:
    """Return whether an appid has its label in the same word, `appid=A`, or is one itself, `A:`."""
    return _LABEL.search(word) is not None


def may_be_env(word: str) -> bool:
    """Return whether `word` can be an env, if its long dashes are hyphens."""
    return is_env(plain_dashes(word)) and sense(word) is None and not is_damaged_appid(word)


def is_like_an_id(word: str) -> bool:
    """Return whether `word` looks like an env's id, and not like a word.

    It has a digit, as the suffix that WeChat gives it, or a dash between parts that mean nothing (`payload-dev`).
    """
    parts = word.split("-")
    if any(map(str.isdigit, word)):
        return sense(word) is None
    return len(parts) > 1 and not any(map(sense, (word, "".join(parts), *parts)))


def is_damaged_appid(word: str) -> bool:
    """Return whether `word` is more likely a malformed appid than an env, which usually has a dash."""
    return re.match(r"(?i)wx[^-]{10}", word) is not None and not is_appid(word)


def is_cut_off(word: str) -> bool:
    """Return whether dots say that a part of `word` is missing: `prod-1...`."""
    return "…" in word or ".." in word
