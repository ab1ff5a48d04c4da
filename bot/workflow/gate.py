"""The gate of a batch: its items may begin in its turn, while WeChat takes calls and the policy allows it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from bot.domain.batch import AtLimit, InDoubt, Pause, is_daily, next_try
from bot.domain.outcome import Said
from bot.ledger import Entry, Ledger
from bot.workflow.brake import CHECK_AGAIN, Brake, BrakeVerdict
from bot.workflow.leased import LeasedSteps

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Gate:
    """Opens and shuts for one batch; `left` returns the appids that have not begun, and `stop` ends those.

    Every method that waits raises LeaseLostError once another replica holds the batch, or the bot stops and the batch
    is not `busy` with calls.
    """

    batch: Entry
    ledger: Ledger
    leased: LeasedSteps
    brake: Brake
    now: Callable[[], float]
    left: Callable[[], Sequence[str]]
    busy: Callable[[], bool]
    stop: Callable[[], Awaitable[None]]
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the policy is checked and the items it stops are recorded, and while the lane is taken or left."""
    _at_limit: AtLimit | None = None
    _in_doubt: InDoubt | None = None

    @property
    def pause(self) -> Pause | None:
        """Why the batch pauses."""
        return self._at_limit or self._in_doubt

    async def open(self) -> None:
        """Wait for the lane, or until nothing is left, check the policy with fresh data, and open."""
        async with self.checking:
            await self._take_lane()
            await self._check(fresh=True)
        self._at_limit = None
        self._go_on()

    async def _take_lane(self) -> None:
        take = partial(self.ledger.lane.take, self.batch)
        while not await self.leased.keep_trying(take):
            if not await self._is_left():
                break
            await self.leased.rest(self.batch, CHECK_AGAIN, self.busy)

    async def _leave_lane(self) -> None:
        await self.leased.keep_trying(partial(self.ledger.lane.leave, self.batch))

    async def watch(self) -> None:
        """Check the policy every few seconds, until cancelled."""
        while True:
            await asyncio.sleep(self.brake.every)
            if self.is_open.is_set():
                async with self.checking:
                    await self._check()
                self._go_on()

    def shut(self, limit: Said) -> float | None:
        """Shut the gate at a rate limit and return until when, in Unix seconds; None if it is shut for that already."""
        self.is_open.clear()
        if self._at_limit:
            return None
        now = self.now()
        until = next_try(limit, now)
        self._at_limit = AtLimit(until)
        facts = {"request": self.batch.request.id, "errcode": limit.errcode, "rid": limit.rid}
        facts |= {"seconds": round(until - now)}
        _log.warning("a batch pauses: WeChat takes no more calls for now", extra=facts)
        return until

    async def wait(self, limit: Said, until: float) -> None:
        """Wait until WeChat may take calls again, or nothing is left, and open; at the daily limit, leave the lane.

        If the clock was set back, the pause begins again.
        """
        if is_daily(limit):
            async with self.checking:
                await self._leave_lane()
        while (now := self.now()) < until:
            await self.leased.rest(self.batch, min(until - now, CHECK_AGAIN), self.busy)
            if not await self._is_left():
                break
            until = min(until, next_try(limit, self.now()))
            self._at_limit = AtLimit(until)
        await self.open()

    def _go_on(self) -> None:
        if not self.pause:
            self.is_open.set()

    async def _check(self, *, fresh: bool = False) -> None:
        """Stop what the policy no longer allows; while Slack does not answer, leave the lane to other batches."""
        verdict = await self.brake.check(self.batch, self.left(), fresh=fresh)
        while verdict is BrakeVerdict.IN_DOUBT:
            verdict = await self._until_known()
            if verdict is not BrakeVerdict.GO:
                break
            await self._take_lane()
            verdict = await self.brake.check(self.batch, self.left())
        if verdict is BrakeVerdict.STOP:
            await self.stop()

    async def _until_known(self) -> BrakeVerdict:
        """Return the verdict once Slack answers; IN_DOUBT if nothing is left to do before that."""
        facts = {"request": self.batch.request.id}
        _log.warning("a batch pauses: Slack does not tell who asked for it", extra=facts)
        self._in_doubt = InDoubt()
        self.is_open.clear()
        await self._leave_lane()
        verdict = BrakeVerdict.IN_DOUBT
        while verdict is BrakeVerdict.IN_DOUBT and await self._is_left():
            await self.leased.rest(self.batch, CHECK_AGAIN, self.busy)
            verdict = await self.brake.check(self.batch, self.left())
        self._in_doubt = None
        return verdict

    async def _is_left(self) -> bool:
        """Tell whether any item is open."""
        return await self.leased.keep_trying(
            partial(self.ledger.batches.are_left, self.batch.request)
        )
