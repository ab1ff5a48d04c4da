"""The gate of a batch: open while it is the batch's turn, WeChat takes calls and the policy allows it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass

from bot.domain.batch import AtLimit, InDoubt, Pause, is_daily, next_try
from bot.domain.outcome import Said
from bot.ledger.entries import Entry
from bot.workflow.brake import CHECK_AGAIN, Brake, BrakeVerdict
from bot.workflow.leased import LeasedSteps
from bot.workflow.retrying import RetryingLedger

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Gate:
    """Opens for the items of one batch, and shuts; while it waits to open, none is under way.

    What waits raises LeaseLostError once another replica holds the batch, or the bot stops.
    """

    batch: Entry
    _: KW_ONLY
    ledger: RetryingLedger
    leased: LeasedSteps
    brake: Brake
    now: Callable[[], float]
    is_open: bool = False
    pause: Pause | None = None
    """Why the batch pauses."""
    _limit: tuple[Said, float] | None = None
    """The limit that it was shut at, and until when, in Unix seconds."""

    async def open(self, left: Sequence[str]) -> bool:
        """Wait until the appids that are `left` may begin, or none is left, and open.

        False if the policy stops them, or somebody cancelled the rest of the batch.
        """
        if self._limit:
            await self._until_over(*self._limit)
            self._limit = None
        await self._take_lane()
        verdict = await self.brake.check(self.batch, left, fresh=True)
        while verdict is BrakeVerdict.IN_DOUBT and await self._is_left():
            await self._until_known(left)
            await self._take_lane()
            verdict = await self.brake.check(self.batch, left)
        self.pause = None
        self.is_open = verdict is not BrakeVerdict.STOP and not await self.cancelled_by()
        return self.is_open

    async def cancelled_by(self) -> str | None:
        """Return who cancelled the rest of the batch, if anybody."""
        return await self.ledger.batches.cancelled_by(self.batch.request)

    async def watch(self, left: Callable[[], Sequence[str]]) -> None:
        """Check the policy every few seconds, and shut unless it surely allows what is left; until cancelled."""
        while True:
            await self.leased.idle(self.brake.every)
            if not self.is_open:
                continue
            verdict = await self.brake.check(self.batch, left())
            if verdict is not BrakeVerdict.GO:
                self.is_open = False
            if verdict is BrakeVerdict.IN_DOUBT:
                self.pause = self.pause or InDoubt()

    def shut(self, limit: Said) -> None:
        """Shut at one of WeChat's rate limits, until it may take calls again."""
        if self._limit:
            return
        now = self.now()
        until = next_try(limit, now)
        self.is_open, self.pause, self._limit = False, AtLimit(until), (limit, until)
        facts = {"request": self.batch.request.id, "errcode": limit.errcode, "rid": limit.rid}
        facts |= {"seconds": round(until - now)}
        _log.warning("a batch pauses: WeChat takes no more calls for now", extra=facts)

    async def _until_over(self, limit: Said, until: float) -> None:
        """Wait until WeChat may take calls again, or nothing is left; at the daily limit, other batches have the lane.

        If the clock was set back, the pause begins again.
        """
        if is_daily(limit):
            await self._leave_lane()
        while (now := self.now()) < until and await self._is_left():
            self.pause = AtLimit(until)
            await self.leased.rest(self.batch, min(until - now, CHECK_AGAIN))
            until = min(until, next_try(limit, self.now()))

    async def _until_known(self, left: Sequence[str]) -> None:
        """Wait until Slack answers, or nothing is left; other batches have the lane meanwhile."""
        facts = {"request": self.batch.request.id}
        _log.warning("a batch pauses: Slack does not tell who asked for it", extra=facts)
        self.pause = InDoubt()
        await self._leave_lane()
        while await self._is_left():
            await self.leased.rest(self.batch, CHECK_AGAIN)
            if await self.brake.check(self.batch, left) is not BrakeVerdict.IN_DOUBT:
                break
        self.pause = None

    async def _take_lane(self) -> None:
        while not await self.ledger.batches.take_lane(self.batch) and await self._is_left():
            await self.leased.rest(self.batch, CHECK_AGAIN)

    async def _leave_lane(self) -> None:
        await self.ledger.batches.leave_lane(self.batch)

    async def _is_left(self) -> bool:
        """Tell whether any item may still begin."""
        return await self.ledger.batches.are_left(self.batch.request)
