"""Read the form's fields by the rules of the command: a Share, or the mistakes by field. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.command.beside import without_items
from bot.command.correction import wrong_reason
from bot.command.grammar import MOST_APPIDS, Share, is_appid, is_env
from bot.command.mistake import Mistake, Wrong
from bot.command.tokenizer import seen, tokenize_unquoted


@dataclass(frozen=True, slots=True)
class Fields:
    """The form's fields as submitted."""

    env: str = ""
    appids: str = ""
    reason: str = ""
    dry_run: bool = False


Mistakes = Mapping[str, Mistake]
"""The mistakes, each by the name of its field."""


def read_fields(fields: Fields, most: int = MOST_APPIDS) -> Share | Mistakes:
    """Return what the form asks for, or its mistakes. Duplicate appids count once, `most` at most. Never raises."""
    env = fields.env.strip()
    appids = tuple(dict.fromkeys(without_items(tokenize_unquoted(fields.appids))))
    reason = " ".join(seen(fields.reason).split())
    wrong = {
        "env": _wrong_env(env),
        "appids": _wrong_appids(appids, most),
        "reason": wrong_reason(reason),
    }
    mistakes = {name: mistake for name, mistake in wrong.items() if mistake}
    return mistakes or Share(appids, env, reason or None, fields.dry_run)


def env_in(text: str) -> str | None:
    """Return a typed env, read as in a command; None if it cannot be one."""
    words = tokenize_unquoted(text)
    return words[0] if len(words) == 1 and is_env(words[0]) else None


def _wrong_env(env: str) -> Mistake | None:
    if not env:
        return Mistake(Wrong.MISSING_ENV)
    return None if is_env(env) else Mistake(Wrong.NOT_AN_ENV, (env,))


def _wrong_appids(appids: tuple[str, ...], most: int) -> Mistake | None:
    if not appids:
        return Mistake(Wrong.MISSING_APPID)
    damaged = tuple(word for word in appids if not is_appid(word))
    if damaged:
        kind = Wrong.NOT_AN_APPID if len(damaged) == 1 else Wrong.NOT_APPIDS
        return Mistake(kind, damaged)
    return Mistake(Wrong.TOO_MANY_APPIDS, appids, most=most) if len(appids) > most else None
