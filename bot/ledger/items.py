"""The rows of a batch's items: record them, skip those that need no call, and read how they ended.

One statement covers many items, and returns one row for all that are in the same state: a batch of hundreds takes a few
statements, not one for each item.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import (
    Connection,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from bot.domain.outcome import Outcome, Skipped, SkipReason
from bot.domain.request import Request, State, item_ids, item_of
from bot.ledger.entries import NEW_COLUMNS, columns_of, decode, encode
from bot.ledger.events import record
from bot.ledger.schema import CARRIED, SHARED, kept_shares, requests
from bot.ledger.statements import NOW, TRIES, compared, upsert, value_of
from bot.ledger.writer import LedgerDownError


class _JsonEach(GenericFunction[Any]):
    """The pairs of a JSON object, as rows of key and value."""

    name = "json_each"
    inherit_cache = True


@compiles(_JsonEach, "postgresql")
def _as_text(function: _JsonEach, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each_text(CAST({compiler.process(function.clauses, **how)} AS json))"


_r = requests.c
_OF_BATCH = compared(_r.batch)

# `the_items` maps the new items' ids to their appids; all other columns are the same for all.
_ITEM = _JsonEach(bindparam("the_items", type_=Text)).table_valued("key", "value").alias("item").c
_OWN = {"id": _ITEM.key, "trigger_id": _ITEM.key, "appid": _ITEM.value}
_NEW = [_OWN.get(name, value_of(_r[name])) for name in NEW_COLUMNS]
_SAME_PAIR = and_(compared(_r.env), _r.appid == _ITEM.value)
_UNDER_WAY = exists().where(_SAME_PAIR, CARRIED)
_KEPT = exists().where(kept_shares.c.env == value_of(_r.env), kept_shares.c.appid == _ITEM.value)
_SHARED_BEFORE = and_(~value_of(_r.again), or_(exists().where(_SAME_PAIR, SHARED), _KEPT))
_QUEUED = select(*_NEW, NOW).where(~_SHARED_BEFORE)
_QUEUE = upsert(
    lambda insert: (
        insert(requests).from_select([*NEW_COLUMNS, "created"], _QUEUED).on_conflict_do_nothing()
    )
)
_REASONS = {encode(Skipped(why)): why for why in (SkipReason.UNDER_WAY, SkipReason.SHARED_BEFORE)}
_WHY_UNDER_WAY, _WHY_BEFORE = map(literal, _REASONS)
_SKIPPED = select(
    *(*_NEW, NOW, NOW, literal("skipped")),
    case((_UNDER_WAY, _WHY_UNDER_WAY), else_=_WHY_BEFORE),
).where(or_(_UNDER_WAY, _SHARED_BEFORE))
_SKIP = upsert(
    lambda insert: (
        insert(requests)
        .from_select([*NEW_COLUMNS, "created", "ended", "outcome", "ending"], _SKIPPED)
        .on_conflict_do_nothing()
        .returning(_r.id, _r.ending)
    )
)
_IDS = func.aggregate_strings(_r.id, " ")
_RECORDED = select(_IDS).where(_OF_BATCH)
_HOW = _r.begun, _r.ending, _r.called_again
_ITEMS = select(_IDS, *_HOW).where(_OF_BATCH).group_by(*_HOW)


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a batch; the outcome is None while it is open.

    `begun` if WeChat may have been called, `called_again` if a crash led to a second call or, while it is open, will.
    """

    id: str
    appid: str
    begun: bool
    outcome: Outcome | None
    called_again: bool = False


def record_items(on: Connection, batch: Request, most: int | None = None) -> bool:
    """Record the items of a batch that are not recorded yet, `most` at most; return whether none is left.

    Those with nothing left to do end as Skipped.
    """
    unrecorded = _unrecorded(on, batch, item_ids(batch))
    missing = dict(islice(unrecorded.items(), most))
    is_last = len(missing) == len(unrecorded)
    for _ in range(TRIES):
        if not missing:
            return is_last
        some = item_of(batch, *next(iter(missing.items())))
        new = {**columns_of(some, State.QUEUED, None), "the_items": json.dumps(missing)}
        if _QUEUE.run(on, new) == len(missing):
            return is_last
        missing = _unrecorded(on, batch, missing)
        _skip_items(on, batch, missing, new)
        # The requests that the remaining items conflicted with have ended since, so try again.
    raise LedgerDownError("items of a batch are neither recorded nor left out")


def _unrecorded(on: Connection, batch: Request, appids: Mapping[str, str]) -> dict[str, str]:
    recorded = set((on.scalar(_RECORDED, {"the_batch": batch.id}) or "").split())
    return {id_: appid for id_, appid in appids.items() if id_ not in recorded}


def _skip_items(
    on: Connection, batch: Request, missing: dict[str, str], new: Mapping[str, object]
) -> None:
    for id_, ending in _SKIP.rows(on, {**new, "the_state": State.ENDED.value}):
        item = item_of(batch, id_, missing.pop(id_))
        record(on, "left out", item, {"detail": _REASONS[ending].value})


def read_items(on: Connection, batch: Request) -> list[Item]:
    """Return the recorded items of a batch, in the order of the command."""
    rows = on.execute(_ITEMS, {"the_batch": batch.id}).all()
    how = {
        id_: (begun, decode(ending), called_again)
        for ids, begun, ending, called_again in rows
        for id_ in ids.split()
    }
    return [Item(id_, appid, *how[id_]) for id_, appid in item_ids(batch).items() if id_ in how]
