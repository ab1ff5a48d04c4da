"""How long a batch takes, and how long single commands take while one runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from tests.benchmarks.measure import percentiles
from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import Took, standins

LATENCY = 0.1  # seconds for each response of WeChat's
AT_ONCE = 20  # items of a batch at a time
_WARM_UP = 50
_PEOPLE, _PAUSE = 3, 0.05


@dataclass(frozen=True, slots=True)
class _P99:
    """The p99s of single commands in one round, in milliseconds."""

    ack: float
    answer: float

    @classmethod
    def of(cls, each: Sequence[Took]) -> Self:
        acks, answers = (took.ack for took in each), (took.answer for took in each)
        return cls(percentiles(acks)[1], percentiles(answers)[1])


@dataclass(frozen=True, slots=True)
class Batched:
    """Seconds for a batch alone; milliseconds of single commands, p99, on an idle bot and during a batch."""

    size: int
    seconds: float
    ack_idle: float
    ack_beside: float
    answer_idle: float
    answer_beside: float

    @property
    def ideal(self) -> float:
        """The seconds that WeChat alone takes for the batch."""
        return self.size / AT_ONCE * LATENCY


async def batched(size: int, rounds: int) -> Batched:
    """Return medians for batches of this size on a SQLite file: alone, then idle and during a batch, alternating."""
    async with standins(LATENCY) as world, started(Variant.THIS_BOT, world):
        await world.load(_WARM_UP, AT_ONCE)
        alone, idle, beside = list[float](), list[_P99](), list[_P99]()
        for _ in range(rounds):
            alone.append(await world.batch(size))
            resting = asyncio.sleep(alone[-1])
            idle.append(_P99.of(await world.beside(resting, _PEOPLE, _PAUSE)))
            beside.append(_P99.of(await world.beside(world.batch(size), _PEOPLE, _PAUSE)))
        return Batched(
            size,
            median(alone),
            ack_idle=median(each.ack for each in idle),
            ack_beside=median(each.ack for each in beside),
            answer_idle=median(each.answer for each in idle),
            answer_beside=median(each.answer for each in beside),
        )
