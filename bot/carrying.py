"""Carry requests from the ledger to their end: settle the place, ask WeChat, deliver; also after a crash.

Each step is recorded before the next one begins, so whoever takes a request over goes on from its state.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from bot.guidance import Trouble, for_trouble
from bot.ledger import LEASE, Entry, Ledger, LedgerDownError
from bot.outcome import Failed, Outcome, Step, Unknown
from bot.request import Request, State

MOST_TAKE_OVERS = 5
_BEATS_PER_LEASE = 4
_TAKEN_AT_ONCE = 50
_PAUSE = 3.0  # seconds, after something that nobody foresaw
_LONGEST_PAUSE = 2.0
_PATIENCE_ALONE = 5.0

_GIVEN_UP = Unknown(for_trouble(Trouble.GIVEN_UP), tries=0)

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Place(Protocol):
    """Where the answer to one request goes."""

    @property
    def ref(self) -> str:
        """The place in words that `Places.reopen` understands."""

    async def close(
        self, request: Request, outcome: Outcome, *, look_since: float | None, called_again: bool
    ) -> bool:
        """Deliver how the request ended; False when it got nowhere.

        With `look_since` the answer may stand already, if no longer than since then; with `called_again` it says that WeChat was asked twice.
        """


class Places(Protocol):
    """Settles where answers go."""

    async def open(self, request: Request, *, look_since: float | None) -> Place | None:
        """Return the place, having said there what is under way; None if there is none."""

    def reopen(self, request: Request, ref: str) -> Place:
        """Return a place that was settled before."""


class Owners(Protocol):
    """Shares the envs of their owners."""

    async def share(
        self, owner: str, env: str, appid: str, told: Callable[[Step], None]
    ) -> Outcome:
        """Return how sharing the owner's `env` with `appid` ended; `told` hears of each step."""


Write = Callable[[], Awaitable[bool]]


class _LostError(Exception):
    """Somebody else holds the request now."""


