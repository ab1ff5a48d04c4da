"""One thread that talks to the database; writes that come together are committed together.

Synchronous SQLAlchemy in a thread was measured faster than the asynchronous drivers, on both databases.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from bot.ledger.database import reason_of
from bot.ledger.events import EventListener, discard, flush
from bot.runtime.observers import Transacted, no_op

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds after which whoever waits is told that the database does not answer."""

_TOGETHER = 100
# No retry mends these: the value itself is in the way, or a row, such as another request for the same, accepted since.
# Anything else may be mended: a server that is away, a full disk, a right or a table that is missing.
_FOR_GOOD = (IntegrityError, DataError, UnicodeEncodeError)
# Another replica had the row: no lock in time, and a deadlock. Source: postgresql.org, "PostgreSQL Error Codes".
_LOCKED = ("55P03", "40P01")

_How = Callable[[asyncio.Future[Any], Any], None]

_log = logging.getLogger(__name__)


class LedgerDownError(Exception):
    """The database did not take it, or did not say in time; the text is why, in the driver's words."""


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    done: asyncio.Future[T] | None
    """Who waits; None if nobody does but it must happen."""
    about: Mapping[str, object] = field(default_factory=dict)
    """What the log says of it if it is given up."""
    since: float = field(default_factory=time.monotonic)
    timer: asyncio.TimerHandle | None = None

    @property
    def abandoned(self) -> bool:
        return self.done is not None and self.done.done()


_Waiting = tuple[_Job[Any], asyncio.Future[Any], Any]


