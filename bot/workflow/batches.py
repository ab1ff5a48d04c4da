"""Run the items of a batch: several at a time, one batch at a time, with pauses at WeChat's rate limits.

Every answer is recorded before the next item begins, so a replica that takes a batch over calls WeChat only for items
without an answer.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from types import NoneType

from bot.domain.batch import Pause, finished_of, limit_in, tally_of
from bot.domain.outcome import Cancelled, Finished, Outcome, Step, Stopped, Tally, doubted
from bot.domain.request import Request, item_of
from bot.guidance import by_key
from bot.ledger.batches import ItemEnded
from bot.ledger.entries import Entry
from bot.ledger.items import Item
from bot.runtime.observers import no_op
from bot.runtime.tasks import log_request
from bot.workflow.brake import CANCELLED_MIDWAY, STOPPED_MIDWAY, Brake
from bot.workflow.gate import Gate
from bot.workflow.leased import LeasedSteps, LeaseExpiredError, LeaseLostError
from bot.workflow.ports import AwayError, Owners
from bot.workflow.retrying import RetryingLedger

AT_ONCE = 20
_UNSURE = 15  # ticks after which progress is shown once more, since an edit had failed
_APART = 0.002  # seconds between the starts of the workers, so that their calls are spread out

_log = logging.getLogger(__name__)

ShowProgress = Callable[[Tally, Pause | None], Awaitable[None]]
"""Shows how far the batch has come, and why it pauses; raises AwayError."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Runs batches; `now` in Unix seconds."""

    ledger: RetryingLedger
    leased: LeasedSteps
    owners: Owners
    brake: Brake
    now: Callable[[], float]
    prefetch_readiness: Callable[[str, str], object] = no_op
    """Begins to look up the readiness of an owner's env, for the summary."""
    tick: float = 3.0
    """Seconds between two progress edits: Slack allows the bot some fifty edits a minute (chat.update, tier 3)."""
    _runs: "set[_Run]" = field(default_factory=set)

    @property
    def waiting(self) -> int:
        """The number of items of this replica's batches that have not begun."""
        return sum(len(run.todo) for run in self._runs)

    async def run(self, batch: Entry, progress: ShowProgress) -> Finished:
        """Run the rest of a batch and return its outcome.

        Raises LeaseLostError once another replica holds it, or if the bot stops before; LeaseExpiredError if the lease
        expired during a call.
        """
        ledger, leased = self.ledger, self.leased
        gate = Gate(batch, ledger=ledger, leased=leased, brake=self.brake, now=self.now)
        run = _Run(
            batch,
            progress=progress,
            gate=gate,
            ledger=ledger,
            leased=leased,
            owners=self.owners,
            prefetch_readiness=self.prefetch_readiness,
        )
        self._runs.add(run)
        showing, lost = asyncio.create_task(run.show(self.tick)), False
        try:
            await run.to_end()
        except* LeaseLostError:
            lost = True
        finally:
            showing.cancel()
            self._runs.remove(run)
        if lost:
            raise LeaseLostError
        return await self.finished(batch.request)

    async def give_up(self, batch: Entry, outcome: Outcome) -> Finished:
        """End all open items with `outcome`, and return the batch's; raises LeaseLostError."""
        if not await self.ledger.batches.end(batch, outcome, outcome):
            raise LeaseLostError
        return await self.finished(batch.request)

    async def finished(self, request: Request) -> Finished:
        """Return a batch's outcome, computed from its items."""
        items = await self.ledger.batches.items(request)
        outcomes = [(item.appid, item.outcome) for item in items]
        twice = tuple(item.appid for item in items if item.called_again)
        return finished_of(outcomes, twice)


