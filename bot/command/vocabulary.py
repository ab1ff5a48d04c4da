"""Everyday words in a command: what they mean, and whether they ask for a share at all. Pure.

A command whose words ask for the opposite of a share gets no corrected line.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise, takewhile

from bot.command.everyday import Sense, ending, nearly_reverse, runs, sense, stands_for
from bot.command.grammar import (
    BLANK_APPID,
    BLANK_ENV,
    FIRST_WORDS,
    OPTIONS,
    SUBCOMMANDS,
    History,
    Subcommand,
    Why,
    is_appid,
    is_env,
)
from bot.command.mistake import NeverEnds, OnlyShares, UnclearReceiver, UnknownWord
from bot.command.tokenizer import Word, plain_dashes

_JOINING = frozenset({"and", "also", "plus", "&", "+", "和", "与", "及", "以及", "與"})
_OWNING = ("from", "of", "by", "owner", "从", "由", "来自", "從")

_BULLETS = frozenset([*"•·・●○▪◦‣⁃*-", "--"])
_JOINTS = re.compile("[/=&:|>]+|->")
_NAMES = {"appid", "env"}
_SHORTEST_START = 3
# What other programs call a dry run.
_DRY_RUNS = {
    *("n", "noop", "no-op", "preview", "check", "test", "try", "simulate", "what-if", "whatif"),
}
_LIKE_AN_ENV = re.compile(r"-?\w+[-_.]\w")
_KINDS = re.compile("(?:测试|生产|正式|线上|预发|开发)(?=环境)")


def taken_apart(words: Sequence[Word]) -> list[Word]:
    """Return `words` with ids that are joined, named or quoted (`A/prod-1`, `appid=A env=prod-1`, `"A prod-1"`) as words of their own; a reason stays."""
    before = list(takewhile(lambda word: not names_reason(word.text), words))
    parts = [part for word in before for part in _ids_in(word)]
    return [*parts, *words[len(before) :]]


def _ids_in(word: Word) -> list[Word]:
    split = word.text.split() if word.quoted else _JOINTS.split(word.text.lstrip("-"))
    parts = [bare(part) for part in split]
    ids = [part for part in parts if part.lower() not in _NAMES]
    kinds = "".join(
        "a" if is_appid(part.lower()) else "e" if envs_in([part]) else "?" for part in ids
    )
    named = len(ids) < len(parts)
    plain = kinds in {"a", "e", "ae", "ea"} if named else kinds == "ae"
    return [Word(part) for part in ids] if plain else [word]


def split_chinese(words: Iterable[str]) -> list[str]:
    """Return `words` with Chinese separated from other text that is attached without a space."""
    return [run for word in words for run in runs(word)]


def meaning(words: Iterable[str], meant: Sense) -> list[str]:
    """Return the words with this meaning."""
    return [word for word in words if sense(word) is meant]


def without_fillers(words: Iterable[str]) -> list[str]:
    """Return `words` without filler words."""
    return [word for word in split_chinese(words) if sense(word) is not Sense.FILLER]


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the word of `known` that begins with `word`, else the most similar one, if any."""
    begun = [name for name in known if len(word) >= _SHORTEST_START and name.startswith(word)]
    return next(iter(begun or difflib.get_close_matches(word, known, n=1, cutoff=0.65)), None)


def nearest_option(name: str) -> str | None:
    """Return the option that `name` most likely means, without dashes; None if that is unclear."""
    plain = name.lower().lstrip("-")
    if plain in _DRY_RUNS:
        return "dry-run"
    return nearest(plain, [known.lstrip("-") for known in OPTIONS])


def names_reason(word: str) -> bool:
    """Return whether `word` is the option `--reason` or a misspelling of it."""
    option = re.match(r"(?i)--?r\w*", word)
    return (
        bool(option and nearest_option(option[0]) == "reason") and sense(word) is not Sense.REVERSE
    )


def without_reasons(words: Iterable[str]) -> list[str]:
    """Return `words` without the word after `--reason`."""
    pairs = pairwise(["", *words])
    return [word for before, word in pairs if not names_reason(before) or "=" in before[:-1]]


def single_words(words: Iterable[str]) -> list[str]:
    """Return all single words, also those inside quotes, except a reason's."""
    kept = [word for word in without_reasons(words) if not names_reason(word)]
    return split_chinese(part for word in kept for part in word.split())


def subcommand(word: str) -> Subcommand | None:
    """Return the subcommand that `word` is, or stands for."""
    means = stands_for(word) or (History.word if sense(word) is Sense.LOOK else word.lower())
    return next((row for row in SUBCOMMANDS if row.word == means), None)


