"""The writer of the running bot: one thread that talks to the database, and commits queued writes in groups.

Synchronous SQLAlchemy in a thread measured faster than the asynchronous drivers, on both databases.
"""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from bot.ledger.database import READ_ONLY, reason_of, sqlstate_of
from bot.ledger.engine import file_of, how_to_restore
from bot.ledger.events import HAPPENED, Event, EventListener, Happened
from bot.ledger.writer import (
    PATIENCE,
    InDoubtError,
    LedgerDownError,
    Work,
    Writer,
    as_told,
    may_pass,
)
from bot.runtime.observers import Transacted, no_op

P = ParamSpec("P")
T = TypeVar("T")

_GROUP = 16  # the most jobs in one transaction, since acks that come meanwhile wait for all of them
_MOST_EVENTS = 1000  # not published yet; an ack should not wait for the log lines of others

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[..., Any]
    _: KW_ONLY
    since: float
    """When it was queued, by the writer's clock."""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    done: asyncio.Future[Any] | None = None
    """The caller's future; None for a job that must be done although nobody waits for it."""
    abandoned: Callable[[], bool] = bool
    """Tells whether the caller waits no longer."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """The extras of the log line if it is given up."""
    timer: asyncio.TimerHandle | None = None
    result: Any = None
    claim: threading.Lock = field(default_factory=threading.Lock)
    """Acquired once: by the thread that begins it, or by the loop that gives it up before."""
    begun: bool = False

    def begin(self) -> bool:
        """Tell whether the thread may do it: its caller still waits, or there is none."""
        self.begun = self.begun or self.claim.acquire(blocking=False)
        return self.begun and not self.abandoned()


class WriterThread(Writer):
    """Commits queued jobs in groups; each listener is called with each event after its commit, while no job waits.

    Jobs wait until `start`. All callbacks run in the writer's thread, except `transacted` for a job that timed out.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        *,
        patience: float = PATIENCE,
        listeners: Sequence[EventListener] = (),
        transacted: Transacted = no_op,
    ) -> None:
        super().__init__(clock)
        self._engine = engine
        self._transacted = transacted
        self._patience = patience
        self._listeners = listeners
        self._unpublished = deque[Event]()
        """The events of committed transactions; used by the thread only."""
        self._closed = False
        self._connection: Connection | None = None
        """Kept open between transactions; used by the thread only."""
        self._path = file_of(engine.url)
        self._file = _identity_of(self._path)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue a job; see Writer."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        if self._closed:
            done.set_exception(LedgerDownError("the ledger is closed"))
            return done
        job = _Job(
            work, since=self.clock(), args=args, kwargs=kwargs, done=done, abandoned=done.done
        )
        job.timer = loop.call_later(self._patience, self._time_out, job)
        self._jobs.put(job)
        return done

    def run_later(self, work: Work[object], **facts: object) -> None:
        """Queue a job that nobody waits for; see Writer."""
        self._jobs.put(_Job(work, since=self.clock(), facts=facts))

    def _time_out(self, job: _Job) -> None:
        kind = LedgerDownError if job.claim.acquire(blocking=False) else InDoubtError
        self._resolve([job], kind(f"no answer within {self._patience:g} s"))

    @property
    def queued(self) -> int:
        """The number of jobs that have not begun."""
        return self._jobs.qsize()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    async def close(self) -> None:
        """Finish the queued jobs and close the connection; returns after twice the patience if the database hangs."""
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, 2 * self._patience)

    def _serve(self) -> None:
        retries, stopping = list[_Job](), False
        while not (stopping and self._jobs.empty()):
            self._publish()
            jobs = [*retries, self._jobs.get()]
            while len(jobs) < _GROUP and not self._jobs.empty():
                jobs.append(self._jobs.get())
            stopping = stopping or None in jobs
            failed = self._carry_out([job for job in jobs if job is not None])
            retries = [job for job in failed if job.done is None]
        self._publish()
        for job in retries:
            _log.error("the ledger stops and leaves this undone", extra=dict(job.facts))
        self._disconnect()
        self._engine.dispose()

    def _carry_out(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Run jobs in one transaction or, if that fails, one by one; return those to retry."""
        wanted = [job for job in jobs if not job.abandoned()]
        if not wanted:
            return []
        kept, begun, worked = self._connection is not None, False, False
        try:
            self._verify_file()
            connection = self._connection = self._connection or self._engine.connect()
            with connection.begin():
                begun = True
                # Callers may have timed out while this waited for the lock.
                wanted = [job for job in wanted if job.begin()]
                connection.info[HAPPENED] = happened = Happened()
                for job in wanted:
                    job.result = job.work(connection, *job.args, **job.kwargs)
                if happened.rows:
                    happened.write(connection)
                worked = True
        except Exception as error:  # noqa: BLE001  # raised to the caller
            lost = getattr(error, "connection_invalidated", False)
            if sqlstate_of(error) == READ_ONLY and self._connection:
                self._connection.invalidate(error)  # the pool would keep it
                lost = True
            self._disconnect()
            if lost and kept and not worked:
                return self._carry_out(jobs)  # over a new connection: nothing was committed
            # A connection lost during the commit leaves that in doubt, so nothing is run again.
            if begun and not lost and len(wanted) > 1:
                return [failed for job in wanted for failed in self._carry_out([job])]
            return self._failed(wanted, error, in_doubt=lost and worked)
        self._resolve(wanted)
        self._unpublished += happened.events
        return []

    def _verify_file(self) -> None:
        """Raise LedgerDownError once another file is at the path: SQLite would go on with the old one until the stop.

        A new connection would leave an empty file there.
        """
        if self._path and self._file != _identity_of(self._path):
            raise LedgerDownError(
                f"{self._path} is gone or was replaced: put the same file back; "
                f"or stop the bot, {how_to_restore(self._path)}, and start it"
            )

    def _publish(self) -> None:
        """Call the listeners while no job waits; errors are logged, since they would end the thread."""
        while self._unpublished and (self._jobs.empty() or len(self._unpublished) > _MOST_EVENTS):
            event = self._unpublished.popleft()
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001  # see above
                    _log.exception("unforeseen error", extra={"kind": event.kind})

    def _failed(self, jobs: Sequence[_Job], error: Exception, *, in_doubt: bool) -> list[_Job]:
        """Raise the error to the callers, and return the jobs if a retry may succeed; else give up those without a caller."""
        self._resolve(jobs, as_told(error, in_doubt=in_doubt))
        if may_pass(error):
            return [*jobs]
        bug = None if isinstance(error, DBAPIError) else error  # logged with its traceback
        for job in jobs:
            if job.done is None:
                facts = {**job.facts, "reason": reason_of(error)}
                _log.error("the ledger gives up what it cannot do", extra=facts, exc_info=bug)
        return []

    def _resolve(self, jobs: Sequence[_Job], error: Exception | None = None) -> None:
        """Give waiting callers their result or the error, in one call to their loop, and then report to the observer."""
        waiting = [(job, job.done) for job in jobs if job.done and not job.abandoned()]
        if not waiting:
            return

        def resolve_all() -> None:
            for job, done in waiting:
                if job.timer:
                    job.timer.cancel()
                if not done.done():
                    done.set_exception(error) if error else done.set_result(job.result)

        try:
            waiting[0][1].get_loop().call_soon_threadsafe(resolve_all)
        except RuntimeError:  # the loop is closed
            return
        now = self.clock()
        for job, _ in waiting:
            self._transacted(now - job.since, error is None)

    def _disconnect(self) -> None:
        """Return the connection to the pool, which replaces a broken one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity_of(path: Path | None) -> tuple[int, int] | None:
    """Return which file is at a path; None if there is none. Source: sqlite.org/src, os_unix.c, fileHasMoved."""
    with suppress(OSError):
        status = path.stat() if path else None
        return status and (status.st_dev, status.st_ino)
    return None
