"""Check the ledger without changing it: schema, whether it can be written, free disk space."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.finding import Finding, ok, unchecked, warning, wrong, wrong_by
from bot.domain.sentence import Sentence
from bot.ledger.collector import Unsent, unsent
from bot.ledger.database import (
    LET_IT_OWN,
    is_of_disk,
    reason_of,
    remedy,
    revision_of,
    side_files,
    user_of,
)
from bot.ledger.engine import CannotOpenError, file_of, how_to_restore, in_memory, parse
from bot.ledger.inspection import (
    Greeting,
    last_greeting,
    live_replicas,
    may_create,
    open_read_only,
    owed,
    path_problem,
    try_to_write,
)
from bot.ledger.schema import HEAD
from bot.ledger.seal import Seal, Sealed
from bot.ledger.tokens import StoredToken, at_rest
from bot.ops.doctor.findings import listed, others_may_read
from bot.settings.access import PlatformSettings, TokenSettings

_LEAST_FREE = 100 * 1000 * 1000  # bytes
_FULL = 1000 * 1000

StoredTokens = Mapping[str, tuple[StoredToken, set[Sealed]]]


@dataclass(frozen=True, slots=True)
class LedgerLook:
    """The findings about the ledger, and what other checks need from it; None where it could not be read."""

    findings: tuple[Finding, ...] = ()
    kept: StoredTokens | None = None
    replicas: int | None = None
    greeting: Greeting | None = None
    """How Slack last greeted a bot that runs, if one does."""
    unsent: Unsent | None = None
    """What AUDIT_URL does not have."""

    def good(self, name: str) -> str | None:
        """Return a token from the ledger if it is still valid."""
        kept = (self.kept or {}).get(name)
        return kept[0].value if kept and kept[0].left > 0 else None


def inspect_ledger(
    database_url: str, tokens: TokenSettings | None, audit_url: str | None = None
) -> LedgerLook:
    """Return the findings about the ledger, its tokens, and what AUDIT_URL does not have."""
    try:
        url = parse(database_url)
    except CannotOpenError as error:
        return LedgerLook((wrong_by("ledger", error.problem),))
    path = file_of(url)
    seen = _look(url, path, tokens, audit_url)
    if path:
        with suppress(OSError):  # the ledger has a finding about that
            free = shutil.disk_usage(path.parent).free
            return replace(seen, findings=(*seen.findings, _disk(path.parent, free)))
    return seen


def _look(
    url: URL, path: Path | None, tokens: TokenSettings | None, audit_url: str | None
) -> LedgerLook:
    if path and (trouble := path_problem(path)):
        return LedgerLook((wrong("ledger", *trouble),))
    if path and not path.is_file():
        gone = _gone(path)
        return LedgerLook((gone or _none_yet(path),), replicas=1 if gone else 0)
    if brief := in_memory(url):
        return LedgerLook((wrong("ledger", *brief),))
    try:
        with open_read_only(url) as engine:
            first = (_schema(engine), *_open_to_others(path))
            if first[0].level != "ok":
                return LedgerLook(first)
            # While the reader is open: see `open_read_only`.
            bots = _locked_by(path) if path else _alive(live_replicas(engine))
            findings = (*first, _write(url, path), bots.finding, _owed(*owed(engine)))
            greeting = last_greeting(engine) if bots.running else None
            kept = _kept(engine, tokens)
            return LedgerLook(findings, kept, bots.running, greeting, _unsent(engine, audit_url))
    except SQLAlchemyError as error:
        why = reason_of(error)
        found = Sentence("it cannot be read ({why})", why=why)
        return LedgerLook((wrong("ledger", found, remedy(path, why), *_causes(why)),))


def _gone(path: Path) -> Finding | None:
    """Return that the file was deleted or moved while a bot uses it, if so."""
    with suppress(OSError):
        process = user_of(path)
        if process is not None:
            found = Sentence(
                "{path} is gone, and a bot runs on it (process {process}), which records nothing any more",
                path=path,
                process=process or "?",
            )
            fix = Sentence(
                "Put the same file back; or stop the bot, {restore}, and start it.",
                restore=how_to_restore(path),
            )
            return wrong("ledger", found, fix)
    return None


def _none_yet(path: Path) -> Finding:
    folder = path.parent
    if not folder.is_dir():
        fix = Sentence("Make the folder, or correct DATABASE_URL.")
        return wrong("ledger", Sentence("there is no folder {folder}", folder=folder), fix)
    try:
        TemporaryFile(dir=folder).close()  # an unnamed file leaves nothing behind
    except OSError as error:
        fix = Sentence("Let the bot's user write there, or name another folder in DATABASE_URL.")
        return wrong(
            "ledger",
            Sentence(
                "nothing can be written in {folder} ({why})",
                folder=folder,
                why=error.strerror,
            ),
            fix,
        )
    return warning(
        "ledger",
        Sentence("there is none yet at {path}", path=path),
        Sentence("Start the bot once: it makes it."),
    )


def _schema(engine: Engine) -> Finding:
    with engine.connect() as connection:
        step = revision_of(connection)
    if step is not None and step > HEAD:
        fix = Sentence(
            "Install the newer version of the bot that wrote it, or name another database if another program did."
        )
        return wrong(
            "ledger",
            Sentence("schema {step}, and this bot knows {head}", step=step, head=HEAD),
            fix,
        )
    if step is None and not may_create(engine):
        found = Sentence(
            "the role in DATABASE_URL may create nothing in the database, and there is no ledger yet"
        )
        return wrong("ledger", found, LET_IT_OWN)
    if step != HEAD:
        found = (
            Sentence("schema {step}, and this bot needs {head}", step=step, head=HEAD)
            if step
            else Sentence("the database has none yet")
        )
        fix = Sentence("Start the bot once: it brings the schema up to date.")
        return warning("ledger", found, fix)
    return ok(
        "ledger", Sentence("schema {head}, {database}", head=HEAD, database=engine.dialect.name)
    )


def _open_to_others(path: Path | None) -> Iterator[Finding]:
    """Yield a finding if others can read the file, which has requests and tokens."""
    files = (
        [str(each) for each in (path, *side_files(path)) if others_may_read(each)] if path else []
    )
    if files:
        fix = Sentence("Run chmod 600 {names}.", names=" ".join(files))
        yield warning("ledger", Sentence("others may read {files}", files=listed(files)), fix)


def _write(url: URL, path: Path | None) -> Finding:
    try:
        try_to_write(url)
    except SQLAlchemyError as error:
        why = reason_of(error)
        fix = remedy(path, why, Sentence("Check the rights on the database."))
        return wrong(
            "ledger-write", Sentence("it takes nothing ({why})", why=why), fix, *_causes(why)
        )
    return ok("ledger-write", Sentence("it can be written to (tried, and taken back)"))


class _Bots(NamedTuple):
    """The finding about the bots that run on the ledger, and how many do; None if that is not known."""

    finding: Finding
    running: int | None


def _alive(running: int) -> _Bots:
    return (
        _Bots(ok("bot", Sentence("running on this ledger: {running}", running=running)), running)
        if running
        else _none()
    )


def _locked_by(path: Path) -> _Bots:
    """Return which bot has locked the file: on SQLite, only one can."""
    try:
        process = user_of(path)
    except OSError as error:
        return _Bots(
            unchecked(
                "bot",
                Sentence("its lock cannot be read ({why})", why=error.strerror),
                "ledger",
            ),
            None,
        )
    if process is None:
        return _none()
    return _Bots(
        ok("bot", Sentence("running on this ledger: process {process}", process=process or "?")), 1
    )


def _none() -> _Bots:
    fix = Sentence("Start it. If it ended by itself, the end of its log says why.")
    return _Bots(
        warning("bot", Sentence("none runs on this ledger, so nobody is answered"), fix), 0
    )


def _owed(count: int, seconds: float) -> Finding:
    if not count:
        return ok("owed", Sentence("Slack has taken every message"))
    found = Sentence(
        "requests whose next message Slack has not taken: {count}; the first for {minutes} minutes",
        count=count,
        minutes=f"{seconds // 60:.0f}",
    )
    fix = Sentence(
        "Nothing is lost for seven days. “Slack takes no message for now” in the bot's log says why."
    )
    return warning("owed", found, fix, "bot", "slack-bot", "slack-scopes")


def _causes(why: str) -> tuple[str, ...]:
    """Return the check that explains an error of the database, if it has a finding too."""
    return ("disk",) if is_of_disk(why) else ()


def _disk(folder: Path, free: int) -> Finding:
    left = Sentence("{free} MB free in {folder}", free=f"{free // 1_000_000:,}", folder=folder)
    if free < _FULL:
        return wrong("disk", left, Sentence("Make room there: the bot can record nothing."))
    if free < _LEAST_FREE:
        fix = Sentence("Make room, or delete old events: share-env-bot audit --delete-before DATE.")
        return warning("disk", left, fix)
    return ok("disk", left)


def _unsent(engine: Engine, audit_url: str | None) -> Unsent | None:
    if not audit_url:
        return None
    with engine.connect() as connection:
        return unsent(connection, audit_url)


def _kept(engine: Engine, tokens: TokenSettings | None) -> StoredTokens | None:
    if not isinstance(tokens, PlatformSettings):
        return None
    return at_rest(engine, tokens.appid, Seal(tokens.encryption_keys))
