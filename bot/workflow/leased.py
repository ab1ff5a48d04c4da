"""What every step of a request needs: write however often it takes; speak and call only while this replica holds it."""

import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bot.domain.outcome import Called, Step, Unknown
from bot.domain.request import Request
from bot.guidance import Trouble, for_trouble
from bot.ledger import Entry, Ledger, LedgerDownError
from bot.workflow.ports import AwayError, Owners, Place, Places

_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")
Write = Callable[[], Awaitable[bool]]


class LostError(Exception):
    """Somebody else holds the request now."""


@dataclass(frozen=True, slots=True)
class LeasedSteps:
    """What a replica does for the requests that it holds."""

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

    async def open_place(
        self, places: Places, entry: Entry, backlog: list[Write], *, waiting: bool
    ) -> Place | None:
        """Return where the answer goes, having said there what is under way or waited for.

        Without such a place the request ends, since nobody would hear of it, and this returns None.
        """
        request = entry.request
        place = await self.while_held(
            entry, lambda since: places.open(request, look_since=since, waiting=waiting)
        )
        if place is None:
            told = {"request": request.id}
            _log.error("Slack leaves nowhere to answer, so the request ends", extra=told)
            await self.end(entry, backlog, "nowhere to answer")
        return place

    async def share(
        self, owners: Owners, held: Entry, request: Request, told: Callable[[Step], None]
    ) -> Called:
        """Return how WeChat's call for a request ended; never raises, since the requester is told whatever went wrong.

        `held` is the request or its batch: no further try is made once somebody else may have begun anew.
        """
        may_again = partial(self.holds, held)
        try:
            return await owners.share(request.owner, request.env, request.appid, told, may_again)
        except Exception:  # noqa: BLE001  # the requester is told whatever went wrong
            _log.exception("unforeseen error", extra={"request": request.id})
            return Unknown(for_trouble(Trouble.BUG))

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
