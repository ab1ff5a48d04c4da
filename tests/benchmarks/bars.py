"""The bars that this bot has to meet, one row each: the measurement, the limit, and whether it is met."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.batches import AT_ONCE, LATENCY, Batched
from tests.benchmarks.distances import Distant
from tests.benchmarks.grown import Grown
from tests.benchmarks.measure import Figures, Plan
from tests.benchmarks.processes import Variant
from tests.benchmarks.takeovers import TakenOver

MB = 1_000_000


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
    batched: Batched
    grown: Grown
    taken_over: TakenOver
    distant: Distant


def bars(measured: Measured, plan: Plan) -> list[Bar]:
    """Return all bars with their verdicts."""
    return [
        *_beside_bare_apps(measured.figures, plan.at_once),
        *_batches(measured.batched),
        *_grown(measured.grown),
        _at_most("take-over from a killed replica", measured.taken_over.killed, 10, "s"),
        _at_most("take-over from a stopped replica", measured.taken_over.stopped, 1, "s"),
        *_distant(measured.distant),
    ]


def _beside_bare_apps(figures: Mapping[Variant, Figures], at_once: int) -> Iterator[Bar]:
    this, bare = figures[Variant.THIS_BOT], figures[Variant.BARE_ASYNC]
    threads, many = figures[Variant.BARE_SYNC], f"{at_once} at once"
    ack, work = this.in_a_row.ack_p50 / bare.in_a_row.ack_p50, this.work / bare.work
    rate = this.burst.per_second
    yield _at_most("ack p50, one at a time", ack, 0.4, "× AsyncApp")
    yield _at_most(f"ack p99, {many}", this.burst.ack_p99, 300, "ms")
    yield _at_least(f"commands/s, {many}", rate / bare.burst.per_second, 1.6, "× AsyncApp")
    yield _at_least(f"commands/s, {many}", rate / threads.burst.per_second, 1, "× App")
    yield _at_most("CPU per command", work, 0.75, "× AsyncApp")
    yield _at_most("start to ready", this.ready, 0.9, "s")
    yield _at_most("memory, peak", this.peak / MB, 85, "MB")


def _batches(batched: Batched) -> Iterator[Bar]:
    what = f"batch of {batched.size} at {1000 * LATENCY:.0f} ms, {AT_ONCE} at once"
    yield _at_most(what, batched.seconds / batched.ideal, 1.15, "× ideal")
    yield _at_most("ack p99 beside a batch", batched.ack_beside, 100, "ms")


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
