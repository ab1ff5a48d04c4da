"""The deletion of what is old, a few rows in each transaction; `audit --delete-before` and the bot itself use the same.

A request goes with all its events, and a batch with all its items, once it ended before a day and nothing has happened
about it since. Events of no request go by their own age. Of each share there stays that it was made, see `kept.py`.

One at a time: whoever deletes locks the only row of `deletions` in each transaction. It counts what no event has told yet,
so that a replica which is killed leaves the rest, and the event, to the next.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from bot.ledger.collector import LOWERED, key_of
from bot.ledger.events import record_own
from bot.ledger.schema import ENDED, collectors, deletions, events, kept_shares, requests
from bot.ledger.statements import NOW, seconds, upsert

DELETED = "deleted"
"""The kind of the event that records a deletion; its detail says how much."""

DAY = 86_400.0
"""The seconds of a day."""

_MOST_REQUESTS, _MOST_EVENTS = 100, 1000  # in one transaction, since acks wait for it

_BEFORE = seconds("before")
_BEGIN = upsert(
    lambda insert: insert(deletions).values(id=1, requests=0, events=0).on_conflict_do_nothing()
)
_LOCK = select(deletions).with_for_update(skip_locked=True)
_COUNT = update(deletions).values(
    requests=deletions.c.requests + bindparam("more_requests"),
    events=deletions.c.events + bindparam("more_events"),
)
_TOLD = update(deletions).values(requests=0, events=0)

_item = requests.alias("item")
_r = requests.c


def _happened_since(request: FromClause) -> ColumnElement[bool]:
    return exists().where(events.c.request == request.c.id, events.c.at >= _BEFORE)


_ITEM_STAYS = exists().where(
    _item.c.batch == _r.id,
    or_(_item.c.ended.is_(None), _item.c.recheck.is_not(None), _happened_since(_item)),
)
_OLD = (
    select(_r.id, _r.appids)
    .where(ENDED, _r.ended < _BEFORE, _r.recheck.is_(None))
    .where(~_happened_since(requests), ~_ITEM_STAYS)
    .order_by(_r.ended)
    .limit(_MOST_REQUESTS)
    .with_for_update(skip_locked=True, of=requests)
)
_THESE: BindParameter[Any] = bindparam("these", expanding=True)
_WITH_ITEMS = select(_r.id).where(or_(_r.id.in_(_THESE), _r.batch.in_(_THESE)))
_KEPT = ("env", "appid", "owner", "ended")
_KEEP = insert(kept_shares).from_select(
    ["request", *_KEPT],
    select(_r.id, *(_r[name] for name in _KEPT))
    .where(_r.id.in_(_THESE), _r.outcome == "shared")
    .where(~exists().where(kept_shares.c.request == _r.id)),
)
_DELETE_REQUESTS = delete(requests).where(_r.id.in_(_THESE))
_DELETE_EVENTS = delete(events).where(events.c.request.in_(_THESE))
_LOOSE = (
    select(events.c.id)
    .where(events.c.at < _BEFORE)
    .where(or_(events.c.request.is_(None), ~exists().where(_r.id == events.c.request)))
    .order_by(events.c.at)
    .limit(_MOST_EVENTS)
)
_DELETE_LOOSE = delete(events).where(events.c.id.in_(_LOOSE))
_CURSOR = select(collectors.c.cursor).where(collectors.c.key == bindparam("key")).scalar_subquery()
# The sum keeps the index of the times out, by which all old events would be read for each transaction.
_UNSENT = (
    select(func.count())
    .select_from(events)
    .where(events.c.id > _CURSOR, events.c.at + literal_column("0") < _BEFORE)
)


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much one transaction deleted; nothing if all that is old is gone."""

    requests: int = 0
    events: int = 0

    def __bool__(self) -> bool:
        return bool(self.requests or self.events)


@dataclass(frozen=True, slots=True)
class Unsendable:
    """Nothing was deleted, since the collector does not have so many events from before the day."""

    count: int


class Busy:
    """Somebody else is deleting."""


def delete_some(on: Connection, before: float, url: str | None) -> Deleted | Unsendable | Busy:
    """Delete a few of the requests, else of the events, from before a time; nothing is left once it returns an empty Deleted.

    Only if the collector at `url`, if there is one, has all events from before. The last transaction records an event, if
    anything was deleted.
    """
    _BEGIN.run(on, {})
    if on.execute(_LOCK).one_or_none() is None:
        return Busy()
    if on.dialect.name != "sqlite":
        # Nobody may set the cursor back before the commit; see `sending.py`.
        on.exec_driver_sql("LOCK TABLE events IN ROW EXCLUSIVE MODE")
    old: dict[str, Any] = {"before": before}
    if url and (unsent := on.scalar(_UNSENT, {**old, "key": key_of(url)})):
        return Unsendable(unsent)
    done = _delete_requests(on, before) or Deleted(0, on.execute(_DELETE_LOOSE, old).rowcount)
    on.execute(LOWERED)
    if done:
        on.execute(_COUNT, {"more_requests": done.requests, "more_events": done.events})
    else:
        _tell(on, before)
    return done


def delete_old(
    on: Connection, now: float, days: int, url: str | None
) -> Deleted | Unsendable | Busy:
    """Delete a few as `delete_some`, from before the day, in UTC, that was `days` ago.

    By the earlier of `now` and the database's clock: if one is set ahead by mistake, nothing is deleted too early.
    """
    today = min(now, on.scalar(select(NOW)) or 0.0) // DAY * DAY
    return delete_some(on, today - days * DAY, url)


def _delete_requests(on: Connection, before: float) -> Deleted:
    whole, size = list[str](), 0
    for id_, appids in on.execute(_OLD, {"before": before}):
        size += 1 + len((appids or "").split())
        if whole and size > _MOST_REQUESTS:  # a batch may be large
            break
        whole.append(id_)
    if not whole:
        return Deleted()
    these = {"these": [*on.scalars(_WITH_ITEMS, {"these": whole})]}
    on.execute(_KEEP, these)
    gone = on.execute(_DELETE_EVENTS, these).rowcount
    return Deleted(on.execute(_DELETE_REQUESTS, these).rowcount, gone)


def _tell(on: Connection, before: float) -> None:
    """Record what was deleted since the last event of this kind."""
    _, many, several = on.execute(select(deletions)).one()
    if many or several:
        day = datetime.fromtimestamp(before, UTC)
        detail = f"{many} requests and {several} events from before {day:%Y-%m-%d}"
        record_own(on, DELETED, {"detail": detail})
        on.execute(_TOLD)
