"""The steps of a leased request: writes are retried; messages need the lease."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.domain.outcome import Outcome, Step
from bot.ledger import Entry, Ledger, LedgerDownError, answered
from bot.workflow.ports import AwayError

_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[object]]


class LeaseLostError(Exception):
    """This replica does no more for the request: another one holds it now, or the bot stops."""


class LeaseExpiredError(Exception):
    """The lease expired while a message was being sent; it may have been posted, and another replica may hold the request."""


@dataclass(frozen=True, slots=True)
class LeasedSteps:
    """What a replica does for the requests it holds."""

    ledger: Ledger
    sleep: Callable[[float], Awaitable[None]]
    turn: Callable[[], Awaitable[None]]
    """Waits until a step or an item of a batch may begin, since acks go first."""
    stopping: Callable[[], bool]

    @asynccontextmanager
    async def while_held(self, entry: Entry) -> AsyncIterator[float | None]:
        """Run a body that posts messages, under the lease; raises LeaseLostError and LeaseExpiredError.

        Yields since when the messages may have been posted already, in Unix seconds, so that the body looks for them;
        None if they cannot have been. A replica that was frozen may wake up in the body, after another has posted them.
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

    async def holds(self, entry: Entry) -> bool:
        """Tell whether this replica still holds a request; waits until the ledger answers."""
        covered = self.ledger.lease.covers(entry)
        return covered or await self.keep_trying(partial(self.ledger.replica.holds, entry))

    async def rest(
        self, entry: Entry, seconds: float, busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Sleep, since nothing can begin for a request until then; raises LeaseLostError.

        It is also raised if the bot stops, unless the request is `busy` with what began earlier.
        """
        await self.sleep(seconds)
        if (self.stopping() and not busy()) or not await self.holds(entry):
            raise LeaseLostError

    async def answer(  # noqa: PLR0913  # as the ledger's
        self,
        entry: Entry,
        backlog: list[Write],
        outcome: Outcome,
        seconds: float = 0.0,
        steps: Sequence[Step] = (),
        *,
        called_again: bool = False,
    ) -> Entry | None:
        """Record the outcome, with retries or, if need be, later; None if another replica holds the request."""
        again = {"called_again": called_again}
        write = partial(self.ledger.answer, entry, outcome, seconds, steps, **again)
        return await self.write_in_order(backlog, write, partial(answered, entry, outcome, **again))

    async def end(
        self, entry: Entry, backlog: list[Write], how: str, why: str | None = None
    ) -> None:
        """Record the end, with retries; until then another replica may deliver the answer again."""
        await self.write_in_order(backlog, partial(self.ledger.end, entry, how, why))

    async def owe(self, entry: Entry, backlog: list[Write], away: AwayError) -> None:
        """Release a request whose next message Slack refuses for now; a later take-over posts it."""
        facts = {"request": entry.request.id, "reason": str(away)}
        _log.warning("Slack takes no message for now, so it is owed", extra=facts)
        owe = partial(self.ledger.replica.owe, entry, str(away), away.after)
        await self.write_in_order(backlog, owe)

    async def write_in_order(
        self,
        backlog: list[Write],
        write: Callable[[], Awaitable[T]],
        unwritten: Callable[[], T] | None = None,
    ) -> T | None:
        """Write the backlog and then `write`, and return its result; None if another replica holds the request.

        Retries until the ledger takes it. But if no other process can take the request over, the answer comes before
        its record: after five seconds `write` joins the backlog, and the result is that of `unwritten`.
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
        """Return what the ledger answers; retries while it is down."""
        pause = 0.1
        while True:
            try:
                return await write()
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
            await self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
