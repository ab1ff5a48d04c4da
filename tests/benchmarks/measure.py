"""Measure all variants alternately, in several rounds, and take the median of each figure."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median, quantiles
from typing import Self

from tests.benchmarks.processes import ROOT, Memory, Variant, started
from tests.benchmarks.standins import Load, standins

_SETTLE = 1.0  # idle seconds before memory is read


@dataclass(frozen=True, slots=True)
class Plan:
    """The extent of a run: numbers of commands, except `rounds`, `batches`, `take_overs`, `people`, `at_once`, `batch`, `requests`.

    A batch has `batch` appids, a large ledger `requests`; memory is read after `early` and after `late` commands.
    """

    rounds: int = 5
    warm_up: int = 300
    in_a_row: int = 500
    burst: int = 3_000
    at_once: int = 50
    early: int = 2_000
    late: int = 10_000
    requests: int = 1_000_000
    batch: int = 500
    batches: int = 5
    take_overs: int = 5
    people: int = 9


QUICK = Plan(
    warm_up=60,
    in_a_row=60,
    burst=300,
    early=500,
    late=1_500,
    requests=50_000,
    take_overs=1,
    people=3,
)
"""The same rows from smaller samples."""


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
        ack_p50, ack_p99 = percentiles(took.ack for took in load.each)
        answer_p50, answer_p99 = percentiles(took.answer for took in load.each)
        return cls(ack_p50, ack_p99, answer_p50, answer_p99, len(load.each) / load.together)

    @classmethod
    def middle(cls, rounds: Iterable[Self]) -> Self:
        """Return the median of each figure."""
        kept = list(rounds)
        return cls(*(median(getattr(each, field.name) for each in kept) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class Figures:
    """A variant's figures, of one round or medians; `ready` in seconds, `work` in CPU milliseconds per command."""

    ready: float
    in_a_row: Speed
    burst: Speed
    work: float

    @classmethod
    def middle(cls, rounds: Iterable[Self]) -> Self:
        """Return the median of each figure."""
        kept = list(rounds)
        return cls(
            median(each.ready for each in kept),
            Speed.middle(each.in_a_row for each in kept),
            Speed.middle(each.burst for each in kept),
            median(each.work for each in kept),
        )


@dataclass(frozen=True, slots=True)
class Growth:
    """Memory when idle: at the start, after `early` and after `late` commands."""

    rest: Memory
    early: Memory
    late: Memory


async def measure(
    plan: Plan, tell: Callable[[str], None], earlier: Path | None = None
) -> dict[Variant, Figures]:
    """Return the figures of all variants; rounds alternate, so that noise affects all alike.

    `earlier` is the folder with an earlier version of the bot, which is then measured too.
    """
    own = {Variant.EARLIER: earlier}
    roots = {each: root for each in Variant if (root := own.get(each, ROOT))}
    rounds: dict[Variant, list[Figures]] = {variant: [] for variant in roots}
    for number in range(1, plan.rounds + 1):
        for variant, root in roots.items():
            tell(f"Round {number} of {plan.rounds}: {variant.title}")
            rounds[variant].append(await _round(variant, root, plan))
    return {variant: Figures.middle(each) for variant, each in rounds.items()}


async def _round(variant: Variant, root: Path, plan: Plan) -> Figures:
    async with standins() as world, started(variant, world, root=root) as bot:
        await world.load(plan.warm_up, plan.at_once)
        in_a_row = await world.load(plan.in_a_row, 1)
        busy = bot.busy()
        burst = await world.load(plan.burst, plan.at_once)
        work = 1000 * (bot.busy() - busy) / plan.burst
        return Figures(bot.ready, Speed.of(in_a_row), Speed.of(burst), work)


async def growth(plan: Plan) -> Growth:
    """Return how this bot's memory grows with commands."""
    async with standins() as world, started(Variant.THIS_BOT, world) as bot:

        async def after(commands: int) -> Memory:
            await world.load(commands, plan.at_once)
            await asyncio.sleep(_SETTLE)
            return bot.memory()

        await asyncio.sleep(_SETTLE)
        return Growth(bot.memory(), await after(plan.early), await after(plan.late - plan.early))


def percentiles(seconds: Iterable[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    cuts = quantiles((1000 * each for each in seconds), n=100, method="inclusive")
    return cuts[49], cuts[98]
