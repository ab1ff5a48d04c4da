"""Completion for a line that is being typed: the command, subcommands, appids, envs, options."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bot.command.grammar import SLASH_COMMAND, is_appid
from bot.playground.world import APPID

Choice = tuple[str, str]

_COMMANDS: Sequence[Choice] = (
    (SLASH_COMMAND, "share an env with a mini program; alone it opens a form"),
    ("/invite @share-env", "add the bot to this conversation"),
    ("/remove @share-env", "take it out again"),
)
_FIRST: Sequence[Choice] = (
    (APPID, "a mini program to try"),
    ("help", "what you may share, and what you can type"),
    ("history", "your requests"),
    ("whoami", "your groups and rules, and the tokens"),
    ("why", "which rule decides"),
)
_ENVS: Sequence[Choice] = (
    ("prod-1", "the platform team may"),
    ("test-1", "second may as well"),
    ("live-1", "asks whether you are sure"),
    ("core-1", "needs an approval"),
)
_OPTIONS: Sequence[Choice] = (
    ('--reason "', "why, for everybody to read"),
    ("--dry-run", "only say what would happen"),
    ("--again", "also where it was shared before"),
)


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that replaces the last `typed` characters, with what follows it; `about` describes it."""

    word: str
    about: str
    typed: int


def completions(line: str) -> Iterator[Completion]:
    """Yield the completions of a line's last word."""
    before, blank, last = line.rpartition(" ")
    choices = _choices(before.split()) if blank else _COMMANDS
    for word, about in choices:
        if word.startswith(last) and word != last:
            yield Completion(word if word.endswith('"') else f"{word} ", about, len(last))


def _choices(before: Sequence[str]) -> Sequence[Choice]:
    """Return what can follow these words."""
    match before:
        case ["/invite" | "/remove"]:
            return [("@share-env", "the bot")]
        case [command, *_] if command != SLASH_COMMAND:
            return []
        case [_]:
            return _FIRST
        case [_, "why" | "history"]:
            return [_FIRST[0]]
        case [_, "why" | "history", appid]:
            return _ENVS if is_appid(appid) else []
        case [_, *_, last] if is_appid(last):
            return _ENVS
        case [_, first, *rest] if is_appid(first):
            return [option for option in _OPTIONS if option[0].strip(' "') not in rest]
        case _:
            return []
