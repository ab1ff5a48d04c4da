"""What every step of a request needs: write however often it takes; speak and call only while this replica holds it."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.domain.outcome import Called, Step, Unknown
from bot.domain.request import Request
from bot.guidance import Trouble, for_trouble
from bot.ledger import Entry, Ledger, LedgerDownError
from bot.workflow.ports import AwayError, Owners

_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[object]]


class LeaseLostError(Exception):
    """Somebody else holds the request now."""


class LeaseExpiredError(Exception):
    """The lease ran out in the midst of saying something, which may stand now; somebody else may hold the request."""


@dataclass(frozen=True, slots=True)
class LeasedSteps:
    """What a replica does for the requests that it holds."""

    ledger: Ledger
    sleep: Callable[[float], Awaitable[None]]
    turn: Callable[[], Awaitable[None]]
    """Returns when a step, or an item of a batch, may begin: acks go first."""

    @asynccontextmanager
    async def while_held(self, entry: Entry) -> AsyncIterator[float | None]:
        """Let the body say something while this replica holds a request; raises LeaseLostError and LeaseExpiredError.

        What it gives is since when that may have been said, so that the body looks back. A replica that was frozen
        wakes up in the midst of it, long after somebody else has said it.
        """
        if not await self.holds(entry):
            raise LeaseLostError
        said_before = entry.taken_over or entry.owed_since is not None
        try:
            async with self.ledger.lease.timeout() as lease:
                yield entry.created if said_before else None
        except TimeoutError as error:
            if lease.expired():
                raise LeaseExpiredError from error
            raise

    async def share(
        self, owners: Owners, held: Entry, request: Request, told: Callable[[Step], None]
    ) -> Called:
        """Return how WeChat's call for a request ended; never raises, since the requester is told whatever went wrong.

        `held` is the request or its batch: no further try is made once somebody else may have begun anew.
        """
        may_retry = partial(self.holds, held)
        try:
            return await owners.share(request.owner, request.env, request.appid, told, may_retry)
        except Exception:  # noqa: BLE001  # the requester is told whatever went wrong
            _log.exception("unforeseen error", extra={"request": request.id})
            return Unknown(for_trouble(Trouble.BUG))

    async def holds(self, entry: Entry) -> bool:
        """Tell whether this replica still holds a request, however long it takes to find out."""
        covered = self.ledger.lease.covers(entry)
        return covered or await self.keep_trying(partial(self.ledger.replica.hold, entry))

    async def end(
        self, entry: Entry, backlog: list[Write], how: str, why: str | None = None
    ) -> None:
        """Record the end, however long that takes; until then another replica may deliver the answer again."""
        await self.write_in_order(backlog, partial(self.ledger.end, entry, how, why))

    async def owe(self, entry: Entry, backlog: list[Write], away: AwayError) -> None:
        """Let go of a request whose next words Slack does not take; whoever takes it over later says them."""
        told = {"request": entry.request.id, "reason": str(away)}
        _log.warning("Slack takes no message for now, so it is owed", extra=told)
        owe = partial(self.ledger.replica.owe, entry, str(away), away.after)
        await self.write_in_order(backlog, owe)

    async def write_in_order(
        self,
        backlog: list[Write],
        write: Callable[[], Awaitable[T]],
        unwritten: Callable[[], T] | None = None,
    ) -> T | None:
        """Write the backlog and then `write`, and return what that returns; None if somebody else holds the request.

        It takes as long as it takes. But where nobody else can take the request over, an answer is worth more than its
        record: after some seconds it goes on as `unwritten` returns, with a longer backlog.
        """
        pause, waited = 0.1, _PATIENCE_ALONE if backlog else 0.0
        while True:
            began = time.monotonic()
            try:
                while backlog:
                    if not await backlog[0]():
                        return None
                    del backlog[0]
                return await write() or None
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
            if unwritten and self.ledger.exclusive and waited >= _PATIENCE_ALONE:
                backlog.append(write)
                return unwritten()
            await self.sleep(pause)
            waited += pause + time.monotonic() - began
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def keep_trying(self, write: Callable[[], Awaitable[T]]) -> T:
        """Return what the ledger answers, however long it takes; nothing goes on without it."""
        pause = 0.1
        while True:
            try:
                return await write()
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
            await self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
