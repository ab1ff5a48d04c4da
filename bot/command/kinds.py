"""The commands, and the forms of an appid and of an env."""

import re
from dataclasses import dataclass

from bot.command.grammar import Query

# An appid is case-sensitive; an env id has had several forms over the years, so its check is loose.
_APPID = re.compile(r"wx[0-9a-f]{16}")
_ENV = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Share:
    """Share `env` with `appid`; a dry run says what would happen and does nothing.

    `again` shares even what was shared before.
    """

    appid: str
    env: str
    reason: str | None = None
    dry_run: bool = False
    again: bool = False


MOST_APPIDS = 500


@dataclass(frozen=True, slots=True)
class ShareMany:
    """Share `env` with several appids: a batch; otherwise as Share."""

    appids: tuple[str, ...]
    env: str
    reason: str | None = None
    dry_run: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class OpenForm:
    """Open the form."""


Command = Share | ShareMany | OpenForm | Query


def is_appid(word: str) -> bool:
    """Tell whether `word` has the strict form of an appid: wx and 16 lower-case hex digits."""
    return _APPID.fullmatch(word) is not None


def is_env(word: str) -> bool:
    """Tell whether `word` can be the id of an env; an appid in whatever case cannot, nor can the word `env`."""
    form = _ENV.fullmatch(word) is not None
    return form and not is_appid(word.lower()) and not is_placeholder(word)


def is_placeholder(word: str) -> bool:
    """Tell whether `word` is the placeholder for an env in the bot's own texts."""
    return word.lower() in {"env", "<env>"}
