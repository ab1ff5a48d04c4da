"""The bars with figures exactly on them and just beyond."""

from dataclasses import replace

import pytest

from tests.benchmarks.bars import Measured, bars
from tests.benchmarks.batches import Batched
from tests.benchmarks.distances import Distant
from tests.benchmarks.grown import Grown
from tests.benchmarks.measure import Figures, Plan, Speed
from tests.benchmarks.processes import Variant
from tests.benchmarks.standins import Load, Took
from tests.benchmarks.takeovers import TakenOver

PLAN = Plan()
THIS = Figures(
    ready=0.9,
    in_a_row=Speed(4.0, 6.0, 90.0),
    burst=Speed(100.0, 300.0, 192.0),
    work=3.75,
    peak=85_000_000,
)
BARE = Figures(
    ready=0.5,
    in_a_row=Speed(10.0, 12.0, 130.0),
    burst=Speed(30.0, 100.0, 120.0),
    work=5.0,
    peak=60_000_000,
)
THREADS = replace(BARE, burst=replace(BARE.burst, per_second=192.0))
ON_THE_BARS = Measured(
    {Variant.THIS_BOT: THIS, Variant.BARE_ASYNC: BARE, Variant.BARE_SYNC: THREADS},
    Batched(500, 2.875, ack_beside=100.0),
    Grown(100, 1_000_000, accept=1.1, history=1.1),
    TakenOver(killed=10.0, stopped=1.0),
    Distant(first=1.35, later=1.1),
)


def this_bot(figures: Figures) -> Measured:
    return replace(ON_THE_BARS, figures={**ON_THE_BARS.figures, Variant.THIS_BOT: figures})


def missed(measured: Measured) -> list[str]:
    return [f"{bar.what}: {bar.measured}" for bar in bars(measured, PLAN) if not bar.met]


def test_figures_exactly_on_the_bars_meet_them() -> None:
    assert missed(ON_THE_BARS) == []
    assert len(bars(ON_THE_BARS, PLAN)) == 15


BATCHED, GROWN = ON_THE_BARS.batched, ON_THE_BARS.grown


@pytest.mark.parametrize(
    ("worse", "missing"),
    [
        (this_bot(replace(THIS, in_a_row=replace(THIS.in_a_row, ack_p50=4.1))), ["ack p50, one at a time: 0.41 × AsyncApp"]),
        (this_bot(replace(THIS, burst=replace(THIS.burst, ack_p99=301.0))), ["ack p99, 50 at once: 301.00 ms"]),
        (this_bot(replace(THIS, burst=replace(THIS.burst, per_second=186.0))), ["commands/s, 50 at once: 1.55 × AsyncApp", "commands/s, 50 at once: 0.97 × App"]),
        (this_bot(replace(THIS, work=3.8)), ["CPU per command: 0.76 × AsyncApp"]),
        (this_bot(replace(THIS, ready=1.0)), ["start to ready: 1.00 s"]),
        (this_bot(replace(THIS, peak=86_000_000)), ["memory, peak: 86.00 MB"]),
        (replace(ON_THE_BARS, batched=replace(BATCHED, seconds=3.0)), ["batch of 500 at 100 ms, 20 at once: 1.20 × ideal"]),
        (replace(ON_THE_BARS, batched=replace(BATCHED, ack_beside=101.0)), ["ack p99 beside a batch: 101.00 ms"]),
        (replace(ON_THE_BARS, grown=replace(GROWN, accept=1.2)), ["command with 1,000,000 requests: 1.20 × with 100"]),
        (replace(ON_THE_BARS, grown=replace(GROWN, history=1.2)), ["history with 1,000,000 requests: 1.20 × with 100"]),
        (replace(ON_THE_BARS, taken_over=TakenOver(12.0, 1.0)), ["take-over from a killed replica: 12.00 s"]),
        (replace(ON_THE_BARS, taken_over=TakenOver(10.0, 1.5)), ["take-over from a stopped replica: 1.50 s"]),
        (replace(ON_THE_BARS, distant=Distant(1.36, 1.1)), ["answer to a first command, distant: 1.36 × round trips"]),
        (replace(ON_THE_BARS, distant=Distant(1.35, 1.12)), ["answer to a later command, distant: 1.12 × round trips"]),
    ],
)  # fmt: skip
def test_a_worse_figure_misses_only_its_own_bars(worse: Measured, missing: list[str]) -> None:
    assert missed(worse) == missing


def test_the_rate_is_compared_to_each_bare_app() -> None:
    faster = replace(THREADS, burst=replace(THREADS.burst, per_second=200.0))
    beside = {**ON_THE_BARS.figures, Variant.BARE_SYNC: faster}
    assert missed(replace(ON_THE_BARS, figures=beside)) == ["commands/s, 50 at once: 0.96 × App"]


def test_the_median_is_taken_for_each_figure_so_that_one_bad_round_changes_nothing() -> None:
    bad = replace(THIS, ready=9.0, work=9.0, burst=replace(THIS.burst, ack_p99=900.0))
    assert Figures.middle([THIS, bad, THIS]) == THIS


def test_the_figures_of_a_load_are_in_milliseconds_and_per_second() -> None:
    load = Load(tuple(Took(n / 1000, n / 200) for n in range(1, 102)), together=2.0)
    assert Speed.of(load) == pytest.approx(Speed(51.0, 100.0, 50.5))
