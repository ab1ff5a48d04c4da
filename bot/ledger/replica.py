"""This replica's leases: it sends heartbeats, holds the requests it works on, and takes over those that are free.

A take-over raises the request's fence, so that the former holder can no longer write.
"""

import logging
import math
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, and_, bindparam, case, delete, exists, func, or_, select, update

from bot.domain.request import State
from bot.ledger.entries import Entry, entry_of, key_of, stands
from bot.ledger.events import record
from bot.ledger.lease import LEASE, Lease
from bot.ledger.schema import OPEN, replicas, requests
from bot.ledger.statements import (
    MINE,
    NOW,
    OWED_SECONDS,
    READ_AT,
    STANDS,
    among,
    compared,
    seconds,
    upsert,
    value_of,
)
from bot.ledger.writer import LedgerDownError, Operations, Writer, in_transaction

_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0  # seconds before an owed message is retried
_PROOF = 10.0  # seconds for which a proof counts

T = TypeVar("T")

_log = logging.getLogger(__name__)

_r = requests.c

_RELEASE_WAITING = (
    update(requests)
    .where(MINE, among([State.WAITING]))
    .values(holder=None, owed=None, wake=seconds("the_wake"))
)
_THIRD = (NOW - func.coalesce(_r.owed, NOW)) / 3
_PAUSE = case(
    (_THIRD > _LONGEST_PAUSE, _LONGEST_PAUSE), (_THIRD < _FIRST_PAUSE, _FIRST_PAUSE), else_=_THIRD
)
_AT_LEAST = seconds("at_least")
_OWE = (
    update(requests)
    .where(STANDS, _r.holder.is_not(None))
    .values(
        holder=None,
        owed=case((_r.owed <= NOW, _r.owed), else_=NOW),
        wake=NOW + case((_PAUSE < _AT_LEAST, _AT_LEAST), else_=_PAUSE),
    )
)
_OWED = select(OWED_SECONDS).where(OPEN)

_FROM_NOW = NOW + seconds("seconds")
_LEASE_UNTIL = {"lease_until": _FROM_NOW}
# One that ends later than it can have been given was given before the clock was set back.
_LASTS = and_(replicas.c.lease_until > NOW, replicas.c.lease_until <= _FROM_NOW)
_HEARTBEAT = upsert(
    lambda insert: (
        insert(replicas)
        .values(id=value_of(replicas.c.id), **_LEASE_UNTIL)
        .on_conflict_do_update(index_elements=["id"], set_=_LEASE_UNTIL)
    )
)
_DELETE_REPLICAS = delete(replicas)
_DELETE_EXPIRED = _DELETE_REPLICAS.where(~_LASTS)
_DELETE_REPLICA = delete(replicas).where(compared(replicas.c.id))
_OTHERS = replicas.alias("others")
_RUNNING = (
    select(func.count())
    .where(or_(_OTHERS.c.lease_until > NOW, _OTHERS.c.id == value_of(replicas.c.id)))
    .scalar_subquery()
)
_ON_ME = update(replicas).where(compared(replicas.c.id))
_REFUSED = _ON_ME.values(greeted=NOW, refusal=bindparam("refusal"))
_GREETED = _REFUSED.values(
    bots=_RUNNING, connections=bindparam("connections"), app=bindparam("app")
)

