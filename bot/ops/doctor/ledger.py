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

    def good(self, name: str) -> str | None:
        """Return a token from the ledger if it is still valid."""
        kept = (self.kept or {}).get(name)
        return kept[0].value if kept and kept[0].left > 0 else None


def inspect_ledger(database_url: str, tokens: TokenSettings | None) -> LedgerLook:
    """Return the findings about the ledger, and its tokens."""
    try:
        url = parse(database_url)
    except CannotOpenError as error:
        return LedgerLook((wrong_by("ledger", str(error)),))
    path = file_of(url)
    seen = _look(url, path, tokens)
    if path:
        with suppress(OSError):  # the ledger has a finding about that
            free = shutil.disk_usage(path.parent).free
            return replace(seen, findings=(*seen.findings, _disk(path.parent, free)))
    return seen


def _look(url: URL, path: Path | None, tokens: TokenSettings | None) -> LedgerLook:
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
            return LedgerLook(findings, _kept(engine, tokens), bots.running, greeting)
    except SQLAlchemyError as error:
        why = reason_of(error)
        found = f"it cannot be read ({why})"
        return LedgerLook((wrong("ledger", found, remedy(path, why), *_causes(why)),))


def _gone(path: Path) -> Finding | None:
    """Return that the file was deleted or moved while a bot uses it, if so."""
    with suppress(OSError):
        process = user_of(path)
        if process is not None:
            found = f"{path} is gone, and a bot runs on it (process {process or '?'}), which records nothing any more"
            fix = f"Put the same file back; or stop the bot, {how_to_restore(path)}, and start it."
            return wrong("ledger", found, fix)
    return None


def _none_yet(path: Path) -> Finding:
    folder = path.parent
    if not folder.is_dir():
        fix = "Make the folder, or correct DATABASE_URL."
        return wrong("ledger", f"there is no folder {folder}", fix)
    try:
        TemporaryFile(dir=folder).close()  # an unnamed file leaves nothing behind
    except OSError as error:
        fix = "Let the bot's user write there, or name another folder in DATABASE_URL."
        return wrong("ledger", f"nothing can be written in {folder} ({error.strerror})", fix)
    return warning("ledger", f"there is none yet at {path}", "Start the bot once: it makes it.")


def _schema(engine: Engine) -> Finding:
    with engine.connect() as connection:
        step = revision_of(connection)
    if step is not None and step > HEAD:
        fix = "Install the newer version of the bot that wrote it, or name another database if another program did."
        return wrong("ledger", f"schema {step}, and this bot knows {HEAD}", fix)
    if step is None and not may_create(engine):
        found = "the role in DATABASE_URL may create nothing in the database, and there is no ledger yet"
        return wrong("ledger", found, LET_IT_OWN)
    if step != HEAD:
        found = f"schema {step}, and this bot needs {HEAD}" if step else "the database has none yet"
        fix = "Start the bot once: it brings the schema up to date."
        return warning("ledger", found, fix)
    return ok("ledger", f"schema {HEAD}, {engine.dialect.name}")


def _open_to_others(path: Path | None) -> Iterator[Finding]:
    """Yield a finding if others can read the file, which has requests and tokens."""
    files = (
        [str(each) for each in (path, *side_files(path)) if others_may_read(each)] if path else []
    )
    if files:
        fix = f"Run chmod 600 {' '.join(files)}."
        yield warning("ledger", f"others may read {listed(files)}", fix)


def _write(url: URL, path: Path | None) -> Finding:
    try:
        try_to_write(url)
    except SQLAlchemyError as error:
        why = reason_of(error)
        fix = remedy(path, why, "Check the rights on the database.")
        return wrong("ledger-write", f"it takes nothing ({why})", fix, *_causes(why))
    return ok("ledger-write", "it can be written to (tried, and taken back)")


class _Bots(NamedTuple):
    """The finding about the bots that run on the ledger, and how many do; None if that is not known."""

    finding: Finding
    running: int | None


def _alive(running: int) -> _Bots:
    return _Bots(ok("bot", f"running on this ledger: {running}"), running) if running else _none()


def _locked_by(path: Path) -> _Bots:
    """Return which bot has locked the file: on SQLite, only one can."""
    try:
        process = user_of(path)
    except OSError as error:
        return _Bots(
            unchecked("bot", f"its lock cannot be read ({error.strerror})", "ledger"), None
        )
    if process is None:
        return _none()
    return _Bots(ok("bot", f"running on this ledger: process {process or '?'}"), 1)


def _none() -> _Bots:
    fix = "Start it. If it ended by itself, the end of its log says why."
    return _Bots(warning("bot", "none runs on this ledger, so nobody is answered", fix), 0)


def _owed(count: int, seconds: float) -> Finding:
    if not count:
        return ok("owed", "Slack has taken every message")
    found = f"requests whose next message Slack has not taken: {count}; the first for {seconds // 60:.0f} minutes"
    fix = "Nothing is lost for seven days. “Slack takes no message for now” in the bot's log says why."
    return warning("owed", found, fix, "bot", "slack-bot", "slack-scopes")


def _causes(why: str) -> tuple[str, ...]:
    """Return the check that explains an error of the database, if it has a finding too."""
    return ("disk",) if is_of_disk(why) else ()


def _disk(folder: Path, free: int) -> Finding:
    left = f"{free // 1_000_000:,} MB free in {folder}"
    if free < _FULL:
        return wrong("disk", left, "Make room there: the bot can record nothing.")
    if free < _LEAST_FREE:
        fix = "Make room, or delete old events: share-env-bot audit --delete-before DATE."
        return warning("disk", left, fix)
    return ok("disk", left)


def _kept(engine: Engine, tokens: TokenSettings | None) -> StoredTokens | None:
    if not isinstance(tokens, PlatformSettings):
        return None
    return at_rest(engine, tokens.appid, Seal(tokens.encryption_keys))
