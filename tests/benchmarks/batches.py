"""How long a batch takes, and how long single commands wait for their acks while one runs."""

from dataclasses import dataclass
from statistics import median

from tests.benchmarks.measure import percentiles
from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import standins

LATENCY = 0.1  # seconds for each response of WeChat's
AT_ONCE = 20  # items of a batch at a time
_WARM_UP = 50
_PEOPLE, _PAUSE = 3, 0.05


@dataclass(frozen=True, slots=True)
class Batched:
    """Seconds for a batch alone, and the p99 of single commands' acks beside one, in milliseconds."""

    size: int
    seconds: float
    ack_beside: float

    @property
    def ideal(self) -> float:
        """The seconds that WeChat alone takes for the batch."""
        return self.size / AT_ONCE * LATENCY


async def batched(size: int, rounds: int) -> Batched:
    """Return medians for batches of this size on a SQLite file, alone and beside single commands by turns."""
    async with standins(LATENCY) as world, started(Variant.THIS_BOT, world):
        await world.load(_WARM_UP, AT_ONCE)
        alone, beside = list[float](), list[float]()
        for _ in range(rounds):
            alone.append(await world.batch(size))
            singles = await world.beside(world.batch(size), _PEOPLE, _PAUSE)
            beside.append(percentiles(took.ack for took in singles)[1])
        return Batched(size, median(alone), median(beside))
