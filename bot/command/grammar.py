"""The grammar of the command: subcommands, options, and the syntax of appids and envs. Pure.

The parser, the corrected line, the help and the test of the manifest all use the table of subcommands.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

SLASH_COMMAND = "/share-env"
OPTIONS = ("--reason", "--dry-run", "--again")
FLAGS = ("--dry-run", "--again")
REASON_LIMIT = 300
MOST_APPIDS = 500
BLANK_APPID, BLANK_ENV, BLANK_REASON = "<appid>", "<env>", "<reason>"
SHARE_HINT = f"{BLANK_APPID} {BLANK_ENV}"
SHARE_HELP = (
    "`/share-env <appid> <env>` shares an env with a mini program; the answer comes in a thread",
    '`--reason "…"` adds why; `--dry-run` says what would happen and does nothing',
    "`--again` also shares what was shared before",
    "`/share-env` alone opens a form; so do my shortcuts, in the menus of Slack and of each message",
)

# In the help, and in the lines that earlier versions offered.
_BLANK_REASONS = {BLANK_REASON, "…", "...", "why it is needed"}
# An appid is case-sensitive. The format of env ids has changed over the years, so that check is loose.
_APPID = re.compile(r"wx[0-9a-f]{16}")
_ENV = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Help:
    """Show what the requester may do."""

    word: ClassVar[str] = "help"


@dataclass(frozen=True, slots=True)
class Whoami:
    """Show who the requester is to the bot."""

    word: ClassVar[str] = "whoami"


@dataclass(frozen=True, slots=True)
class Why:
    """Show which rule decides about `env` and `appid`, and why."""

    word: ClassVar[str] = "why"

    appid: str
    env: str


@dataclass(frozen=True, slots=True)
class History:
    """List past requests: the requester's own, or those for one env or one appid."""

    word: ClassVar[str] = "history"

    about: str | None = None


Query = Help | Whoami | Why | History


@dataclass(frozen=True, slots=True)
class Alone:
    """Nothing follows the subcommand."""

    becomes: Callable[[], Query]


@dataclass(frozen=True, slots=True)
class WithName:
    """One appid or one env may follow the subcommand."""

    becomes: Callable[[str | None], Query]


@dataclass(frozen=True, slots=True)
class WithPair:
    """An appid and an env follow the subcommand."""

    becomes: Callable[[str, str], Query]


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand: its word, its arguments and the Query they build, and its line of help."""

    word: str
    takes: Alone | WithName | WithPair
    help: str

    @property
    def hint(self) -> str:
        """The word and what has to follow it, for the manifest."""
        return f"{self.word} {SHARE_HINT}" if isinstance(self.takes, WithPair) else self.word


SUBCOMMANDS = (
    Subcommand(
        Why.word,
        WithPair(Why),
        "`/share-env why <appid> <env>` says which rule decides, and why",
    ),
    Subcommand(
        History.word,
        WithName(History),
        "`/share-env history` lists your requests; `history <env>` and `history <appid>` those about one",
    ),
    Subcommand(
        Whoami.word,
        Alone(Whoami),
        "`/share-env whoami` shows your groups and the rules that apply to you",
    ),
    Subcommand(Help.word, Alone(Help), "`/share-env help` shows this"),
)
"""In the order of the help text."""

FIRST_WORDS = tuple(row.word for row in SUBCOMMANDS)


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
