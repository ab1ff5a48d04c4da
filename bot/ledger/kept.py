"""The shares whose requests were deleted: that they were made stays known for ever, and nothing about people."""

from typing import Any

from sqlalchemy import Connection, Select, bindparam, select

from bot.command.grammar import is_appid
from bot.domain.kept import KeptShare
from bot.ledger import entries
from bot.ledger.entries import Entry
from bot.ledger.schema import kept_shares
from bot.ledger.statements import compared

_k = kept_shares.c
OF_PAIR = compared(_k.env), compared(_k.appid)
"""The conditions that a share was of this pair; its parameters are those of PAIR."""

_ALL = select(kept_shares).order_by(_k.ended.desc())
_OF_REQUEST = _ALL.where(compared(_k.request))
_OF_PAIR = _ALL.where(*OF_PAIR).limit(1)
_OF_APPID = _ALL.where(compared(_k.appid)).limit(bindparam("most"))
_OF_ENV = _ALL.where(compared(_k.env)).limit(bindparam("most"))


def find_kept(on: Connection, request_id: str) -> KeptShare | None:
    """Return the share that a deleted request made; None if there is none, or for a text that databases refuse."""
    if not (request_id.isascii() and request_id.isprintable()):
        return None
    return _first(on, _OF_REQUEST, the_request=request_id)


def kept_of_pair(on: Connection, env: str, appid: str) -> KeptShare | None:
    """Return the newest share of an env with an appid whose request was deleted."""
    return _first(on, _OF_PAIR, the_env=env, the_appid=appid)


def kept_about(on: Connection, about: str, limit: int) -> list[KeptShare]:
    """Return the newest shares about an env or appid whose requests were deleted."""
    query, name = (_OF_APPID, "the_appid") if is_appid(about) else (_OF_ENV, "the_env")
    return _read(on, query, **{name: about, "most": limit})


def find_told(on: Connection, request_id: str) -> Entry | KeptShare | None:
    """Return a request or, if it was deleted, the share that it made."""
    return entries.find(on, request_id) or find_kept(on, request_id)


def past_shares(on: Connection, env: str, limit: int) -> list[Entry | KeptShare]:
    """Return the requests that shared an env, as `entries.shares`, and then so many shares of deleted ones."""
    return [*entries.shares(on, env, limit), *kept_about(on, env, limit)]


def past_requests(
    on: Connection, mine: tuple[str, str], about: str | None, limit: int
) -> list[Entry | KeptShare]:
    """Return the newest requests, as `entries.history`, and then, with `about`, so many shares of deleted ones."""
    kept = kept_about(on, about, limit) if about else []
    return [*entries.history(on, mine, about, limit), *kept]


def _first(on: Connection, query: Select[Any], **which: str) -> KeptShare | None:
    return next(iter(_read(on, query, **which)), None)


def _read(on: Connection, query: Select[Any], **which: object) -> list[KeptShare]:
    return [KeptShare(**row) for row in on.execute(query, which).mappings()]