_ME = bindparam("me", type_=_r.holder.type)
_ALIVE = exists().where(replicas.c.id == _r.holder, _LASTS)
# A replica that crashed still holds its requests, and one that stops releases them. With `wake` nobody was working on it.
_TIMES = case(
    (_r.wake.is_not(None), _r.taken_over),
    (_r.holder.is_not(None), _r.taken_over + 1),
    (_r.taken_over == 0, 1),
    else_=_r.taken_over,
)
# What has been owed since a time to come is due: the clock was set back.
_IS_DUE = or_(_r.wake.is_(None), _r.wake <= NOW, _r.owed > NOW)
_HOLDERS = (
    select(_r.holder, replicas.c.lease_until)
    .distinct()
    .select_from(requests.outerjoin(replicas, replicas.c.id == _r.holder))
    .where(OPEN, _r.holder != _ME)
)
_SILENT = and_(_r.holder.in_(bindparam("silent", expanding=True)), ~_ALIVE)
_FREE = (
    select(_r.id)
    .where(OPEN, _r.batch.is_(None), _IS_DUE)
    .where(or_(_r.holder.is_(None), _SILENT))
    .order_by(_r.created)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=requests)
    .cte("free")
)
# It may have left calls to Slack that are carried out late.
_CRASHED = _r.holder.is_not(None)
_TAKE_OVER = (
    update(requests)
    .where(_r.id.in_(select(_FREE.c.id)))
    .values(holder=_ME, fence=_r.fence + 1, taken_over=_TIMES)
    .values(doubted=case((_CRASHED, NOW), else_=_r.doubted))
    .values(recheck=case((_CRASHED, NOW + seconds("recheck_after")), else_=_r.recheck))
    .returning(requests, READ_AT)
)
# If a take-over was rolled back, a click may have got the same fence and holder, but not the same state.
_RELEASE = update(requests).where(STANDS, compared(_r.holder)).values(holder=None)
_RELEASE_ALL = update(requests).where(compared(_r.holder), OPEN).values(holder=None)


