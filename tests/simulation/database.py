"""The database of all replicas, SQLite in memory with a clock that can jump; and the writer of one replica.

The statements are the real ones. The writer runs one job in a transaction, in order, each at a time and with a fate that
the world decides; the real one also groups them, in a thread.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, text

from bot.ledger.database import Opened
from bot.ledger.engine import engine_of, parse
from bot.ledger.events import HAPPENED, EventListener, Happened
from bot.ledger.schema import metadata
from bot.ledger.writer import (
    PATIENCE,
    InDoubtError,
    LedgerDownError,
    Work,
    Writer,
    as_told,
    may_pass,
)
from tests.simulation.loop import Process

_AGAIN = 0.5

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class Commit(Enum):
    """How a transaction ends."""

    DONE = auto()
    REFUSED = auto()
    """The database fails before the commit."""
    IN_DOUBT = auto()
    """The connection breaks after the commit, before the answer."""
    SLOW = auto()
    """It is done, and its answer is on its way for almost as long as anybody waits for it."""
    HANGS = auto()
    """It takes longer than anybody waits for it, and is done all the same."""


@dataclass(frozen=True, slots=True)
class WriteFate:
    """How a job ends, and the seconds until it begins and until the answer is back."""

    ending: Commit
    there: float
    back: float


class Database:
    """One database, whose clock is `now`."""

    def __init__(self, now: Callable[[], float], *, exclusive: bool) -> None:
        engine = engine_of(parse("sqlite://"), now)
        with engine.begin() as connection:
            metadata.create_all(connection)
        self.connection = engine.connect()
        self.opened = Opened(engine, exclusive, new=True, release=_keep)

    def rows(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return what a query of a check finds."""
        with self.connection.begin():
            return [tuple(row) for row in self.connection.execute(text(query), parameters)]

    def close(self) -> None:
        """Throw the database away."""
        self.connection.close()
        self.opened.engine.dispose()


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    done: asyncio.Future[Any] | None
    facts: Mapping[str, object]
    begun: bool = False
    context: Context = field(default_factory=copy_context)
    """Of whoever wants it done."""


class SimulatedWriter(Writer):
    """The writer of one process, without a thread."""

    def __init__(
        self,
        database: Database,
        process: Process,
        fate_of: Callable[[str], WriteFate],
        listeners: Sequence[EventListener],
    ) -> None:
        super().__init__(process.loop.time)
        self._database = database
        self._process = process
        self._fate_of = fate_of
        self._heard_by = listeners
        self._queue = deque[_Job]()
        self._busy = False
        self._ended = False

    def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Queue a job, and return the future of its result."""
        done: asyncio.Future[T] = self._process.loop.create_future()
        if self._ended:
            done.set_exception(LedgerDownError("the ledger is closed"))
            return done
        job = _Job(work, args, kwargs, done, {})
        self._put(job)
        self._process.later(PATIENCE, _time_out, job)
        return done

    def run_later(self, work: Work[object], **facts: object) -> None:
        """Queue a job that is repeated until it is done."""
        self._put(_Job(work, (), {}, None, facts))

    @property
    def queued(self) -> int:
        """The number of jobs that have not begun."""
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._process.alive

    async def close(self) -> None:
        """Finish the queued jobs, for as long as the real one waits."""
        self._ended = True
        until = self._process.loop.time() + 2 * PATIENCE
        while (self._busy or self._queue) and self._process.loop.time() < until:  # noqa: ASYNC110  # waiting costs nothing
            await asyncio.sleep(0.1)

    def _put(self, job: _Job) -> None:
        self._queue.append(job)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            if job.done is None or not job.done.done():
                self._busy = True
                fate = self._fate_of(self._process.name)
                job.begun = fate.ending is Commit.HANGS
                self._process.later(fate.there, self._begin_job, job, fate)
                return
        self._busy = False

    def _begin_job(self, job: _Job, fate: WriteFate) -> None:
        """Run the transaction; its answer comes back later, so that the process can die between the two."""
        if job.done is not None and job.done.done() and fate.ending is not Commit.HANGS:
            self._next()
            return
        job.begun = True
        result: Any = None
        error: Exception | None = None
        happened = Happened()
        if fate.ending is Commit.REFUSED:
            error = LedgerDownError("the database is away")
        else:
            try:
                result = self._transact(job, happened)
            except Exception as raised:  # noqa: BLE001  # raised to the caller
                error = raised
        if fate.ending is Commit.IN_DOUBT and error is None:
            error = InDoubtError("the connection broke")
        self._process.later(fate.back, self._resolve_job, job, result, error)

    def _transact(self, job: _Job, happened: Happened) -> Any:
        connection = self._database.connection
        with connection.begin():
            connection.info[HAPPENED] = happened
            result = job.work(connection, *job.args, **job.kwargs)
            if happened.rows:
                happened.write(connection)
        # By the thread, so it is heard although the answer may be lost.
        for event in happened.events:
            for listener in self._heard_by:
                job.context.copy().run(listener, event)
        return result

    def _resolve_job(self, job: _Job, result: Any, error: Exception | None) -> None:
        """Give the caller the result or the error; a job without a caller is repeated before those that follow."""
        if job.done is None and error:
            if may_pass(error):
                self._queue.appendleft(job)
                self._process.later(_AGAIN, self._next)
                return
            _log.error("the ledger gives up what it cannot do", extra=dict(job.facts))
        elif error and job.done:
            _fail(job.done, as_told(error, in_doubt=isinstance(error, InDoubtError)))
        elif job.done and not job.done.done():
            job.done.set_result(result)
        self._next()


def _keep() -> None:
    """Release nothing: the database outlives its replicas."""


def _time_out(job: _Job) -> None:
    kind = InDoubtError if job.begun else LedgerDownError
    if job.done:
        _fail(job.done, kind(f"no answer in {PATIENCE:g} s"))


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
