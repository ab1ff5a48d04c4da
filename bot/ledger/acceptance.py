"""Record a new request, or find what stands in its way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from bot.domain.request import BEGUN, Request, Retry, State
from bot.ledger.entries import NEW_COLUMNS, Entry, columns_of, read_entries
from bot.ledger.events import record
from bot.ledger.prepared import Prepared
from bot.ledger.schema import CARRIED, LANE, OPEN, SHARED, requests
from bot.ledger.statements import NOW, OPEN_OF, PAIR, among, compared, seconds, upsert, value_of

MOST_WAITING = 5
"""Batches of one person that may wait, for people or for their turn, besides one that runs."""


_FOUND_BY = ("id", "trigger_id", "team", "user", "env", "appid")
"""The columns by which what stands in the way of a new request is found."""

_r = requests.c

_SINGLE = and_(PAIR, _r.appid != "", OPEN)
_DONE = _r.outcome.in_([literal_column("'shared'"), literal_column("'unknown'")])
_UNDELIVERED = and_(_SINGLE, among([State.ANSWERED]), or_(_DONE, OPEN_OF))
_WAITS = and_(_SINGLE, among([State.WAITING]), OPEN_OF)

# The insert itself looks for what stands in its way, so that nothing comes in between.
_ACCEPT = Prepared(
    upsert(requests)
    .from_select(
        [*NEW_COLUMNS, "created", "until", "wake"],
        select(
            *(value_of(_r[name]) for name in NEW_COLUMNS),
            *(
                NOW,
                NOW + seconds("patience"),
                NOW + seconds("nap"),
            ),  # NULL where nobody is waited for
        ).where(
            ~exists().where(PAIR, CARRIED),
            ~exists().where(_WAITS),
            or_(bindparam("anew", type_=Boolean), ~exists().where(_UNDELIVERED)),
            or_(bindparam("regardless", type_=Boolean), ~exists().where(PAIR, SHARED)),
        ),
    )
    .on_conflict_do_nothing()
    .returning(_r.created)
)
_FIND_SAME = select(requests).where(or_(compared(_r.trigger_id), compared(_r.id)))
_FIND_UNDER_WAY = select(requests).where(or_(and_(PAIR, CARRIED), _WAITS))
_FIND_UNDELIVERED = select(requests).where(_UNDELIVERED)
_FIND_SHARED = select(requests).where(PAIR, SHARED).order_by(_r.ended.desc()).limit(1)
_WAITING_BATCHES = (
    select(func.count())
    .select_from(requests)
    .where(OPEN_OF, _r.appids.is_not(None), _r.lane.is_distinct_from(LANE))
    .where(among([State.CONFIRMING, State.WAITING, *BEGUN]))
)
_EARLIER = _r.id == bindparam("earlier")
_RETRY = (
    update(requests).where(_EARLIER, _r.retried_by.is_(None)).values(retried_by=bindparam("by"))
)
_NOT_RETRIED = update(requests).where(_EARLIER).values(retried_by=None)
_WITHDRAW = (
    update(requests)
    .where(compared(_r.id), among([State.ACCEPTED, State.CONFIRMING, State.WAITING]))
    .where(_r.decided_by.is_(None))
    .values(state=State.ENDED.value, ended=NOW, response_url=None)
)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request to record, in the state in which it begins; nobody holds it without a `holder`.

    CONFIRMING and WAITING end after `patience` seconds; with `retry` an earlier request is tried again.
    """

    request: Request
    state: State
    holder: str | None
    patience: float | None = None
    retry: Retry | None = None

    @property
    def columns(self) -> dict[str, object]:
        """The parameters of the statement that records it."""
        request, confirming = self.request, self.state is State.CONFIRMING
        return {
            **columns_of(request, self.state, self.holder),
            "regardless": request.again or request.is_batch,
            "anew": request.again or self.retry is not None or request.batch is not None,
            "patience": self.patience,
            "nap": self.patience if confirming else None,
        }

    @property
    def retried(self) -> dict[str, object]:
        """The parameters of the statement that uses up the one retry."""
        return {"earlier": self.retry.of, "by": self.retry.by} if self.retry else {}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Recorded, and held by this replica."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same trigger was recorded before."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same env is being shared with the same appid, or the same requester waits for just that."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The same was asked for and has ended, and Slack has not taken the answer yet."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class SharedBefore:
    """The same env was shared with the same appid."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class AlreadyRetried:
    """The earlier request was tried again already: once is enough."""


@dataclass(frozen=True, slots=True)
class TooManyBatches:
    """As many batches of this person wait as may."""


Acceptance = (
    Accepted | Duplicate | UnderWay | Undelivered | SharedBefore | AlreadyRetried | TooManyBatches
)


def accept(new: NewRequest, on: Connection) -> Acceptance:
    """Record a new request, unless something stands in its way."""
    fill = new.columns
    find = {f"the_{name}": fill[name] for name in _FOUND_BY}
    again, anew = new.request.again, bool(fill["anew"])
    if new.request.is_batch and (on.scalar(_WAITING_BATCHES, find) or 0) >= MOST_WAITING:
        return _find_conflict(on, find, again=True, anew=True) or TooManyBatches()
    if new.retry and not on.execute(_RETRY, new.retried).rowcount:
        return _find_conflict(on, find, again=True, anew=True) or AlreadyRetried()
    while True:
        created = _ACCEPT.run(on, {**fill, **find}).scalar()
        if created is not None:
            record(on, "accepted", new.request)
            if new.retry:
                asked = {"request": new.retry.of, "user": new.retry.by, "detail": new.request.id}
                record(on, "retried", new.request, asked)
            until = None if new.patience is None else created + new.patience
            return Accepted(Entry(new.request, new.state, 1, created, at=created, until=until))
        standing = _find_conflict(on, find, again=again, anew=anew)
        if standing is not None:
            if new.retry:
                on.execute(_NOT_RETRIED, new.retried)
            return standing
        # What stood in the way has ended since, so once more.


def withdraw(new: NewRequest, on: Connection) -> None:
    """End a request that may have been recorded although whoever asked was told that it was not."""
    if on.execute(_WITHDRAW, {"the_id": new.request.id}).rowcount:
        record(on, "withdrawn", new.request)
        if new.retry:
            on.execute(_NOT_RETRIED, new.retried)


def _find_conflict(
    on: Connection, find: Mapping[str, object], *, again: bool, anew: bool
) -> Duplicate | UnderWay | Undelivered | SharedBefore | None:
    """Return why a new request was not recorded; None if that has passed.

    With `again` it does also what was done before; with `anew` also what has an answer that Slack has not taken.
    """

    def first(query: Select[Any]) -> Entry | None:
        return max(read_entries(on, query, find), key=lambda entry: entry.created, default=None)

    if known := first(_FIND_SAME):
        return Duplicate(known)
    if under_way := first(_FIND_UNDER_WAY):
        return UnderWay(under_way)
    if not anew and (undelivered := first(_FIND_UNDELIVERED)):
        return Undelivered(undelivered)
    if not again and (shared := first(_FIND_SHARED)):
        return SharedBefore(shared)
    return None
