"""The steps of a leased request: writes are retried; messages need the lease."""

import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from bot.domain.outcome import Outcome, Step
from bot.ledger import Entry, Ledger, LedgerDownError, answered
from bot.workflow.ports import AwayError

_LONGEST_PAUSE = 2.0
_LULL = 0.001  # seconds; who has read an answer may type the next command at once
_PATIENCE = 5.0

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
    _unrecorded: dict[str, Write] = field(default_factory=dict)
    """The writes of outcomes that people may learn before they are recorded, by the id of the request."""

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
        return await self.keep_trying(partial(self.ledger.replica.holds, entry))

    async def rest(
        self, entry: Entry, seconds: float, busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Sleep, since nothing can begin for a request until then; raises LeaseLostError.

        It is also raised if the bot stops, unless the request is `busy` with what began earlier.
        """
        await self.sleep(seconds)
        if (self.stopping() and not busy()) or not await self.holds(entry):
            raise LeaseLostError

    async def answer(
        self,
        entry: Entry,
        outcome: Outcome,
        seconds: float = 0.0,
        steps: Sequence[Step] = (),
        *,
        called_again: bool = False,
    ) -> Entry | None:
        """Record the outcome, with retries; None if another replica holds the request.

        If no other process can take the request over, people need not wait for that: after five seconds the outcome is
        left to be recorded together with what follows.
        """
        again = {"called_again": called_again}
        write = partial(self.ledger.answer, entry, outcome, seconds, steps, **again)
        try:
            return await self.keep_trying(write, _PATIENCE if self.ledger.exclusive else math.inf)
        except LedgerDownError:
            self._unrecorded[entry.request.id] = write
            return answered(entry, outcome, **again)

    async def end(self, entry: Entry, how: str, why: str | None = None) -> None:
        """Record the end, with retries; until then another replica may deliver the answer again.

        A moment later, and after the acks that came meanwhile: nobody waits for it, but an ack would have to wait for a
        transaction that has begun.
        """
        await self.sleep(_LULL)
        await self.turn()
        await self._after_answer(entry, partial(self.ledger.end, entry, how, why))

    async def owe(self, entry: Entry, away: AwayError) -> None:
        """Release a request whose next message Slack refuses for now; a later take-over posts it."""
        facts = {"request": entry.request.id, "reason": str(away)}
        _log.warning("Slack takes no message for now, so it is owed", extra=facts)
        owe = partial(self.ledger.replica.owe, entry, str(away), away.after)
        await self._after_answer(entry, owe)

    async def leave(self, entry: Entry) -> None:
        """Release a request, for another replica to continue while this one stops; no effect if it is held by another."""
        with suppress(LedgerDownError):  # the end of the stop releases it too
            await self.ledger.replica.release(entry)

    def released(self, entry: Entry) -> None:
        """Forget a request on which this replica no longer works."""
        self._unrecorded.pop(entry.request.id, None)
        self.ledger.lease.released(entry)

    async def _after_answer(self, entry: Entry, write: Write) -> None:
        """Write what follows an outcome, after that outcome if it is not recorded yet."""
        if unrecorded := self._unrecorded.get(entry.request.id):
            await self.keep_trying(unrecorded)
        await self.keep_trying(write)

    async def keep_trying(self, write: Callable[[], Awaitable[T]], patience: float = math.inf) -> T:
        """Return what the ledger answers; retries while it is down, and raises LedgerDownError after `patience` seconds."""
        pause, waited = 0.1, 0.0
        while True:
            began = time.monotonic()
            try:
                return await write()
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
                if waited >= patience:
                    raise
            waited += time.monotonic() - began + pause
            await self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
