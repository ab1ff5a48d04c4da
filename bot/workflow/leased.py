"""The steps of a leased request: calls to Slack and WeChat need the lease, which heartbeats keep."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from bot.domain.request import BrokenGlass
from bot.ledger.entries import Entry
from bot.ledger.lease import LEASE
from bot.ledger.writer import LedgerDownError
from bot.workflow.ports import AwayError
from bot.workflow.retrying import RetryingLedger

_LOOKS_PER_LEASE = 12
_LOOKS_PER_HEARTBEAT = 3
_TAKEN_AT_ONCE = 50  # so that other replicas get their share

_log = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """This replica does no more for the request: another one holds it now, or the bot stops."""


class LeaseExpiredError(Exception):
    """The lease expired during a call to Slack or WeChat: it may be carried out, and another replica may hold the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedSteps:
    """What a replica does for the requests it holds; its clock and sleeps are those of Runtime."""

    ledger: RetryingLedger
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    idle: Callable[[float], Awaitable[None]]
    stopping: Callable[[], bool]

    async def run(self, resume: Callable[[Entry], None], lease: float = LEASE) -> None:
        """Send heartbeats and, until the bot stops, take over free requests and `resume` them; runs until cancelled.

        It looks more often than it sends heartbeats, since people wait for the requests of a replica that has stopped. The
        `lease` is in seconds.
        """
        down = False
        for look in count():
            try:
                if look % _LOOKS_PER_HEARTBEAT == 0:
                    await self.ledger.once.replica.heartbeat()
                while not self.stopping():
                    taken = await self.ledger.once.replica.take_over(_TAKEN_AT_ONCE)
                    for entry in taken:
                        resume(entry)
                    if len(taken) < _TAKEN_AT_ONCE:
                        break
                down = False
            except LedgerDownError as error:
                if not down:
                    _log.warning("the ledger is down", extra={"reason": str(error)})
                down = True
            except Exception:  # noqa: BLE001  # without heartbeats a replica would lose its requests
                _log.exception("unforeseen error")
            await self.idle(lease / _LOOKS_PER_LEASE)

    @asynccontextmanager
    async def while_held(self, entry: Entry) -> AsyncIterator[float | None]:
        """Run a body that calls Slack or WeChat, under the lease; raises LeaseLostError and LeaseExpiredError.

        Yields since when the messages may have been posted already, in Unix seconds, so that the body looks for them;
        None if they cannot have been. A replica that was frozen may wake up in the body, after another has posted them.
        """
        if not await self.ledger.holds(entry):
            raise LeaseLostError
        hurried = isinstance(entry.request.approval, BrokenGlass)  # in the middle of a post
        said_before = entry.taken_over or entry.owed_since is not None or hurried
        try:
            async with self.ledger.lease.timeout() as lease:
                yield entry.created if said_before else None
        except TimeoutError as error:
            if lease.expired():
                raise LeaseExpiredError from error
            raise

    async def rest(self, entry: Entry, seconds: float) -> None:
        """Sleep, since nothing can begin for a request until then; raises LeaseLostError, also if the bot stops."""
        await self.sleep(seconds)
        if self.stopping() or not await self.ledger.holds(entry):
            raise LeaseLostError

    async def owe(self, entry: Entry, away: AwayError) -> None:
        """Release a request whose next message Slack refuses for now; a later take-over posts it."""
        if entry.owed_since is None:  # else it was said when it was owed first
            facts = {"request": entry.request.id, "reason": str(away)}
            _log.warning("Slack takes no message for now, so it is owed", extra=facts)
        await self.ledger.owe(entry, str(away), away.after)
