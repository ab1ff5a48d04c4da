"""What runs the ledger's work in transactions, and how operations use it."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from bot.ledger.database import reason_of

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[[Connection], T]

PATIENCE = 2.0
"""Seconds after which a waiting caller gets LedgerDownError."""

# The value itself, or a row such as another request for the same pair. All others may be transient: a server that is away,
# a full disk, a missing privilege or table.
_PERMANENT = (IntegrityError, DataError, UnicodeEncodeError)


class LedgerDownError(Exception):
    """The database failed, or did not answer in time; the text is the driver's error."""


class InDoubtError(LedgerDownError):
    """The database may have committed the work, although it did not say so."""


class Writer(ABC):
    """Runs work in transactions, in order; `clock` is that of its waits, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    @abstractmethod
    def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Return a future with the result of `work`, resolved after its commit; it raises LedgerDownError on a timeout.

        Cancelling the future before the work has begun drops it. If the connection breaks during the commit, or the time
        is up after the work has begun, it may be done nevertheless, and the error is InDoubtError.
        """

    @abstractmethod
    def run_later(self, work: Work[object], **facts: object) -> None:
        """Queue `work` without waiting for it; if the database fails, it is retried before the work that follows.

        After a permanent error it is given up, and logged with these `facts`.
        """

    @property
    @abstractmethod
    def queued(self) -> int:
        """The number of pieces of work that have not begun."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether it still works."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is queued; returns after twice the patience if the database hangs."""

    def operation(
        self, work: Callable[Concatenate[Connection, P], T]
    ) -> Callable[P, asyncio.Future[T]]:
        """Return a function that runs `work` with its arguments."""
        return partial(self.run, work)

    async def run_or(self, follow_up: Work[object], work: Work[T], **facts: object) -> T:
        """Return the result of `work`; if it fails or is cancelled, it may be committed all the same: queue a follow-up."""
        try:
            return await self.run(work)
        except (asyncio.CancelledError, LedgerDownError):
            self.run_later(follow_up, **facts)
            raise


def as_told(error: Exception, *, in_doubt: bool = False) -> Exception:
    """Return what the caller of failed work gets: LedgerDownError if the database is to blame, else the error itself."""
    kind = InDoubtError if in_doubt else LedgerDownError
    return kind(reason_of(error)) if _is_of_database(error) else error


def may_pass(error: Exception) -> bool:
    """Tell whether the same work may succeed later."""
    return _is_of_database(error) and not isinstance(error, _PERMANENT)


def _is_of_database(error: Exception) -> bool:
    # Not all of SQLAlchemy's errors: a missing parameter is a defect.
    return isinstance(error, DBAPIError | LedgerDownError | UnicodeEncodeError)


class Operations:
    """Methods that run in transactions of a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer


Self = TypeVar("Self", bound=Operations)


def in_transaction(
    work: Callable[Concatenate[Self, Connection, P], T],
) -> Callable[Concatenate[Self, P], asyncio.Future[T]]:
    """Make a method run in the writer's thread, within a transaction, and return a future."""

    @wraps(work)
    def run(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return self._writer.run(partial(work, self), *args, **kwargs)

    return run