@dataclass(slots=True, eq=False)
class _Run:
    """One batch under way on this replica."""

    batch: Entry
    _: KW_ONLY
    progress: ShowProgress
    gate: Gate
    ledger: RetryingLedger
    leased: LeasedSteps
    owners: Owners
    prefetch_readiness: Callable[[str, str], object]
    todo: deque[Item] = field(default_factory=deque)
    ends: Counter[type] = field(default_factory=Counter)
    """The number of items by the type of their outcome, NoneType while they are open."""
    under_way: dict[str, None] = field(default_factory=dict)
    """The appids that WeChat is being called for."""
    expired: bool = False
    """Whether the lease expired during a call."""

    async def to_end(self) -> None:
        """Process the items, from the opening of the gate until it shuts, again and again.

        Raises LeaseLostError and LeaseExpiredError.
        """
        await self._queue()
        while self.todo:
            if not await self.gate.open(self._left()):
                await self._stop()
                return
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self.gate.watch(self._at_stake))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(AT_ONCE):
                        workers.create_task(self._work())
                        await self.leased.sleep(_APART)
                watching.cancel()
            if self.expired:
                raise LeaseExpiredError
            if self.todo and self.leased.stopping():
                raise LeaseLostError

    def _left(self) -> list[str]:
        """Return the appids whose items have not begun."""
        return [item.appid for item in self.todo]

    def _at_stake(self) -> Sequence[str]:
        """Return the appids that the policy may stop: those not begun or, once all have begun, those under way."""
        return self._left() or [*self.under_way]

    async def _stop(self) -> None:
        """End the open items, since somebody cancelled the rest or the policy no longer allows them."""
        by = await self.gate.cancelled_by()
        midway, others = (CANCELLED_MIDWAY, Cancelled(by)) if by else (STOPPED_MIDWAY, Stopped())
        if not await self.ledger.batches.end(self.batch, midway, others):
            raise LeaseLostError
        if not by:
            _log.warning("the policy stops a batch", extra={"items": len(self.todo)})

    def _may_begin(self) -> bool:
        """Tell whether an item may begin, or be called once more."""
        return self.gate.is_open and not self.leased.stopping()

    def _may_call(self) -> bool:
        return self._may_begin() and self.ledger.lease.covers(self.batch)

    async def _queue(self) -> None:
        """Record the items, and queue the open ones; raises LeaseLostError."""
        while not (all_recorded := await self.ledger.batches.queue(self.batch)):
            if all_recorded is None:
                raise LeaseLostError
        for item in await self.ledger.batches.items(self.batch.request):
            self.ends[type(item.outcome)] += 1
            if item.outcome is None:
                self.todo.append(replace(item, called_again=item.begun))

    def _request_of(self, item: Item) -> Request:
        return item_of(self.batch.request, item.id, item.appid)

    def _ended(self, outcome: Outcome) -> None:
        self.ends[NoneType] -= 1
        self.ends[type(outcome)] += 1

    async def _work(self) -> None:
        """Process one item after the other, until none is left, the gate is shut or the bot stops; raises LeaseLostError."""
        item, may = await self._advance(None)
        while item:
            self.under_way[item.appid] = None
            done = await self._call(item) if may else None
            self.under_way.pop(item.appid)
            if not may:
                self._ended(Cancelled(""))
            item, may = await self._advance(done)

    async def _advance(self, done: ItemEnded | None) -> tuple[Item | None, bool]:
        """Record an outcome and begin the next item, if there is one, the gate is open and the bot does not stop.

        Returns that item, and whether it may be called: not if it was cancelled. Raises LeaseLostError.
        """
        item = self.todo.popleft() if self.todo and self._may_begin() else None
        if done is None and item is None:
            return None, False
        following, again = (item.id, item.called_again) if item else (None, False)
        may = await self.ledger.batches.advance(self.batch, done, following, again=again)
        if may is None:
            raise LeaseLostError
        if done is not None:
            self._ended(done.outcome)
        return item, may

    async def _call(self, item: Item) -> ItemEnded | None:
        """Call WeChat for an item under the lease.

        None if the item is back in the queue, as WeChat's limit is reached or the gate was shut before it was called once
        more; and if the lease expired.
        """
        request, steps, began = self._request_of(item), list[Step](), self.leased.clock()
        if not self.todo:  # so that the summary need not wait for it
            self.prefetch_readiness(request.owner, request.env)
        try:
            with log_request(request.id):
                async with self.leased.while_held(self.batch):
                    outcome = await self.owners.share(
                        request.owner, request.env, request.appid, steps.append, self._may_call
                    )
        except LeaseExpiredError:
            self.gate.is_open, self.expired = False, True
            return None
        doubtful = item.begun or any(by_key(step.result).in_doubt for step in steps)
        limit = limit_in(outcome) if outcome else None
        if limit:
            self.gate.shut(limit)
        if limit or outcome is None:
            await self._put_back(replace(item, begun=doubtful), request, steps)
            return None
        if doubtful:
            outcome = doubted(outcome)
        seconds = self.leased.clock() - began
        twice = item.called_again and outcome.tries > 0
        return ItemEnded(request, outcome, seconds, steps, called_again=twice)

    async def _put_back(self, item: Item, request: Request, steps: Sequence[Step]) -> None:
        """Return an item to the queue."""
        if not await self.ledger.batches.put_back(self.batch, request, steps, begun=item.begun):
            raise LeaseLostError
        self.todo.append(item)

    async def show(self, tick: float) -> None:
        """Show the progress every `tick` seconds, less often if Slack asks for that; until cancelled or the batch is lost."""
        shown: tuple[Tally, Pause | None] | None = None
        pause, unsure = tick, 0
        while True:
            await self.leased.sleep(pause)
            pause, now = tick, (tally_of(self.ends), self.gate.pause)
            unsure -= 1
            if unsure == 0:  # the edit that was given up has come by now, perhaps after a newer one
                shown = None
            if now == shown or not now[0].total:
                continue
            if not await self.ledger.holds(self.batch):
                return
            try:
                await self.progress(*now)
                shown = now
            except AwayError as away:  # shown at a later tick
                pause, unsure = max(pause, away.after), _UNSURE
