"""Write to the ledger however often it takes, and speak only while this replica holds the request."""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.ledger import Entry, Ledger, LedgerDownError
from bot.workflow.ports import AwayError

_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[bool]]


class LostError(Exception):
    """Somebody else holds the request now."""


@dataclass(frozen=True, slots=True)
class LeasedWrites:
    """What every step of a request needs of the ledger."""

    ledger: Ledger
    sleep: Callable[[float], Awaitable[None]]

    async def while_held(self, entry: Entry, say: Callable[[float | None], Awaitable[T]]) -> T:
        """Return what `say` returns, which looks back if it may have been said; raises LostError and AwayError.

        A replica that was frozen wakes up in the midst of it, long after somebody else has said it.
        """
        said_before = entry.taken_over or entry.owed_since is not None
        since = entry.created if said_before else None
        while await self.surely([], partial(self.ledger.replica.hold, entry)):
            try:
                async with self.ledger.replica.running() as lease:
                    return await say(since)
            except TimeoutError:
                if not lease.expired():
                    raise
                since = entry.created
        raise LostError

    async def holds(self, entry: Entry) -> bool:
        """Tell whether this replica still holds a request, however long it takes to find out."""
        return await self.insist(partial(self.ledger.replica.hold, entry))

    async def end(
        self, entry: Entry, backlog: list[Write], how: str, why: str | None = None
    ) -> None:
        """Record the end, however long that takes; until then another replica may deliver the answer again."""
        await self.surely(backlog, partial(self.ledger.end, entry, how, why), patience=math.inf)

    async def owe(self, entry: Entry, backlog: list[Write], away: AwayError) -> None:
        """Let go of a request whose next words Slack does not take; whoever takes it over later says them."""
        told = {"request": entry.request.id, "reason": str(away)}
        _log.warning("Slack takes no message for now, so it is owed", extra=told)
        owe = partial(self.ledger.replica.owe, entry, str(away), away.after)
        await self.surely(backlog, owe, patience=math.inf)

    async def surely(
        self, backlog: list[Write], write: Write, patience: float = _PATIENCE_ALONE
    ) -> bool:
        """Write the backlog and then `write`, however often it takes; False if somebody else holds the request.

        Where nobody else can take the request over, an answer is worth more than its record: after `patience`
        seconds it goes on, with a longer backlog.
        """
        pause, waited = 0.1, _PATIENCE_ALONE if backlog else 0.0
        backlog.append(write)
        while backlog:
            began, oldest = time.monotonic(), backlog.pop(0)
            try:
                if not await oldest():
                    return False
                continue
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
                backlog.insert(0, oldest)
            if self.ledger.exclusive and waited >= patience:
                return True
            await self.sleep(pause)
            waited += pause + time.monotonic() - began
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    async def insist(self, write: Callable[[], Awaitable[T]]) -> T:
        """Return what the ledger answers, however long it takes; nothing goes on without it."""
        pause = 0.1
        while True:
            try:
                return await write()
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
            await self.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