class Writer:
    """Runs pieces of work in transactions, in the order in which they come; `on_event` gets the events in them.

    It hears that in the writer's thread, and `transacted` does too, but for what came too late.
    """

    def __init__(
        self,
        engine: Engine,
        patience: float = PATIENCE,
        on_event: EventListener = no_op,
        transacted: Transacted = no_op,
    ) -> None:
        self._engine = engine
        self._transacted = transacted
        self._patience = patience
        self._on_event = on_event
        self._closed = False
        self._connection: Connection | None = None
        """Kept from one transaction to the next; only the thread uses it."""
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Return what `work` will have returned once it is committed; raises LedgerDownError once its patience is over.

        Whoever stops waiting before the work has begun has taken it back. If the connection breaks or the time
        is up during the commit, the work may be done all the same.
        """
        if self._closed:
            raise LedgerDownError("the ledger is closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        job = _Job(work, done)
        late = LedgerDownError(f"no answer within {self._patience:g} s")
        how = asyncio.Future.set_exception
        job.timer = loop.call_later(self._patience, self._resolve, [job], [late], how)
        self._jobs.put(job)
        return done

    def run_later(self, work: Callable[[Connection], object], **about: object) -> None:
        """Run `work` after what is queued, without waiting for it; if the database fails, again before what comes next.

        What can never be done is given up, and logged with what it is `about`.
        """
        self._jobs.put(_Job(work, None, about))

    @contextmanager
    def undo_on_failure(
        self, undo: Callable[[Connection], object], **about: object
    ) -> Iterator[None]:
        """Undo what may have been written if whoever asked has gone or is told that it was not; `about` as in `run_later`."""
        try:
            yield
        except (asyncio.CancelledError, LedgerDownError):
            self.run_later(undo, **about)
            raise

    @property
    def queued(self) -> int:
        """How many pieces of work have not begun."""
        return self._jobs.qsize()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    async def close(self) -> None:
        """Finish what is queued, and return once the connections are closed; or sooner, where the database hangs."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, 2 * self._patience)

    def _serve(self) -> None:
        owed, stopping = list[_Job[Any]](), False
        while not stopping:
            jobs: list[_Job[Any] | None] = [*owed, self._jobs.get()]
            while len(jobs) < _TOGETHER and not self._jobs.empty():
                jobs.append(self._jobs.get())
            stopping = None in jobs
            failed = self._carry_out([job for job in jobs if job is not None])
            owed = [job for job in failed if job.done is None]
        for job in owed:
            _log.error("the ledger stops and leaves this undone", extra=dict(job.about))
        self._disconnect()
        self._engine.dispose()

    def _carry_out(self, jobs: Sequence[_Job[Any]]) -> list[_Job[Any]]:
        """Run jobs together or, where one of them spoils it, one by one; return those the database did not take."""
        wanted = [job for job in jobs if not job.abandoned]
        if not wanted:
            return []
        kept, begun, worked = self._connection is not None, False, False
        try:
            connection = self._connection = self._connection or self._engine.connect()
            with connection.begin():
                begun = True
                # Others may have held the lock until nobody waited any more.
                wanted = [job for job in wanted if not job.abandoned]
                discard(connection)
                results = [job.work(connection) for job in wanted]
                events = flush(connection)
                worked = True
        except Exception as error:  # noqa: BLE001  # it belongs to whoever asked
            self._disconnect()
            lost = getattr(error, "connection_invalidated", False)
            if lost and kept and not worked:
                return self._carry_out(jobs)  # over a new connection: nothing was committed
            # After one that is lost in the commit nobody knows what was, so nothing is done twice.
            if begun and not lost and len(wanted) > 1:
                return [failed for job in wanted for failed in self._carry_out([job])]
            if _is_locked(error) and not self._closed:
                return self._requeue(wanted)
            return self._failed(wanted, error)
        self._resolve(wanted, results, asyncio.Future.set_result)
        # Whoever waits for the commit does not wait for its lines in the log too.
        for event in events:
            self._on_event(event)
        return []

    def _requeue(self, jobs: Sequence[_Job[Any]]) -> list[_Job[Any]]:
        """Queue behind all others what waits for another replica's row, while whoever asked waits; return the rest."""
        for job in jobs:
            if job.done is not None:
                self._jobs.put(job)
        return [job for job in jobs if job.done is None]

    def _failed(self, jobs: Sequence[_Job[Any]], error: Exception) -> list[_Job[Any]]:
        """Tell whoever waits, and return the jobs if they may be done later; else give up what must happen."""
        down = isinstance(error, SQLAlchemyError | UnicodeEncodeError)
        said = LedgerDownError(reason_of(error)) if down else error
        self._resolve(jobs, [said] * len(jobs), asyncio.Future.set_exception)
        if down and not isinstance(error, _FOR_GOOD):
            return [*jobs]
        for job in jobs:
            if job.done is None:
                _give_up(job, error)
        return []

    def _resolve(self, jobs: Sequence[_Job[Any]], what: Sequence[Any], how: _How) -> None:
        """Tell those who wait, all of a loop in one go, and then whoever observes."""
        on_event = zip(jobs, what, strict=True)
        waiting = [
            (job, job.done, each) for job, each in on_event if job.done and not job.abandoned
        ]
        for loop in {done.get_loop() for _, done, _ in waiting}:
            with suppress(RuntimeError):  # the loop has closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve_on, loop, waiting, how)
        now, taken = time.monotonic(), how is asyncio.Future.set_result
        for job, *_ in waiting:
            self._transacted(now - job.since, taken)

    def _disconnect(self) -> None:
        """Give the connection back; one that broke is replaced."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_locked(error: Exception) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _LOCKED


def _resolve_on(loop: asyncio.AbstractEventLoop, waiting: Sequence[_Waiting], how: _How) -> None:
    for job, done, what in waiting:
        if done.get_loop() is not loop:
            continue
        if job.timer:
            job.timer.cancel()
        if not done.done():
            how(done, what)


def _give_up(job: _Job[Any], error: Exception) -> None:
    """Log it once: of a database error the driver's words only, of a mistake of the bot's own the traceback too."""
    own = None if isinstance(error, SQLAlchemyError) else error
    said = {**job.about, "reason": reason_of(error)}
    _log.error("the ledger gives up what it cannot do", extra=said, exc_info=own)
