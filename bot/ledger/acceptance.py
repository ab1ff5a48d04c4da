"""Record a new request, or find the request it conflicts with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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

from bot.domain.kept import KeptShare
from bot.domain.request import BEGUN, Request, Retry, State
from bot.ledger.entries import NEW_COLUMNS, Entry, columns_of, read_entries
from bot.ledger.events import record
from bot.ledger.kept import OF_PAIR, kept_of_pair
from bot.ledger.lease import Lease
from bot.ledger.schema import CARRIED, LANE, OPEN, SHARED, WAITING, requests
from bot.ledger.statements import (
    NOW,
    OPEN_OF,
    PAIR,
    TRIES,
    WITH_PLACES,
    among,
    compared,
    seconds,
    upsert,
    value_of,
)
from bot.ledger.writer import LedgerDownError, Writer

MOST_WAITING = 5
"""The most batches of one person that may wait, for people or for their turn, besides the one that runs."""

_r = requests.c

_WAITS = and_(PAIR, WAITING, OPEN_OF)
_DONE = _r.outcome.in_([literal_column("'shared'"), literal_column("'unknown'")])
_OWED = and_(PAIR, _r.appid != "", OPEN, among([State.ANSWERED]), or_(_DONE, OPEN_OF))
_IGNORE_OWED = bindparam("ignore_owed", type_=Boolean)
_IGNORE_SHARED = bindparam("ignore_shared", type_=Boolean)

# The insert itself checks for conflicts, so that no other write comes in between.
_NEW = select(
    *(value_of(_r[name]) for name in NEW_COLUMNS),
    NOW,
    NOW + seconds("patience"),  # NULL unless it waits for people
    NOW + seconds("nap"),
).where(
    ~exists().where(PAIR, CARRIED),
    ~exists().where(_WAITS),
    or_(_IGNORE_OWED, ~exists().where(_OWED)),
    or_(_IGNORE_SHARED, ~exists().where(PAIR, SHARED)),
    or_(_IGNORE_SHARED, ~exists().where(*OF_PAIR)),
)
_ACCEPT = upsert(
    lambda insert: (
        insert(requests)
        .from_select([*NEW_COLUMNS, "created", "until", "wake"], _NEW)
        .on_conflict_do_nothing()
        .returning(_r.created)
    )
)
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
class _OfEntry:
    entry: Entry


class Accepted(_OfEntry):
    """Recorded, with the lease that was asked for."""


class Duplicate(_OfEntry):
    """A request with the same trigger or id was recorded before."""


class UnderWay(_OfEntry):
    """The same env is being shared with the same appid, or the same requester's request for that waits for approval."""


class Undelivered(_OfEntry):
    """The same pair has an undelivered answer: this requester's, or anybody's if it was shared or is unknown."""


class SharedBefore(_OfEntry):
    """The same env was shared with the same appid."""


@dataclass(frozen=True, slots=True)
class SharedLongAgo:
    """The same env was shared with the same appid, by a request that was deleted since."""

    share: KeptShare


@dataclass(frozen=True, slots=True)
class AlreadyRetried:
    """The earlier request was retried before; it can be retried only once."""


@dataclass(frozen=True, slots=True)
class TooManyBatches:
    """MOST_WAITING batches of this person wait already."""


Conflict = Duplicate | UnderWay | Undelivered | SharedBefore
Acceptance = Accepted | Conflict | SharedLongAgo | AlreadyRetried | TooManyBatches


_CONFLICTS: Mapping[type[Conflict], Select[Any]] = {
    Duplicate: select(requests).where(or_(compared(_r.trigger_id), compared(_r.id))),
    UnderWay: WITH_PLACES.where(PAIR, OPEN, or_(CARRIED, _WAITS)),
    Undelivered: select(requests).where(~_IGNORE_OWED, _OWED),
    SharedBefore: (
        WITH_PLACES.where(~_IGNORE_SHARED, PAIR, SHARED).order_by(_r.ended.desc()).limit(1)
    ),
}
"""The queries for each conflict, in the order in which they are reported."""


class NewRequests:
    """Records new requests; this replica holds those that need no confirmation first."""

    def __init__(self, writer: Writer, lease: Lease, holder: str) -> None:
        self._writer = writer
        self._lease = lease
        self._holder = holder

    async def accept(
        self,
        request: Request,
        state: State = State.ACCEPTED,
        *,
        patience: float | None = None,
        retry: Retry | None = None,
    ) -> Acceptance:
        """Record a new request, or return the conflict that kept it from being recorded.

        CONFIRMING and WAITING expire after `patience` seconds; a request in CONFIRMING is leased to no replica.
        """
        fill = {
            "ignore_owed": request.again or retry is not None,
            "ignore_shared": request.again,
            **columns_of(request, state, None if state is State.CONFIRMING else self._holder),
            "patience": patience,
            "nap": patience if state is State.CONFIRMING else None,
        }
        # On an error the requester is told that nothing was done, so the request must not stand.
        undo = partial(_withdraw, request=request, retry=retry)
        record_it = partial(_accept, request=request, state=state, fill=fill, retry=retry)
        acceptance = await self._writer.run_or(undo, record_it, request=request.id)
        if isinstance(acceptance, Accepted) and state is not State.CONFIRMING:
            self._lease.acquired(acceptance.entry)
        return acceptance


def _accept(
    on: Connection, request: Request, state: State, fill: Mapping[str, Any], retry: Retry | None
) -> Acceptance:
    """Record a new request with these parameters, or return the conflict that kept it from being recorded."""
    if request.appids and (on.scalar(_WAITING_BATCHES, fill) or 0) >= MOST_WAITING:
        return _find_conflict(on, fill) or TooManyBatches()
    if retry and not on.execute(_RETRY, {"earlier": retry.of, "by": retry.by}).rowcount:
        return _find_conflict(on, {**fill, "ignore_shared": True}) or AlreadyRetried()
    for _ in range(TRIES):
        created = _ACCEPT.scalar(on, fill)
        if created is not None:
            record(on, "accepted", request)
            if retry:
                facts = {"request": retry.of, "user": retry.by, "detail": request.id}
                record(on, "retried", request, facts)
            patience = fill["patience"]
            until = None if patience is None else created + patience
            return Accepted(Entry(request, state, 1, created, at=created, until=until))
        if conflict := _find_conflict(on, fill):
            if retry:
                on.execute(_NOT_RETRIED, {"earlier": retry.of})
            return conflict
        # The conflicting request has ended since, so try again.
    raise LedgerDownError("a new request is neither recorded nor in conflict with another")


def _withdraw(on: Connection, request: Request, retry: Retry | None) -> None:
    """End a request that may have been recorded although the requester was told that it was not."""
    if on.execute(_WITHDRAW, {"the_id": request.id}).rowcount:
        record(on, "withdrawn", request)
        if retry:
            on.execute(_NOT_RETRIED, {"earlier": retry.of})


def _find_conflict(on: Connection, find: Mapping[str, Any]) -> Conflict | SharedLongAgo | None:
    """Return the newest request that a new one conflicts with; None if it has ended since."""
    for kind, query in _CONFLICTS.items():
        if entries := read_entries(on, query, **find):
            return kind(max(entries, key=lambda entry: entry.created))
    if find["ignore_shared"]:
        return None
    kept = kept_of_pair(on, find["the_env"], find["the_appid"])
    return SharedLongAgo(kept) if kept else None
