"""Measure every variant in turn, several rounds over, and keep the middle of each figure."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from statistics import median, quantiles
from typing import Self

from tests.benchmarks.processes import Memory, Variant, started
from tests.benchmarks.standins import Load, standins

_SETTLE = 1.0  # seconds of rest before memory is read


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: numbers of commands, but for `rounds`, `at_once` and the appids of one `batch`."""

    rounds: int = 3
    warm_up: int = 300
    in_a_row: int = 500
    burst: int = 3_000
    at_once: int = 50
    early: int = 2_000
    late: int = 10_000
    requests: int = 1_000_000
    batch: int = 500


QUICK = Plan(
    rounds=1,
    warm_up=50,
    in_a_row=50,
    burst=300,
    early=200,
    late=500,
    requests=10_000,
    batch=100,
)


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds to the ack and to the answer, and commands answered per second."""

    ack_p50: float
    ack_p99: float
    answer_p50: float
    answer_p99: float
    per_second: float

    @classmethod
    def of(cls, load: Load) -> Self:
        """Return the figures of one load."""
        ack_p50, ack_p99 = _percentiles(took.ack for took in load.each)
        answer_p50, answer_p99 = _percentiles(took.answer for took in load.each)
        return cls(ack_p50, ack_p99, answer_p50, answer_p99, len(load.each) / load.together)

    @classmethod
    def middle(cls, rounds: Iterable[Self]) -> Self:
        """Return the median of every figure."""
        kept = list(rounds)
        return cls(*(median(getattr(each, field.name) for each in kept) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one variant; `ready` in seconds, `work` in milliseconds of CPU for each command."""

    ready: float
    in_a_row: Speed
    burst: Speed
    work: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory at rest, after the plan's `early` commands and after its `late` ones."""

    rest: Memory
    early: Memory
    late: Memory


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is known of one variant."""

    ready: float
    in_a_row: Speed
    burst: Speed
    work: float
    growth: Growth


async def measure(plan: Plan, tell: Callable[[str], None]) -> dict[Variant, Figures]:
    """Return the figures of every variant; the rounds alternate, so that noise meets all alike."""
    rounds: dict[Variant, list[Round]] = {variant: [] for variant in Variant}
    for number in range(1, plan.rounds + 1):
        for variant in Variant:
            tell(f"Round {number} of {plan.rounds}: {variant.name}")
            rounds[variant].append(await _round(variant, plan))
    figures = {}
    for variant in Variant:
        tell(f"Memory over {plan.late:,} commands: {variant.name}")
        figures[variant] = Figures(
            median(each.ready for each in rounds[variant]),
            Speed.middle(each.in_a_row for each in rounds[variant]),
            Speed.middle(each.burst for each in rounds[variant]),
            median(each.work for each in rounds[variant]),
            await _growth(variant, plan),
        )
    return figures


async def _round(variant: Variant, plan: Plan) -> Round:
    async with standins() as world, started(variant, world) as bot:
        await world.load(plan.warm_up, plan.at_once)
        in_a_row = await world.load(plan.in_a_row, 1)
        busy = bot.busy()
        burst = await world.load(plan.burst, plan.at_once)
        work = 1000 * (bot.busy() - busy) / plan.burst
        return Round(bot.ready, Speed.of(in_a_row), Speed.of(burst), work)


async def _growth(variant: Variant, plan: Plan) -> Growth:
    async with standins() as world, started(variant, world) as bot:

        async def after(commands: int) -> Memory:
            await world.load(commands, plan.at_once)
            await asyncio.sleep(_SETTLE)
            return bot.memory()

        await asyncio.sleep(_SETTLE)
        return Growth(bot.memory(), await after(plan.early), await after(plan.late - plan.early))


def _percentiles(seconds: Iterable[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    cuts = quantiles((1000 * each for each in seconds), n=100, method="inclusive")
    return cuts[49], cuts[98]
