"""Read past requests: those of a person, an env or an appid, and the envs themselves."""

from sqlalchemy import Connection, bindparam, func, select, text

from bot.command.grammar import is_appid
from bot.domain.outcome import Finished
from bot.ledger.entries import Entry, read_entries
from bot.ledger.schema import requests
from bot.ledger.statements import ASKED_BY, WITH_PLACES, compared

_r = requests.c

# Newest first. A batch is one line, except in the history of an appid, which lists items.
_NEWEST = WITH_PLACES.order_by(_r.created.desc()).limit(bindparam("most"))
_HISTORY = _NEWEST.where(ASKED_BY, _r.batch.is_(None))
_HISTORY_OF_APPID = _NEWEST.where(compared(_r.appid))
_HISTORY_OF_ENV = _NEWEST.where(compared(_r.env), _r.batch.is_(None))
_SHARES_OF_ENV = _HISTORY_OF_ENV.where(text("outcome in ('shared', 'finished')"))
# A loose index scan from env to env, since there are few of them and many requests for each.
_FIRST = select(func.min(_r.env).label("env")).cte("known", recursive=True)
_NEXT = select(func.min(_r.env)).where(_r.env > _FIRST.c.env).scalar_subquery()
_KNOWN = _FIRST.union_all(select(_NEXT).where(_FIRST.c.env.is_not(None)))
_ASKED_FOR = select(func.max(_r.created)).where(_r.env == _KNOWN.c.env).scalar_subquery()
_ENVS = (
    select(_KNOWN.c.env)
    .where(_KNOWN.c.env.is_not(None))
    .order_by(_ASKED_FOR.desc())
    .limit(bindparam("most"))
)


def history(on: Connection, mine: tuple[str, str], about: str | None, limit: int) -> list[Entry]:
    """Return the newest requests of `mine`, a (team, user), or with `about` everybody's for this env or appid."""
    if about is None:
        return read_entries(on, _HISTORY, the_team=mine[0], the_user=mine[1], most=limit)
    if is_appid(about):
        return read_entries(on, _HISTORY_OF_APPID, the_appid=about, most=limit)
    return read_entries(on, _HISTORY_OF_ENV, the_env=about, most=limit)


def shares(on: Connection, env: str, limit: int) -> list[Entry]:
    """Return the requests that shared an env, among the newest `limit` that shared it or were batches for it."""
    found = read_entries(on, _SHARES_OF_ENV, the_env=env, most=limit)
    return [e for e in found if not isinstance(e.outcome, Finished) or e.outcome.tally.shared]


def envs(on: Connection, limit: int) -> list[str]:
    """Return the envs of past requests, the most recent first."""
    return [*on.scalars(_ENVS, {"most": limit})]
