"""How long a batch takes, and what single commands take while one runs."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles

from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import Took, standins

LATENCY = 0.1  # seconds that WeChat takes for each answer
AT_ONCE = 20  # items of a batch
_WARM_UP = 50
_PEOPLE, _PAUSE = 3, 0.05


@dataclass(frozen=True, slots=True)
class Batched:
    """Seconds for a batch alone; milliseconds of single commands, p99, on an idle bot and beside a batch."""

    size: int
    seconds: float
    ack_idle: float
    ack_beside: float
    answer_idle: float
    answer_beside: float

    @property
    def ideal(self) -> float:
        """Return the seconds that WeChat alone takes for the batch."""
        return self.size / AT_ONCE * LATENCY


async def batched(size: int, rounds: int) -> Batched:
    """Return the medians for batches of so many appids, on a SQLite file; idle and beside a batch in turn."""
    async with standins(LATENCY) as world, started(Variant.THIS_BOT, world):
        await world.load(_WARM_UP, AT_ONCE)
        alone = [await world.batch(size) for _ in range(rounds)]
        idle, beside = list[Took](), list[Took]()
        for _ in range(2 * rounds):
            idle += await world.beside(asyncio.sleep(median(alone)), _PEOPLE, _PAUSE)
            beside += await world.beside(world.batch(size), _PEOPLE, _PAUSE)
        return Batched(
            size,
            median(alone),
            _p99(took.ack for took in idle),
            _p99(took.ack for took in beside),
            _p99(took.answer for took in idle),
            _p99(took.answer for took in beside),
        )


def _p99(seconds: Iterable[float]) -> float:
    return quantiles((1000 * each for each in seconds), n=100, method="inclusive")[98]