class Replica(Operations):
    """Holds requests by leases of `seconds`; `exclusive` if no other process can use the ledger.

    It takes over from a replica that has been silent for `silence` seconds; with less than those of a lease, the former
    holder may still be working if the database's clock leaps.
    """

    def __init__(  # noqa: PLR0913  # as Ledger
        self,
        writer: Writer,
        holder: str,
        seconds: float,
        silence: float,
        recheck_after: float,
        *,
        exclusive: bool,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(writer)
        self._given = {"seconds": seconds}
        self._silence = 0.0 if exclusive else silence
        self._clock = clock
        self.lease = Lease(math.inf if exclusive else seconds, clock)
        self.holder = holder
        self._recheck = {"recheck_after": recheck_after}
        self._exclusive = exclusive
        self._last_heartbeat: float | None = None
        """When the ledger last took a heartbeat, by `clock`; None after a failed one."""
        self._takes_writes, self._last_proof = True, -math.inf
        """Whether the ledger took the last proof of `prove_writable`, and when that began, by `clock`."""
        self.owed_seconds = 0.0
        """The age of the oldest owed answer at the last heartbeat, of all replicas."""
        self._watched: dict[str, tuple[float | None, float]] = {}
        """The other holders: their lease at the last look, and since when it has been that one, by `clock`."""
        self._looked = -math.inf

    async def start(self) -> None:
        """Send the first heartbeat, and delete the leases that have expired or, if this replica is exclusive, all."""
        dead = _DELETE_REPLICAS if self._exclusive else _DELETE_EXPIRED
        await self._writer.run(lambda on: on.execute(dead, self._given))
        await self._writer.run(self._beat)
        await self.heartbeat()  # which also reads the requests: a damaged ledger ends the start

    @in_transaction
    def stop(self, on: Connection) -> None:
        """Release all requests and delete the lease."""
        on.execute(_RELEASE_ALL, {"the_holder": self.holder})
        on.execute(_DELETE_REPLICA, {"the_id": self.holder})

    async def heartbeat(self) -> None:
        """Send a heartbeat, which renews the lease; an exclusive replica only reads, since no other one looks for it."""
        try:
            self.owed_seconds = await self._heartbeat_after(lambda on: on.scalar(_OWED) or 0.0)
        except LedgerDownError:
            self._last_heartbeat = None
            raise

    async def prove_writable(self) -> None:
        """Write, at most once in ten seconds, if this replica is exclusive: its heartbeats do not show that the disk is full.

        Not after a failed heartbeat, so that nobody waits for a ledger that is known to be down.
        """
        now = self._clock()
        if not self._exclusive or self._last_heartbeat is None or now < self._last_proof + _PROOF:
            return
        self._last_proof = now
        try:
            await self._writer.run(self._beat)
            self._takes_writes = True
        except LedgerDownError as error:
            self._takes_writes = False
            _log.warning("the ledger is down", extra={"reason": str(error)})

    @in_transaction
    def greeted(self, on: Connection, connections: int | None, app: str | None) -> None:
        """Record Slack's hello: how many connections the app has, with how many bots on this ledger, and its id."""
        said = {"connections": connections, "app": app, "refusal": None}
        on.execute(_GREETED, {"the_id": self.holder, **said})

    @in_transaction
    def refused(self, on: Connection, reason: str) -> None:
        """Record why Slack refuses a connection."""
        on.execute(_REFUSED, {"the_id": self.holder, "refusal": reason})

    @property
    def writable(self) -> bool:
        """Whether the ledger took the last heartbeat, less than a lease ago, and the last proof; does not ask the database."""
        last = self._last_heartbeat
        return last is not None and self._clock() - last < LEASE and self._takes_writes

    async def holds(self, entry: Entry) -> bool:
        """Tell whether this replica holds a request; asks the database only if the lease has expired meanwhile."""
        if self.lease.covers(entry):
            return True
        holds = await self._heartbeat_after(lambda on: stands(on, entry, entry.state))
        if holds:
            self.lease.acquired(entry)
        return holds

    @in_transaction
    def release(self, on: Connection, entry: Entry) -> None:
        """Release a request, so that any replica may take it over; no effect if another one holds it."""
        self._release(on, entry)

    @in_transaction
    def release_waiting(self, on: Connection, entry: Entry, wake: float) -> None:
        """Release a request whose approvers were asked, until there is something to do about it at `wake`, in Unix seconds."""
        on.execute(_RELEASE_WAITING, {**key_of(entry), "the_wake": wake})

    @in_transaction
    def owe(self, on: Connection, entry: Entry, why: str, at_least: float = 0.0) -> None:
        """Release a request whose next message Slack refuses for now; `why` becomes the detail of the event `owed`.

        Any replica may take it over after a third of the time for which it has been owed, at least 2 and at most 300
        seconds, and no sooner than `at_least` seconds from now.
        """
        owing = {**key_of(entry), "the_state": entry.state.value, "at_least": at_least}
        if on.execute(_OWE, owing).rowcount and entry.owed_since is None:
            record(on, "owed", entry.request, {"detail": why})

    async def take_over(self, limit: int) -> list[Entry]:
        """Take over up to `limit` requests that are released, or whose holder is silent; the oldest first."""
        taken: list[Entry] = []

        def work(on: Connection) -> list[Entry]:
            which = {"me": self.holder, "most": max(limit, 0), "silent": self._silent(on)}
            rows = on.execute(_TAKE_OVER, which | self._recheck | self._given).mappings()
            taken[:] = sorted(map(entry_of, rows.all()), key=lambda entry: entry.created)
            for entry in taken:
                if entry.wake is None:  # else nobody was working on it
                    detail = f"number {entry.taken_over}"
                    record(on, "taken over", entry.request, {"detail": detail})
            return taken

        def put_back(on: Connection) -> None:
            for entry in taken:
                self._release(on, entry)

        await self._writer.run_or(put_back, work, kind="taken over")
        for entry in taken:
            self.lease.acquired(entry)
        return taken

    def _silent(self, on: Connection) -> list[str]:
        """Return the other holders that have sent no heartbeat for `_silence` seconds of this replica's own clock.

        The database's clock alone would not do: if it jumps, all leases expire at once. A replica that did not look for
        so long, as it was frozen or the database was down, watches anew.
        """
        holders = on.execute(_HOLDERS, {"me": self.holder}).all()
        now = self._clock()  # when the heartbeats that it found had been sent
        before = self._watched if now - self._looked < self._silence else {}
        self._looked, self._watched = now, {}
        for holder, lease_until in holders:
            seen, since = before.get(holder, (lease_until, now))
            self._watched[holder] = lease_until, since if seen == lease_until else now
        return [
            holder for holder, (_, since) in self._watched.items() if now - since >= self._silence
        ]

    async def _heartbeat_after(self, work: Callable[[Connection], T]) -> T:
        """Do some work and send a heartbeat in the same transaction, and renew the lease from when that was asked for."""

        def both(on: Connection) -> T:
            result = work(on)
            if not self._exclusive:
                self._beat(on)
            return result

        began = self._clock()
        result = await self._writer.run(both)
        self._last_heartbeat = self._clock()
        self.lease.renew(began)
        return result

    def _beat(self, on: Connection) -> None:
        _HEARTBEAT.run(on, {"the_id": self.holder, **self._given})

    def _release(self, on: Connection, entry: Entry) -> None:
        still = {"the_holder": self.holder, "the_state": entry.state.value}
        on.execute(_RELEASE, {**key_of(entry), **still})
