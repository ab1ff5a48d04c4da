"""Run the items of a batch: some at a time, in one lane for all batches, pausing where WeChat asks for it.

Every answer is recorded before the next item begins, so whoever takes a batch over asks for nothing twice
that was answered.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from bot.about import about
from bot.asking import ask
from bot.guidance import by_key
from bot.holding import Holding, LostError
from bot.ledger import Entry
from bot.ledger.batches import Answered
from bot.outcome import (
    Cancelled,
    Failed,
    Finished,
    Outcome,
    Said,
    Step,
    Tally,
    Unknown,
    doubted,
    groups_of,
    tally_of,
)
from bot.ports import Owners, Place
from bot.request import Request, State, items_of

AT_ONCE = 20
_RECORDED_AT_ONCE = 25  # items in one transaction, so that single requests need not wait for long
_TURNS = 2  # answers in one transaction, likewise
_APART = 0.005  # seconds between the first items, so that they do not march in step
_PER_MINUTE, _PER_DAY = 45011, 45009
_MINUTE, _DAY = 60.0, 86_400.0
_CHINA = 8 * 3600.0  # WeChat's days begin at midnight in China
_GRACE = 300.0  # after midnight, since clocks differ
_LOOK_AGAIN = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batches:
    """What it takes to run batches; `now` in Unix seconds."""

    holding: Holding
    owners: Owners
    now: Callable[[], float]
    tick: float = 1.0
    """Seconds between two edits of a message; Slack wants no more."""
    _runs: "set[_Run]" = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """How many items of the batches under way here have not begun."""
        return sum(len(run.todo) for run in self._runs)

    async def run(self, batch: Entry, place: Place) -> Finished | None:
        """Run what is left of a batch to its end and return what came of it; None once somebody else holds it."""
        run = _Run(self, batch, place)
        self._runs.add(run)
        showing = asyncio.create_task(run.show())
        try:
            async with asyncio.TaskGroup() as group:
                await run.queue()
                await run.begin()
                for _ in range(AT_ONCE):
                    group.create_task(run.work())
                    await self.holding.sleep(_APART)
        except* LostError:
            lost = True
        else:
            lost = False
        finally:
            showing.cancel()
            self._runs.remove(run)
        return None if lost else await self.finished(batch.request)

    async def give_up(self, batch: Entry, outcome: Outcome) -> Finished | None:
        """End with `outcome` what has not ended; None if somebody else holds the batch."""
        write = partial(self.holding.ledger.batches.give_up, batch, outcome)
        return await self.finished(batch.request) if await self.holding.insist(write) else None

    async def finished(self, request: Request) -> Finished:
        """Return what came of a batch, from its items."""
        outcomes = self.holding.ledger.batches.outcomes
        ended = await self.holding.insist(partial(outcomes, request.id))
        return Finished(tally_of([outcome for _, outcome in ended]), groups_of(ended))


@dataclass(slots=True, eq=False)
class _Run:
    """One batch under way on this replica."""

    by: Batches
    batch: Entry
    place: Place
    todo: deque[Entry] = field(default_factory=deque)
    outcomes: dict[str, Outcome | None] = field(default_factory=dict)
    running: asyncio.Event = field(default_factory=asyncio.Event)
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, _TURNS))
    paused_until: float | None = None

    @property
    def tally(self) -> Tally:
        """How far it has come."""
        return tally_of([*self.outcomes.values()])

    async def begin(self) -> None:
        """Let the items run once no other batch does, or if none is left; raises LostError once somebody else holds it."""
        ledger, insist = self.by.holding.ledger, self.by.holding.insist
        while not await insist(partial(ledger.batches.take_lane, self.batch)):
            if not await insist(partial(ledger.replica.hold, self.batch)):
                raise LostError
            if not await insist(partial(ledger.batches.are_left, self.batch.request)):
                break
            await self.by.holding.sleep(_LOOK_AGAIN)
        self.paused_until = None
        self.running.set()

    async def queue(self) -> None:
        """Record the items, and take up those that have not ended."""
        batches, insist = self.by.holding.ledger.batches, self.by.holding.insist
        items = items_of(self.batch.request)
        for start in range(0, len(items), _RECORDED_AT_ONCE):
            some = items[start : start + _RECORDED_AT_ONCE]
            if not await insist(partial(batches.queue, self.batch, some)):
                raise LostError
        for item in await insist(partial(batches.items, self.batch.request.id)):
            self.outcomes[item.request.id] = item.outcome
            if item.state is State.QUEUED:
                self.todo.append(item)

    async def work(self) -> None:
        """Take one item after the other; raises LostError once somebody else holds the batch."""
        done: Answered | None = None
        while True:
            if not self.running.is_set():
                await self._advance(done, None)  # a pause may be long
                done = None
                await self.running.wait()
            item = self.todo.popleft() if self.todo else None
            may = await self._advance(done, item)
            done = None
            if item is None:
                return
            if may:
                done = await self._call(item)
            else:
                self.outcomes[item.request.id] = Cancelled("")

    async def _advance(self, done: Answered | None, item: Entry | None) -> bool:
        """Record an answer and begin the next item; False if there is none or it was cancelled."""
        if done is None and item is None:
            return False
        advance = self.by.holding.ledger.batches.advance
        following = item.request if item else None
        async with self.turns:
            may = await self.by.holding.insist(partial(advance, self.batch, done, following))
        if may is None:
            raise LostError
        return may

    async def _call(self, item: Entry) -> Answered | None:
        """Ask WeChat; None if it wants to be left alone, and the item is to be asked for later."""
        request, steps, began = item.request, list[Step](), time.monotonic()
        holds = partial(self.by.holding.holds, self.batch)
        with about(request.id):
            outcome = await ask(self.by.owners, request, steps.append, holds)
        doubtful = item.begun or any(by_key(step.result).in_doubt for step in steps)
        if limit := _limit(outcome):
            await self._put_back(replace(item, begun=doubtful), limit)
            return None
        if doubtful:
            outcome = doubted(outcome)
        self.outcomes[request.id] = outcome
        return Answered(request, outcome, round(time.monotonic() - began, 3), steps)

    async def _put_back(self, item: Entry, limit: Said) -> None:
        """Let an item wait; whoever is the first to hear of a limit lets nothing begin for as long as that lasts."""
        first = self.running.is_set()
        self.running.clear()
        put_back = self.by.holding.ledger.batches.put_back
        put = partial(put_back, self.batch, item.request, begun=item.begun)
        if not await self.by.holding.insist(put):
            raise LostError
        self.todo.append(item)
        if first:
            await self._pause(limit)

    async def _pause(self, limit: Said) -> None:
        """Wait until WeChat takes calls again, or nothing is left to do."""
        batches, insist = self.by.holding.ledger.batches, self.by.holding.insist
        daily = limit.errcode == _PER_DAY
        until = _tomorrow(self.by.now()) if daily else self.by.now() + _MINUTE
        self.paused_until = until
        why = {"errcode": limit.errcode, "rid": limit.rid, "seconds": round(until - self.by.now())}
        told = {"request": self.batch.request.id, **why}
        _log.warning("a batch pauses: WeChat takes no more calls for now", extra=told)
        if daily:
            await insist(partial(batches.leave_lane, self.batch))
        while (left := until - self.by.now()) > 0:
            await self.by.holding.sleep(min(left, _LOOK_AGAIN))
            if not await insist(partial(batches.are_left, self.batch.request)):
                break
        await self.begin()

    async def show(self) -> None:
        """Show how far it has come, until cancelled; no more often than Slack wants."""
        shown: tuple[Tally, float | None] | None = None
        while True:
            await self.by.holding.sleep(self.by.tick)
            now = self.tally, self.paused_until
            if now != shown and now[0].total:
                await self.place.progress(self.batch.request, *now)
                shown = now


def _limit(outcome: Outcome) -> Said | None:
    """Return the words by which WeChat asked to be left alone for a while."""
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    return said if said and said.errcode in {_PER_MINUTE, _PER_DAY} else None


def _tomorrow(now: float) -> float:
    """Return when WeChat's next day has begun, in Unix seconds."""
    return now - (now + _CHINA) % _DAY + _DAY + _GRACE
