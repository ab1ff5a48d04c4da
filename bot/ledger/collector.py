"""Which events the collector of the record has: its cursor, and the next ones to send.

On PostgreSQL an event with a smaller id may become visible after one with a larger id. Each INSERT locks the table
(RowExclusiveLock) before it draws its id, until its transaction has ended, and no lock is released before the commit is
visible. So once every transaction that held such a lock after an id was seen has ended, no smaller id will appear.
Source: postgresql.org, "Explicit Locking", "pg_locks".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, text, update

from bot.ledger.lease import LEASE
from bot.ledger.schema import collectors, events, replicas, requests
from bot.ledger.statements import NOW, compared, upsert, value_of
from bot.ledger.writer import Operations, Writer, in_transaction

WORDS = ("reason", "comment")
"""The columns with what people wrote in an event's request."""

_TOP = select(func.coalesce(func.max(events.c.id), 0)).scalar_subquery()
BEGIN = upsert(
    lambda insert: (
        insert(collectors)
        .values(key=value_of(collectors.c.key), cursor=value_of(collectors.c.cursor))
        .on_conflict_do_nothing()
    )
)
"""Begins to send to a collector after this cursor, if it is not known yet."""

_THE = compared(collectors.c.key)
_STANDS = select(collectors.c.cursor, collectors.c.holder).where(_THE)
# A lease that ends later than it can have been given was given before the clock was set back.
_ALIVE = exists().where(
    replicas.c.id == collectors.c.holder,
    and_(replicas.c.lease_until > NOW, replicas.c.lease_until <= NOW + LEASE),
)
_ME = bindparam("me", type_=collectors.c.holder.type)
_TAKE = (
    update(collectors).where(_THE, or_(collectors.c.holder.is_(None), ~_ALIVE)).values(holder=_ME)
)
_MOVE = (
    update(collectors)
    .where(_THE, compared(collectors.c.cursor), collectors.c.holder == _ME)
    .values(cursor=bindparam("last"))
)
LOWERED = update(collectors).where(collectors.c.cursor > _TOP).values(cursor=_TOP)
"""After a deletion of events, of which SQLite uses the ids again, so that none with such an id is skipped."""

_OPEN = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock'"
    " AND relation = 'events'::regclass"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_AFTER = events.c.id > bindparam("after")
_OLDEST = select(NOW - events.c.at).where(_AFTER).order_by(events.c.id).limit(1)
_FIRST = select(events).where(_AFTER).order_by(events.c.id).limit(1)
_COUNT = select(func.count()).select_from(events).where(_AFTER)
_NEXT = (
    select(events, *(requests.c[name] for name in WORDS))
    .outerjoin(requests, events.c.request == requests.c.id)
    .where(_AFTER, events.c.id <= bindparam("safe"))
    .order_by(events.c.id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Due:
    """What a collector is to get next: the rows after its cursor, with the WORDS of their requests.

    None of them if another replica sends. `behind` is the age in seconds of the oldest event that it does not have, `unsent`
    how many ids are after its cursor.
    """

    cursor: int
    rows: Sequence[Mapping[str, object]] = ()
    behind: float = 0.0
    unsent: int = 0


@dataclass(frozen=True, slots=True)
class Unsent:
    """What a collector does not have: how many events, the age of the first in seconds, and its row."""

    count: int
    seconds: float
    first: Mapping[str, object]


def unsent(on: Connection, url: str) -> Unsent | None:
    """Return what a collector does not have; None if it has all, or is not known."""
    cursor = on.scalar(select(collectors.c.cursor).where(_THE), {"the_key": key_of(url)})
    after = {"after": cursor}
    first = on.execute(_FIRST, after).mappings().one_or_none() if cursor is not None else None
    if first is None:
        return None
    return Unsent(
        on.scalar(_COUNT, after) or 0, max(on.scalar(_OLDEST, after) or 0.0, 0.0), {**first}
    )


def key_of(url: str) -> str:
    """Return the key of the collector at a URL, which may hold secrets; one with another query is the same."""
    return sha256(url.partition("?")[0].encode()).hexdigest()


class Collector(Operations):
    """What one replica sends to the collector at `url`, while no other does."""

    def __init__(self, writer: Writer, holder: str, url: str) -> None:
        super().__init__(writer)
        self._holder = holder
        self._key = {"the_key": key_of(url)}
        self._safe = 0
        """No event up to this id will become visible any more; used in transactions only, like the two below."""
        self._seen = 0
        self._open = frozenset[str]()
        """The transactions that may have drawn an id up to `_seen`."""

    @in_transaction
    def due(self, on: Connection, most: int) -> Due:
        """Return at most so many of the next events; a collector that is not known yet begins now."""
        found = on.execute(_STANDS, self._key).one_or_none()
        if found is None:
            # Not before what is under way has ended: it may have smaller ids, and be committed after this.
            if not self._look(on):
                return Due(0)
            BEGIN.run(on, {**self._key, "the_cursor": self._safe})
            found = on.execute(_STANDS, self._key).one()
        cursor = found.cursor
        behind = on.scalar(_OLDEST, {"after": cursor})
        if behind is None:
            return Due(cursor)
        top = on.scalar(select(_TOP)) or 0
        due = Due(cursor, (), max(behind, 0.0), top - cursor)
        if not self._holds(on, found.holder):
            return due
        if top > self._safe:
            self._look(on)
        which = {"after": cursor, "safe": self._safe, "most": most}
        rows = on.execute(_NEXT, which).mappings().all()
        return replace(due, rows=[dict(row) for row in rows])

    def _holds(self, on: Connection, holder: str | None) -> bool:
        """Tell whether this replica sends; it takes over from one whose lease has expired."""
        if holder == self._holder:
            return True
        return on.execute(_TAKE, {**self._key, "me": self._holder}).rowcount == 1

    def _look(self, on: Connection) -> bool:
        """Move `_safe` up, and return True, unless a transaction is open that may have a smaller id."""
        if on.dialect.name == "sqlite":  # one writes after the other
            self._safe = on.scalar(select(_TOP)) or 0
            return True
        if self._open:
            self._open &= frozenset(on.scalars(_OPEN))
        else:
            # The id first: whoever locks the table later draws a larger one.
            self._seen = on.scalar(select(_TOP)) or 0
            self._open = frozenset(on.scalars(_OPEN))
        if not self._open:
            self._safe = self._seen
        return not self._open

    @in_transaction
    def took(self, on: Connection, due: Due, last: int) -> None:
        """Record that the collector has all up to this id; no effect if it was set back, or another replica sends."""
        which = {**self._key, "the_cursor": due.cursor, "me": self._holder, "last": last}
        on.execute(_MOVE, which)