@dataclass(frozen=True, slots=True)
class Carrying:
    """What it takes to carry requests; `lease` is in seconds."""

    ledger: Ledger
    places: Places
    owners: Owners
    sleep: Callable[[float], Awaitable[None]]
    start: Callable[[Coroutine[None, None, None]], None]
    lease: float = LEASE

    async def carry(self, entry: Entry) -> None:
        """Take a request on from its state to its end; stop silently once somebody else holds it.

        After an exception that nobody foresaw it goes on from the state that was reached, as after a take-over.
        """
        owed = list[Write]()
        called_again = entry.taken_over > 0 and entry.state is State.PLACED
        while True:
            try:
                reached = await self._step(entry, owed, called_again=called_again)
            except _LostError:
                return
            except Exception:  # noqa: BLE001  # nobody else would take it on while this replica lives
                _log.exception("unforeseen error", extra={"request": entry.request.id})
                if entry.taken_over > MOST_TAKE_OVERS:
                    await self._end(entry, owed, "given up")
                    return
                await self.sleep(_PAUSE)
                called_again = called_again or entry.state is State.PLACED
                reached = replace(entry, taken_over=entry.taken_over + 1)
            if reached is None:
                return
            entry = reached

    async def _step(self, entry: Entry, owed: list[Write], *, called_again: bool) -> Entry | None:
        """Take a request on by one state; None once there is nothing more to do."""
        if entry.place is None:
            return await self._settle(entry, owed)
        if entry.outcome is None:
            return await self._call(entry, owed, called_again=called_again)
        place = self.places.reopen(entry.request, entry.place)
        called_again = called_again and entry.outcome != _GIVEN_UP
        outcome = entry.outcome
        delivered = await self._while_held(
            entry,
            lambda since: place.close(
                entry.request, outcome, look_since=since, called_again=called_again
            ),
        )
        _log.log(
            logging.INFO if delivered else logging.ERROR,
            "delivered" if delivered else "not delivered",
            extra={
                "request": entry.request.id,
                "outcome": type(entry.outcome).__name__.lower(),
            },
        )
        await self._end(entry, owed, "delivered" if delivered else "not delivered")
        return None

    async def _settle(self, entry: Entry, owed: list[Write]) -> Entry | None:
        """Settle where the answer goes; without such a place it does not begin, since nobody would hear of it."""
        place = await self._while_held(
            entry, lambda since: self.places.open(entry.request, look_since=since)
        )
        if place is None:
            _log.error("nowhere to answer", extra={"request": entry.request.id})
            await self._end(entry, owed, "nowhere to answer")
            return None
        placed = replace(entry, state=State.PLACED, place=place.ref)
        settled = await self._surely(owed, partial(self.ledger.place, entry, place.ref))
        return placed if settled else None

    async def _call(self, entry: Entry, owed: list[Write], *, called_again: bool) -> Entry | None:
        """Ask WeChat, and record what came of it."""
        began, steps = time.monotonic(), list[Step]()
        outcome = await self._outcome(entry, steps.append)
        if called_again and isinstance(outcome, Failed):
            # Nobody knows what came of the call before this one.
            outcome = Unknown(outcome.guidance, outcome.said, outcome.tries)
        seconds = round(time.monotonic() - began, 3)
        write = partial(self.ledger.answer, entry, outcome, seconds, steps)
        answered = replace(entry, state=State.ANSWERED, outcome=outcome)
        return answered if await self._surely(owed, write) else None

    async def _outcome(self, entry: Entry, told: Callable[[Step], None]) -> Outcome:
        """Return how the call ended; whatever goes wrong in the bot leaves the share unknown."""
        if entry.taken_over > MOST_TAKE_OVERS:
            return _GIVEN_UP
        request = entry.request
        try:
            return await self.owners.share(request.owner, request.env, request.appid, told)
        except Exception:  # noqa: BLE001  # the requester is told, whatever went wrong
            _log.exception("unforeseen error", extra={"request": request.id})
            return Unknown(for_trouble(Trouble.BUG))

    async def _while_held(self, entry: Entry, say: Callable[[float | None], Awaitable[T]]) -> T:
        """Return what `say` returns, which looks back if it may have been said; raises _LostError.

        A replica that was frozen wakes up in the midst of it, long after somebody else has said it.
        """
        since = entry.created if entry.taken_over else None
        while await self._surely([], partial(self.ledger.hold, entry)):
            try:
                async with self.ledger.lease() as lease:
                    return await say(since)
            except TimeoutError:
                if not lease.expired():
                    raise
                since = entry.created
        raise _LostError

    async def _end(self, entry: Entry, owed: list[Write], how: str) -> None:
        """Record the end, with all the time it takes: until then the same pair counts as under way."""
        await self._surely(owed, partial(self.ledger.end, entry, how), patience=math.inf)

    async def _surely(
        self, owed: list[Write], write: Write, patience: float = _PATIENCE_ALONE
    ) -> bool:
        """Write what is owed and then `write`, however often it takes; False if somebody else holds the request.

        Where nobody else can take the request over, an answer is worth more than its record: after `patience`
        seconds it goes on, owing it.
        """
        pause, waited = 0.1, _PATIENCE_ALONE if owed else 0.0
        owed.append(write)
        while owed:
            began, oldest = time.monotonic(), owed.pop(0)
            try:
                if not await oldest():
                    return False
                continue
            except LedgerDownError as error:
                _log.warning("the ledger does not take a step", extra={"reason": str(error)})
                owed.insert(0, oldest)
            if self.ledger.exclusive and waited >= patience:
                return True
            await self.sleep(pause)
            waited += pause + time.monotonic() - began
            pause = min(pause * 2, _LONGEST_PAUSE)
        return True

    async def keep(self, may_take: Callable[[], bool] = lambda: True) -> None:
        """Hold this replica's requests and, while it may, take over what nobody holds; runs until cancelled."""
        healthy_since = -math.inf
        while True:
            try:
                await self.ledger.beat()
                if may_take() and time.monotonic() - healthy_since >= self.lease:
                    await self._take_over()
            except LedgerDownError as error:
                # Once it is back, every replica must have had the time to hold on to its own.
                healthy_since = time.monotonic()
                _log.warning("the ledger is down", extra={"reason": str(error)})
            except Exception:  # noqa: BLE001  # without its beats a replica would lose everything
                _log.exception("unforeseen error")
            await asyncio.sleep(self.lease / _BEATS_PER_LEASE)

    async def _take_over(self) -> None:
        """Take over all that nobody holds, some at a time, so that other replicas get their share."""
        while True:
            taken = await self.ledger.take_over(_TAKEN_AT_ONCE)
            for entry in taken:
                _log.info("taken over", extra={"request": entry.request.id})
                self.start(self.carry(entry))
            if len(taken) < _TAKEN_AT_ONCE:
                return
