"""Carry requests from the ledger to their end: settle the place, ask WeChat, deliver; also after a crash.

Each step is recorded before the next one begins, so whoever takes a request over goes on from its state.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial

from bot.about import about
from bot.asking import ask
from bot.batches import Batches
from bot.changes import Changed, unheard
from bot.guidance import Trouble, for_trouble
from bot.holding import Holding, LostError, Write
from bot.ledger import LEASE, Entry, LedgerDownError
from bot.outcome import Called, Finished, Outcome, Step, Unknown, doubted
from bot.ports import Owners, Places
from bot.request import State
from bot.settling import settle
from bot.waiting import Waiting

MOST_TAKE_OVERS = 5
_BEATS_PER_LEASE = 4
_TAKEN_AT_ONCE = 50
_PAUSE = 3.0  # seconds, after something that nobody foresaw

_GIVEN_UP = Unknown(for_trouble(Trouble.GIVEN_UP), tries=0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Carrying:
    """What it takes to carry requests; `lease` is in seconds."""

    holding: Holding
    places: Places
    owners: Owners
    waiting: Waiting
    batches: Batches
    start: Callable[[Coroutine[None, None, None]], None]
    lease: float = LEASE
    changed: Changed = unheard

    async def carry(self, entry: Entry) -> None:
        """Take a request on from its state to its end; stop silently once somebody else holds it.

        After an exception that nobody foresaw it goes on from the state that was reached, as after a take-over.
        """
        with about(entry.request.id):
            await self._carry(entry)

    async def _carry(self, entry: Entry) -> None:
        owed = list[Write]()
        called_again = entry.taken_over > 0 and entry.state is State.PLACED
        while True:
            try:
                reached = await self._step(entry, owed, called_again=called_again)
            except LostError:
                return
            except Exception:  # noqa: BLE001  # nobody else would take it on while this replica lives
                _log.exception("unforeseen error")
                if entry.taken_over > MOST_TAKE_OVERS:
                    await self.holding.end(entry, owed, "given up")
                    self.changed(entry.request)
                    return
                await self.holding.sleep(_PAUSE)
                called_again = called_again or entry.state is State.PLACED
                reached = replace(entry, taken_over=entry.taken_over + 1)
            self.changed(entry.request)
            if reached is None:
                return
            entry = reached

    async def _step(self, entry: Entry, owed: list[Write], *, called_again: bool) -> Entry | None:
        """Take a request on by one state; None once there is nothing more to do."""
        if entry.state in {State.CONFIRMING, State.WAITING}:
            return await self.waiting.step(entry, owed)
        if entry.outcome is not None:
            await self._deliver(entry, entry.outcome, owed, called_again=called_again)
            return None
        if entry.place is None:
            return await self._settle(entry, owed)
        if entry.asked:
            self.start(self.waiting.approvals.settle(entry))
        if entry.request.is_batch:
            return await self._run(entry, entry.place, owed)
        return await self._call(entry, owed, called_again=called_again)

    async def _deliver(
        self, entry: Entry, outcome: Outcome, owed: list[Write], *, called_again: bool
    ) -> None:
        """Tell everybody how it ended."""
        request = entry.request
        if isinstance(outcome, Finished) and outcome.lacks_groups:
            outcome = await self.batches.finished(request)
        place = self.places.reopen(request, entry.place)
        again = called_again and outcome != _GIVEN_UP
        delivered = await self.holding.while_held(
            entry,
            lambda since: place.close(request, outcome, look_since=since, called_again=again),
        )
        if entry.asked:
            await self.waiting.approvals.settle(entry)
        if not delivered:
            told = {"request": request.id, "outcome": type(outcome).__name__.lower()}
            _log.error("Slack took the answer nowhere", extra=told)
        await self.holding.end(entry, owed, "delivered" if delivered else "not delivered")

    async def _settle(self, entry: Entry, owed: list[Write]) -> Entry | None:
        """Settle where the answer goes, and record it."""
        place = await settle(self.holding, self.places, entry, owed, waiting=False)
        if place is None:
            return None
        placed = replace(entry, state=State.PLACED, place=place.ref)
        # Never owed, as an answer may be: after a crash nobody would know that WeChat may have been asked.
        settled = await self.holding.insist(partial(self.holding.ledger.place, entry, place.ref))
        return placed if settled else None

    async def _call(self, entry: Entry, owed: list[Write], *, called_again: bool) -> Entry | None:
        """Ask WeChat, and record what came of it."""
        began, steps = time.monotonic(), list[Step]()
        if entry.taken_over > MOST_TAKE_OVERS:
            outcome: Called = _GIVEN_UP
        else:
            holds = partial(self.holding.holds, entry)
            outcome = await ask(self.owners, entry.request, steps.append, holds)
        if called_again:
            outcome = doubted(outcome)  # nobody knows what came of the call before this one
        seconds = round(time.monotonic() - began, 3)
        write = partial(self.holding.ledger.answer, entry, outcome, seconds, steps)
        answered = replace(entry, state=State.ANSWERED, outcome=outcome)
        return answered if await self.holding.surely(owed, write) else None

    async def _run(self, entry: Entry, where: str, owed: list[Write]) -> Entry | None:
        """Run a batch, and record that it is through."""
        if entry.taken_over > MOST_TAKE_OVERS:
            outcome = await self.batches.give_up(entry, _GIVEN_UP)
        else:
            outcome = await self.batches.run(entry, self.places.reopen(entry.request, where))
        if outcome is None:
            return None
        write = partial(self.holding.ledger.answer, entry, outcome, 0.0, ())
        answered = replace(entry, state=State.ANSWERED, outcome=outcome)
        return answered if await self.holding.surely(owed, write) else None

    async def keep(self, may_take: Callable[[], bool] = lambda: True) -> None:
        """Hold this replica's requests and, while it may, take over what nobody holds; runs until cancelled."""
        healthy_since = -math.inf
        while True:
            try:
                await self.holding.ledger.replica.beat()
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
            taken = await self.holding.ledger.replica.take_over(_TAKEN_AT_ONCE)
            for entry in taken:
                self.start(self.carry(entry))
            if len(taken) < _TAKEN_AT_ONCE:
                return