def named_in(words: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the appids in `words`, and the env if only one word can be it."""
    appids = [word.lower() for word in map(bare, words) if is_appid(word.lower())]
    envs = envs_in(words)
    return list(dict.fromkeys(appids)), envs[0] if len(envs) == 1 and is_env(envs[0]) else None


def envs_in(words: Sequence[str]) -> list[str]:
    """Return the words that can be the env; if any have a dash, as envs usually do, only those.

    In `prod_1 for release` no word is: the one that was meant is damaged.
    """
    plain = [*map(bare, words)]
    found = [w for w in plain if meant_as_env(w) and not meant_as_appid(w) and sense(w) is None]
    if dashed := [word for word in found if "-" in plain_dashes(word)]:
        return list(dict.fromkeys(dashed))
    before = map(plain_dashes, takewhile(lambda word: word not in found, plain))
    return [] if any(map(_LIKE_AN_ENV.match, before)) else list(dict.fromkeys(found))


def bare(word: str) -> str:
    """Return `word` without surrounding brackets, asterisks, quotation marks and punctuation."""
    return word.strip("<>()[]*_~!?:\"'“”„‘’")


def meant_as_env(word: str) -> bool:
    """Return whether `word` can be an env, if its long dashes are hyphens."""
    return is_env(plain_dashes(word))


def meant_as_appid(word: str) -> bool:
    """Return whether `word` is more likely a malformed appid than an env, which usually has a dash."""
    return word.lower() in {"appid", BLANK_APPID} or re.match(r"(?i)wx[^-]{10}", word) is not None


def words_outside_reason(words: Sequence[str]) -> list[str]:
    """Return the words outside the reason; after a complete command, everything after `--reason` belongs to it."""
    before = words_before_reason(words)
    whole = all(named_in(without_fillers(before)))
    options = [word for word in words if word.startswith("-") and not names_reason(word)]
    return [*before, *single_words(options)] if whole else single_words(words)


def words_before_reason(words: Sequence[str]) -> list[str]:
    """Return the words before `--reason`."""
    return single_words(takewhile(lambda word: not names_reason(word), words))


def objection_in(
    said: Sequence[str], loose: Sequence[str]
) -> tuple[OnlyShares | NeverEnds | UnknownWord | UnclearReceiver, list[str] | None] | None:
    """Return the mistake if everyday words ask for no share, for one that ends, or make its receiver unclear, and the words to correct, if possible.

    `loose` are the words that may ask for the opposite of a share. Words that begin with a subcommand are never a mistake.
    """
    if _begins_with_query(said):
        return None
    if opposites := meaning(loose, Sense.REVERSE):
        return OnlyShares(opposites[0]), None
    looks = meaning(said, Sense.LOOK)
    if looks and (len(looks) > 1 or looks != without_fillers(said)[:1]):
        return UnknownWord(looks[0], History.word), [History.word, *said]
    if lasts := ending(word for word in said if not meant_as_appid(bare(word))):
        return NeverEnds(lasts), None
    if _unclear_receiver(said):
        return UnclearReceiver(), [word for word in said if not is_appid(bare(word).lower())]
    return None


def misspelt_opposite(said: Sequence[str]) -> OnlyShares | None:
    """Return the mistake if an invalid command may contain a misspelt word for the opposite of a share."""
    word = next(filter(nearly_reverse, said), None)
    return OnlyShares(word) if word and not _begins_with_query(said) else None


def not_understood(words: Iterable[str], line: str) -> str | None:
    """Return the first word, before the last id that `line` would share, that may ask for something else."""
    parts = line.lower().split()[1:]
    if not is_appid(parts[0]) or {BLANK_ENV, "--dry-run"} & {*parts}:
        return None
    ids = {*takewhile(lambda part: not part.startswith("--"), parts)}
    said = split_chinese(words)
    names = [bare(word).lower() for word in said]
    last = max((names.index(each) for each in ids if each in names), default=0)
    return next((word for word in said[:last] if _may_ask(word, ids)), None)


def _may_ask(word: str, ids: set[str]) -> bool:
    plain = _KINDS.sub("", bare(word))
    known = sense(plain) is Sense.FILLER or meant_as_appid(plain.removesuffix("'s"))
    letters = re.sub("[-'’]", "", plain_dashes(plain)).isalpha()
    return letters and not known and plain.lower() not in ids and not word.startswith("-")


def _begins_with_query(said: Sequence[str]) -> bool:
    return any(
        word.lower() in FIRST_WORDS or stands_for(word) == Why.word
        for word in without_fillers(said)[:1]
    )


def _unclear_receiver(words: Sequence[str]) -> bool:
    """Return whether an appid in `words` may not be a receiver: it may be the owner, or be replaced by another."""
    bullet = next((word for word in words[:1] if word in _BULLETS), None)
    names = [bare(word) for word in words if word != bullet]
    at = [place for place, word in enumerate(names) if is_appid(word.lower())]
    around = ["", *names, ""]
    if any(_names_an_owner(around[place], around[place + 2]) for place in at):
        return True
    if any(_may_take(around[place]) for place in at[1:]):
        return True
    known = {*_JOINING, *map(str.lower, envs_in(words))}
    return any(
        word.lower() not in known and (word.isalpha() or sense(word) is Sense.FILLER)
        for word in (names[at[0] : at[-1]] if at else ())
        if not is_appid(word.lower())
    )


def _may_take(option: str) -> bool:
    """Return whether the word after this one may be its value, as in `--replace wx…`."""
    if not option.startswith("-") or "=" in option:
        return False
    return option.lstrip("-").lower() not in _NAMES and not nearest_option(option)


def _names_an_owner(before: str, after: str) -> bool:
    """Return whether an appid between these two words is the env's owner instead of a receiver."""
    comes_from = sense(before) is Sense.FILLER and before.lower().strip(":").endswith(_OWNING)
    asked_for_it = before.endswith("向") and after.startswith(("申请", "申請"))
    return comes_from or asked_for_it or after.startswith("的")
