"""The bars that this bot has to meet, one row each: the measurement, the limit, and whether it is met."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.batches import AT_ONCE, LATENCY, Batched
from tests.benchmarks.distances import Distant
from tests.benchmarks.grown import Grown
from tests.benchmarks.measure import Figures, Growth, Plan
from tests.benchmarks.processes import Variant
from tests.benchmarks.takeovers import TakenOver

MB = 1_000_000
_CPU_MOST, _CPU_OF_EARLIER = 2.4, 0.6  # milliseconds per command, or the share of an earlier bot's


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: the measurement, the limit, and whether it is met."""

    what: str
    measured: str
    wanted: str
    met: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """All results of one run."""

    figures: Mapping[Variant, Figures]
    growth: Growth
    batched: Batched
    grown: Grown
    taken_over: TakenOver
    distant: Distant


def bars(measured: Measured, plan: Plan) -> list[Bar]:
    """Return all bars with their verdicts."""
    return [
        *_beside_bare_apps(measured.figures, plan.at_once),
        _cpu(measured.figures),
        *_batches(measured.batched),
        *_process(measured.figures[Variant.THIS_BOT].ready, measured.growth, plan),
        *_grown(measured.grown),
        _at_most("take-over from a killed replica", measured.taken_over.killed, 10, "s"),
        _at_most("take-over from a stopped replica", measured.taken_over.stopped, 1, "s"),
        *_distant(measured.distant),
    ]


def _beside_bare_apps(figures: Mapping[Variant, Figures], at_once: int) -> Iterator[Bar]:
    this, bare = figures[Variant.THIS_BOT], figures[Variant.BARE_ASYNC]
    threads = figures[Variant.BARE_SYNC]
    ack, late = (
        this.in_a_row.ack_p50 / bare.in_a_row.ack_p50,
        this.burst.ack_p99 / bare.burst.ack_p99,
    )
    rate = this.burst.per_second
    answer = this.in_a_row.answer_p50 / bare.in_a_row.answer_p50
    yield _at_most("ack p50, one at a time", ack, 0.12, "× AsyncApp")
    yield _at_most(f"ack p99, {at_once} at once", late, 0.5, "× AsyncApp")
    yield _at_least(f"jobs/s, {at_once} at once", rate / bare.burst.per_second, 2.0, "× AsyncApp")
    yield _at_least(f"jobs/s, {at_once} at once", rate / threads.burst.per_second, 1.2, "× App")
    yield _at_most("answer p50, one at a time", answer, 1.1, "× AsyncApp")


def _cpu(figures: Mapping[Variant, Figures]) -> Bar:
    """Judge the milliseconds or, if an earlier bot was measured too, the share of that bot's."""
    what, work = "CPU per command", figures[Variant.THIS_BOT].work
    if work > _CPU_MOST and (earlier := figures.get(Variant.EARLIER)):
        return _at_most(what, work / earlier.work, _CPU_OF_EARLIER, "× earlier")
    return _at_most(what, work, _CPU_MOST, "ms")


def _batches(batched: Batched) -> Iterator[Bar]:
    what = f"batch of {batched.size} at {1000 * LATENCY:.0f} ms, {AT_ONCE} at once"
    yield _at_most(what, batched.seconds / batched.ideal, 1.12, "× ideal")
    ack, answer = (
        batched.ack_beside / batched.ack_idle,
        batched.answer_beside / batched.answer_idle,
    )
    yield _at_most("ack p99 beside a batch", ack, 1.5, "× idle")
    yield _at_most("answer p99 beside a batch", answer, 1.5, "× idle")


def _process(ready: float, growth: Growth, plan: Plan) -> Iterator[Bar]:
    grown = 100 * (growth.late.now / growth.early.now - 1)
    yield _at_most("start to ready", ready, 0.6, "s")
    yield _at_most("memory, peak", growth.late.peak / MB, 85, "MB")
    yield _at_most(f"memory, {plan.early:,} to {plan.late:,} commands", grown, 2, "% more")


def _grown(grown: Grown) -> Iterator[Bar]:
    most = f"with {grown.many:,} requests"
    yield _at_most(f"command {most}", grown.accept, 1.1, f"× with {grown.few}")
    yield _at_most(f"history {most}", grown.history, 1.1, f"× with {grown.few}")


def _distant(distant: Distant) -> Iterator[Bar]:
    trips = "× round trips"
    yield _at_most("answer to a first command, distant", distant.first, 1.35, trips)
    yield _at_most("answer to a later command, distant", distant.later, 1.1, trips)


def _at_most(what: str, measured: float, most: float, unit: str) -> Bar:
    return Bar(what, f"{measured:.2f} {unit}", f"≤ {most:g}", measured <= most)


def _at_least(what: str, measured: float, least: float, unit: str) -> Bar:
    return Bar(what, f"{measured:.2f} {unit}", f"≥ {least:g}", measured >= least)
