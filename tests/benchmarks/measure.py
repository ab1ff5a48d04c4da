"""Measure all variants alternately, in several rounds, and take the median of each figure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from statistics import median, quantiles
from typing import Self

from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import Load, standins


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a run: numbers of commands, except `rounds`, `batches`, `take_overs`, `people`, `at_once`, `batch`, `requests`.

    A batch has `batch` appids, a large ledger `requests`.
    """

    rounds: int = 5
    warm_up: int = 300
    in_a_row: int = 500
    burst: int = 3_000
    at_once: int = 50
    requests: int = 1_000_000
    batch: int = 500
    batches: int = 5
    take_overs: int = 5
    people: int = 9


QUICK = Plan(
    warm_up=60,
    in_a_row=60,
    burst=300,
    requests=50_000,
    take_overs=1,
    people=3,
)
"""The same rows from smaller samples."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds to the ack, and commands answered per second."""

    ack_p50: float
    ack_p99: float
    per_second: float

    @classmethod
    def of(cls, load: Load) -> Self:
        """Return the figures of one load."""
        ack_p50, ack_p99 = percentiles(took.ack for took in load.each)
        return cls(ack_p50, ack_p99, len(load.each) / load.together)

    @classmethod
    def middle(cls, rounds: Iterable[Self]) -> Self:
        """Return the median of each figure."""
        kept = list(rounds)
        return cls(*(median(getattr(each, field.name) for each in kept) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Figures:
    """A variant's figures, of one round or medians; `ready` in seconds, `work` in CPU milliseconds per command, `peak` in bytes."""

    ready: float
    in_a_row: Speed
    burst: Speed
    work: float
    peak: float

    @classmethod
    def middle(cls, rounds: Iterable[Self]) -> Self:
        """Return the median of each figure."""
        kept = list(rounds)
        return cls(
            median(each.ready for each in kept),
            Speed.middle(each.in_a_row for each in kept),
            Speed.middle(each.burst for each in kept),
            median(each.work for each in kept),
            median(each.peak for each in kept),
        )


async def measure(plan: Plan, tell: Callable[[str], None]) -> dict[Variant, Figures]:
    """Return the figures of all variants; rounds alternate, so that noise affects all alike."""
    rounds: dict[Variant, list[Figures]] = {variant: [] for variant in Variant}
    for number in range(1, plan.rounds + 1):
        for variant in Variant:
            tell(f"Round {number} of {plan.rounds}: {variant.title}")
            rounds[variant].append(await _round(variant, plan))
    return {variant: Figures.middle(each) for variant, each in rounds.items()}


async def _round(variant: Variant, plan: Plan) -> Figures:
    async with standins() as world, started(variant, world) as bot:
        await world.load(plan.warm_up, plan.at_once)
        in_a_row = await world.load(plan.in_a_row, 1)
        busy = bot.busy()
        burst = await world.load(plan.burst, plan.at_once)
        work = 1000 * (bot.busy() - busy) / plan.burst
        return Figures(bot.ready, Speed.of(in_a_row), Speed.of(burst), work, bot.peak())


def percentiles(seconds: Iterable[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    cuts = quantiles((1000 * each for each in seconds), n=100, method="inclusive")
    return cuts[49], cuts[98]
