"""The grammar of the command: subcommands, options, and the syntax of appids and envs. Pure.

The parser, the corrected line, the help and the test of the manifest all use the table of subcommands.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

SLASH_COMMAND = "/share-env"
MENTION = "@share-env"
"""What people type to mention the bot; its name is in the manifest."""
OPTIONS = ("--reason", "--dry-run", "--again")
FLAGS = ("--dry-run", "--again")
REASON_LIMIT = 300
MOST_APPIDS = 500
BLANK_APPID, BLANK_ENV, BLANK_REASON = "<appid>", "<env>", "<reason>"
SHARE_HINT = f"{BLANK_APPID} {BLANK_ENV}"
SHARE_HELP = (
    "`/share-env <appid> <env>` shares an env with an app; the answer comes in a thread",
    '`--reason "…"` adds why; `--dry-run` says what would happen and does nothing',
    "`--again` also shares what was shared before",
    "`/share-env` alone opens a form; so do my shortcuts, in the menus of Slack and of each message",
)
MENTION_HELP = (
    "`@share-env` does the same as `/share-env`, also in a thread, in channels that I am in"
)

# In the help, and in the lines that earlier versions offered.
_BLANK_REASONS = {BLANK_REASON, "…", "...", "why it is needed"}
# An appid is case-sensitive. The format of env ids has changed over the years, so that check is loose.
_APPID = re.compile(r"wx[0-9a-f]{16}")
_ENV = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


class Verb(StrEnum):
    """The first word of a command that asks instead of sharing."""

    WHY = "why"
    HISTORY = "history"
    WHOAMI = "whoami"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Query:
    """A question, about as many ids as its subcommand takes; `history` without one lists the requester's own requests."""

    verb: Verb
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand: its word, whether nothing, one id at most, or an appid and an env follow, and its line of help."""

    verb: Verb
    takes: Literal[0, 1, 2]
    help: str

    @property
    def hint(self) -> str:
        """The word and what has to follow it, for the manifest."""
        return f"{self.verb} {SHARE_HINT}" if self.takes > 1 else self.verb


SUBCOMMANDS = (
    Subcommand(Verb.WHY, 2, "`/share-env why <appid> <env>` says which rule decides, and why"),
    Subcommand(
        Verb.HISTORY,
        1,
        "`/share-env history` lists your requests; `history <env>` and `history <appid>` those about one; "
        "`history <id>` shows a request",
    ),
    Subcommand(
        Verb.WHOAMI, 0, "`/share-env whoami` shows your groups and the rules that apply to you"
    ),
    Subcommand(Verb.HELP, 0, "`/share-env help` says what you may share, and what you can type"),
)
"""In the order of the help text."""

FIRST_WORDS = tuple(row.verb.value for row in SUBCOMMANDS)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a command that have been parsed so far."""

    reason: str | None = None
    dry_run: bool = False
    again: bool = False

    def given(self) -> tuple[str, ...]:
        """Return the names of the given options."""
        flags = ("--dry-run",) * self.dry_run + ("--again",) * self.again
        return ("--reason",) * (self.reason is not None) + flags


@dataclass(frozen=True, slots=True)
class Share:
    """Share `env` with one appid or, as a batch, with several.

    With `dry_run`, only report what would happen; with `again`, also repeat an earlier share.
    """

    appids: tuple[str, ...]
    env: str
    reason: str | None = None
    dry_run: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class OpenForm:
    """Open the form."""


Command = Share | OpenForm | Query


def is_appid(word: str) -> bool:
    """Return whether `word` has the exact syntax of an appid: wx and 16 lower-case hex digits."""
    return _APPID.fullmatch(word) is not None


def is_env(word: str) -> bool:
    """Return whether `word` can be an env id. An appid in any case cannot, nor can a placeholder."""
    form = _ENV.fullmatch(word) is not None
    return form and not is_appid(word.lower()) and not is_placeholder(word)


def is_placeholder(word: str) -> bool:
    """Return whether `word` is a placeholder for an env in the bot's own texts."""
    return word.lower() in {"env", BLANK_ENV}


def is_blank_reason(reason: str) -> bool:
    """Return whether `reason` is a placeholder for a reason in the bot's own texts."""
    return reason.lower() in _BLANK_REASONS
