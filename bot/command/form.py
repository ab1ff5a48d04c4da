"""Read the form's fields by the rules of the command: a Share, or the mistakes by field. Pure."""

import re
from dataclasses import dataclass

from bot.command.correction import wrong_reason
from bot.command.grammar import MOST_APPIDS, Share, is_appid, is_env
from bot.command.mistake import (
    MissingAppid,
    MissingEnv,
    Mistake,
    NotAnAppid,
    NotAnEnv,
    TooManyAppids,
)
from bot.command.tokenizer import tokenize_unquoted, visible

# The sign or the number of an item, in front of an appid: here nobody gets a corrected line, as for a command. The blanks
# are bounded, or a page of line breaks would take a fifth of a second.
_ITEM = re.compile(
    r"^[^\S\n]*(?:[•◦▪·・*–-]\s{0,9}|\d{1,3}(?:[.)、）]\s{0,9}|\s{1,9}))(?=wx)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Fields:
    """The form's fields as submitted."""

    env: str = ""
    appids: str = ""
    reason: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The mistakes by field; for the appids one for each wrong word, in order."""

    env: Mistake | None = None
    appids: tuple[Mistake, ...] = ()
    reason: Mistake | None = None

    @property
    def all(self) -> tuple[Mistake, ...]:
        """Return all mistakes, in the order of the fields."""
        return tuple(filter(None, (self.env, *self.appids, self.reason)))


def read(fields: Fields) -> Share | Mistakes:
    """Return what the form asks for, or its mistakes. Duplicate appids count once. Never raises."""
    env = fields.env.strip()
    appids = tuple(dict.fromkeys(tokenize_unquoted(_ITEM.sub("", fields.appids))))
    reason = " ".join(visible(fields.reason).split())
    mistakes = Mistakes(_wrong_env(env), _wrong_appids(appids), wrong_reason(reason))
    if mistakes.all:
        return mistakes
    return Share(appids, env, reason or None, fields.dry_run)


def env_in(text: str) -> str | None:
    """Return a typed env, read as in a command; None if it cannot be one."""
    words = tokenize_unquoted(text)
    return words[0] if len(words) == 1 and is_env(words[0]) else None


def _wrong_env(env: str) -> Mistake | None:
    if not env:
        return MissingEnv()
    return None if is_env(env) else NotAnEnv(env)


def _wrong_appids(appids: tuple[str, ...]) -> tuple[Mistake, ...]:
    if not appids:
        return (MissingAppid(),)
    damaged = tuple(NotAnAppid(word) for word in appids if not is_appid(word))
    if damaged:
        return damaged
    if len(appids) > MOST_APPIDS:
        return (TooManyAppids(len(appids), MOST_APPIDS),)
    return ()
