"""The subcommand that a line begins with, stands for, or asks for as a question. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise

from bot.command.grammar import SUBCOMMANDS, Subcommand, Verb, is_appid
from bot.command.naming import is_like_an_id, parts
from bot.command.vocabulary import Sense, is_understood, sense, senses

_STAND_FOR = {
    Verb.HELP: re.compile("帮助|怎么|如何|how$", re.IGNORECASE),
    Verb.WHOAMI: re.compile("我是谁"),
    Verb.WHY: re.compile("为什么|为何"),
}
_GREETINGS = {"hi", "hello", "hey", "so", "ok", "okay", "sorry", "please", "pls", "plz"}
_INVERTED = {
    "can",
    "could",
    "may",
    "might",
    "shall",
    "should",
    "would",
    "will",
    "do",
    "does",
    "am",
    "are",
    "is",
}


def first_word(words: Sequence[str]) -> str:
    """Return the first word that is no filler, which may be a subcommand; empty if there is none."""
    return next((word for word in words if not is_understood(word)), "")


def subcommand(word: str) -> Subcommand | None:
    """Return the subcommand that `word` is, or stands for."""
    plain = word.lower().rstrip("?!:.…")
    means = next((first for first, said in _STAND_FOR.items() if said.match(plain)), plain)
    if sense(means) is Sense.LOOK:
        means = Verb.HISTORY
    return next((row for row in SUBCOMMANDS if row.verb == means), None)


def question(words: Sequence[str]) -> Verb | None:
    """Return the subcommand that answers a line if it is a question, or asks for past requests."""
    said = set[object]().union(*map(senses, words))
    asks = Sense.ASK in said or _is_inverted(words) or any(word.endswith("?") for word in words)
    looks, may = Sense.LOOK in said, Sense.MAY in said
    named = any(is_appid(part) or is_like_an_id(part) for word in words for part in parts(word))
    if Sense.WHAT in said and not named and (may or not looks):
        return Verb.HELP
    if may and (asks or looks):
        return Verb.WHY
    if looks or Sense.WHAT in said:
        return Verb.HISTORY
    return Verb.WHY if asks else None


def _is_inverted(words: Sequence[str]) -> bool:
    """Return whether the line begins as `can I` does; `can you` asks for a share."""
    said = [word.lower() for word in words if word.lower() not in _GREETINGS]
    return any(word in _INVERTED and then != "you" for word, then in list(pairwise(said))[:1])
