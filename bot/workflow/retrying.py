"""The ledger as the steps of a request use it: each method retries until the database answers."""

import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from bot.ledger.batches import BatchItems
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between two tries

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class RetryingLedger:
    """The ledger's methods for a request under way, none of which raises LedgerDownError; they pause by `sleep`."""

    def __init__(self, once: Ledger, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._sleep = sleep
        self.once = once
        """The same ledger, whose methods try once."""
        self.lease = once.lease
        self.batches = RetryingBatchItems(once.batches, self)
        self.find = self.retry(once.find)
        self.past_shares = self.retry(once.past_shares)
        self.place = self.retry(once.place)
        self.asking = self.retry(once.asking)
        self.asked = self.retry(once.asked)
        self.escalate = self.retry(once.escalate)
        self.record_outcome = self.retry(once.record_outcome)
        self.end = self.retry(once.end)
        self.holds = self.retry(once.replica.holds)
        self.owe = self.retry(once.replica.owe)
        self.release_waiting = self.retry(once.replica.release_waiting)

    def retry(self, try_once: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Return a method that retries while the ledger is down."""

        async def method(*given: P.args, **named: P.kwargs) -> T:
            pause = _FIRST_PAUSE
            while True:
                try:
                    return await try_once(*given, **named)
                except LedgerDownError as error:
                    _log.warning("the ledger does not take a step", extra={"reason": str(error)})
                await self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

        return method


class RetryingBatchItems:
    """The methods of BatchItems for a batch under way, in the same way."""

    def __init__(self, once: BatchItems, ledger: RetryingLedger) -> None:
        self.queue = ledger.retry(once.queue)
        self.items = ledger.retry(once.items)
        self.advance = ledger.retry(once.advance)
        self.put_back = ledger.retry(once.put_back)
        self.end = ledger.retry(once.end)
        self.cancelled_by = ledger.retry(once.cancelled_by)
        self.are_left = ledger.retry(once.are_left)
        self.take_lane = ledger.retry(once.take_lane)
        self.leave_lane = ledger.retry(once.leave_lane)
