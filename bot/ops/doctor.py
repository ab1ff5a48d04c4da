"""`share-env-bot doctor`: look at everything the bot needs, change nothing, and name the fix for what is wrong."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from bot.ledger.audit import open_for_audit
from bot.ledger.opening import CannotOpenError, reason_of
from bot.ledger.schema import HEAD, metadata
from bot.ledger.seal import Sealed, seal_of
from bot.ledger.tokens import at_rest
from bot.link import Link, LinkState
from bot.settings import Settings, load
from bot.token_settings import PlatformSettings
from bot.wechat.upkeep import link_states

_MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}
_LINKS = {Link.TICKET: "ticket", Link.PLATFORM: "platform's token", Link.OWNER: "token of"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and the fix where there is something to fix."""

    check: str
    verdict: Literal["ok", "warning", "wrong"]
    found: str
    fix: str | None = None


def doctor(environ: Mapping[str, str], *, as_json: bool) -> bool:
    """Print one line for each check, or JSON; return whether nothing is wrong."""
    findings = [*examine(environ)]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            print(f"{_MARKS[finding.verdict]} {finding.check}: {finding.found}")
            if finding.fix:
                print(f"  → {finding.fix}")
    sys.stdout.flush()
    return all(finding.verdict != "wrong" for finding in findings)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what each check finds; those that build on a check that failed are left out."""
    settings = load(environ)
    if not isinstance(settings, Settings):
        for problem in settings:
            what, _, fix = problem.partition(". ")
            yield Finding("settings", "wrong", f"{what}.".replace("..", "."), fix or None)
        return
    yield Finding("settings", "ok", "all there")
    try:
        engine = open_for_audit(settings.database_url)
        yield _ledger(engine)
        if isinstance(settings.tokens, PlatformSettings):
            yield from _chain(engine, settings.tokens, settings.policy.all_owners)
    except CannotOpenError as error:
        yield Finding("ledger", "wrong", str(error))
    except SQLAlchemyError as error:
        yield Finding(
            "ledger", "wrong", f"it cannot be read ({reason_of(error)})", "Check DATABASE_URL."
        )


def _ledger(engine: Engine) -> Finding:
    missing = sorted(set(metadata.tables) - set(inspect(engine).get_table_names()))
    if missing:
        fix = "Start the bot once: it brings the schema up to date."
        return Finding("ledger", "wrong", f"no table {', '.join(missing)}", fix)
    return Finding("ledger", "ok", f"schema {HEAD}, {engine.dialect.name}")


def _chain(engine: Engine, platform: PlatformSettings, owners: Sequence[str]) -> Iterator[Finding]:
    found = at_rest(engine, platform.appid, seal_of(platform.encryption_keys))
    states = link_states({name: kept for name, (kept, _) in found.items()}, owners)
    yield from map(_link, states)
    by_state = {
        state: sorted(name for name, (_, states) in found.items() if state in states)
        for state in Sealed
    }
    yield from (_sealed(state, names) for state, names in by_state.items() if names)


def _link(state: LinkState) -> Finding:
    name = " ".join(filter(None, [_LINKS[state.link], state.owner]))
    fix = state.trouble.steps[0] if state.trouble else "Start the bot, and look at its log."
    why = (
        f"; the last try failed{_at(state.trouble_at)}: {state.trouble.title}"
        if state.trouble
        else ""
    )
    if state.good_until is None:
        return Finding(name, "wrong", f"there is no good one{why}", fix)
    good = f"good until {_utc(state.good_until)}, renewed {_utc(state.renewed)}{why}"
    return Finding(name, "warning" if why else "ok", good, fix if why else None)


def _sealed(state: Sealed, names: Sequence[str]) -> Finding:
    listed = f"{state.value}: {', '.join(names)}"
    match state:
        case Sealed.NEWEST:
            return Finding("encryption", "ok", listed)
        case Sealed.OLDER:
            fix = "Keep the older key in TOKEN_ENCRYPTION_KEY until each was renewed once, in two hours."
            return Finding("encryption", "warning", listed, fix)
        case Sealed.PLAIN:
            return Finding("encryption", "warning", listed, "Set TOKEN_ENCRYPTION_KEY.")
        case Sealed.LOST:
            fix = "Put the key back, or let the bot get new tokens: it asks WeChat for the refresh tokens."
            return Finding("encryption", "wrong", listed, fix)


def _utc(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _at(at: float | None) -> str:
    return f" ({_utc(at)})" if at else ""
