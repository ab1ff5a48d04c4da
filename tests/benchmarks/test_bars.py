"""The bars with figures exactly on them and just beyond."""

from dataclasses import replace

import pytest

from tests.benchmarks.bars import Measured, bars
from tests.benchmarks.batches import Batched
from tests.benchmarks.distances import Distant
from tests.benchmarks.grown import Grown
from tests.benchmarks.measure import Figures, Growth, Plan, Speed
from tests.benchmarks.processes import Memory, Variant
from tests.benchmarks.standins import Load, Took
from tests.benchmarks.takeovers import TakenOver

PLAN = Plan()
THIS = Figures(
    ready=0.6,
    in_a_row=Speed(1.2, 3.0, 11.0, 20.0, 90.0),
    burst=Speed(10.0, 50.0, 200.0, 400.0, 240.0),
    work=2.4,
)
BARE = Figures(
    ready=0.5,
    in_a_row=Speed(10.0, 12.0, 10.0, 15.0, 130.0),
    burst=Speed(30.0, 100.0, 300.0, 500.0, 120.0),
    work=5.0,
)
THREADS = replace(BARE, burst=replace(BARE.burst, per_second=200.0))
ON_THE_BARS = Measured(
    {Variant.THIS_BOT: THIS, Variant.BARE_ASYNC: BARE, Variant.BARE_SYNC: THREADS},
    Growth(Memory(70_000_000, 70_000_000), Memory(75_000_000, 80_000_000), Memory(76_400_000, 85_000_000)),
    Batched(500, 2.8, ack_idle=4.0, ack_beside=6.0, answer_idle=120.0, answer_beside=180.0),
    Grown(100, 1_000_000, accept=1.1, history=1.1),
    TakenOver(killed=10.0, stopped=1.0),
    Distant(first=1.35, later=1.1),
)  # fmt: skip


def this_bot(figures: Figures) -> Measured:
    return replace(ON_THE_BARS, figures={**ON_THE_BARS.figures, Variant.THIS_BOT: figures})


def missed(measured: Measured) -> list[str]:
    return [f"{bar.what}: {bar.measured}" for bar in bars(measured, PLAN) if not bar.met]


def test_figures_exactly_on_the_bars_meet_them() -> None:
    assert missed(ON_THE_BARS) == []
    assert len(bars(ON_THE_BARS, PLAN)) == 18


BATCHED, GROWN, GROWTH = ON_THE_BARS.batched, ON_THE_BARS.grown, ON_THE_BARS.growth


@pytest.mark.parametrize(
    ("worse", "bar"),
    [
        (this_bot(replace(THIS, in_a_row=replace(THIS.in_a_row, ack_p50=1.3))), "ack p50, one at a time: 0.13 × AsyncApp"),
        (this_bot(replace(THIS, burst=replace(THIS.burst, ack_p99=51.0))), "ack p99, 50 at once: 0.51 × AsyncApp"),
        (this_bot(replace(THIS, in_a_row=replace(THIS.in_a_row, answer_p50=12.0))), "answer p50, one at a time: 1.20 × AsyncApp"),
        (this_bot(replace(THIS, work=2.5)), "CPU per command: 2.50 ms"),
        (this_bot(replace(THIS, ready=0.7)), "start to ready: 0.70 s"),
        (replace(ON_THE_BARS, batched=replace(BATCHED, seconds=3.0)), "batch of 500 at 100 ms, 20 at once: 1.20 × ideal"),
        (replace(ON_THE_BARS, batched=replace(BATCHED, ack_beside=6.4)), "ack p99 beside a batch: 1.60 × idle"),
        (replace(ON_THE_BARS, batched=replace(BATCHED, answer_beside=192.0)), "answer p99 beside a batch: 1.60 × idle"),
        (replace(ON_THE_BARS, growth=replace(GROWTH, late=Memory(76_400_000, 86_000_000))), "memory, peak: 86.00 MB"),
        (replace(ON_THE_BARS, growth=replace(GROWTH, late=Memory(78_000_000, 80_000_000))), "memory, 2,000 to 10,000 commands: 4.00 % more"),
        (replace(ON_THE_BARS, grown=replace(GROWN, accept=1.2)), "command with 1,000,000 requests: 1.20 × with 100"),
        (replace(ON_THE_BARS, grown=replace(GROWN, history=1.2)), "history with 1,000,000 requests: 1.20 × with 100"),
        (replace(ON_THE_BARS, taken_over=TakenOver(12.0, 1.0)), "take-over from a killed replica: 12.00 s"),
        (replace(ON_THE_BARS, taken_over=TakenOver(10.0, 1.5)), "take-over from a stopped replica: 1.50 s"),
        (replace(ON_THE_BARS, distant=Distant(1.36, 1.1)), "answer to a first command, distant: 1.36 × round trips"),
        (replace(ON_THE_BARS, distant=Distant(1.35, 1.12)), "answer to a later command, distant: 1.12 × round trips"),
    ],
)  # fmt: skip
def test_a_worse_figure_misses_only_its_own_bar(worse: Measured, bar: str) -> None:
    assert missed(worse) == [bar]


@pytest.mark.parametrize(
    ("per_second", "bars_missed"),
    [
        (230.0, ["jobs/s, 50 at once: 1.92 × AsyncApp", "jobs/s, 50 at once: 1.15 × App"]),
        (240.0, []),
    ],
)
def test_the_rate_is_compared_to_both_bare_apps(per_second: float, bars_missed: list[str]) -> None:
    slower = replace(THIS, burst=replace(THIS.burst, per_second=per_second))
    assert missed(this_bot(slower)) == bars_missed


@pytest.mark.parametrize(
    ("work", "bars_missed"), [(3.0, []), (3.1, ["CPU per command: 0.62 × earlier"])]
)
def test_the_cpu_is_compared_to_an_earlier_bot_if_one_was_measured(
    work: float, bars_missed: list[str]
) -> None:
    measured = this_bot(replace(THIS, work=work))
    beside = replace(measured, figures={**measured.figures, Variant.EARLIER: BARE})
    assert missed(beside) == bars_missed


def test_the_median_is_taken_for_each_figure_so_that_one_bad_round_changes_nothing() -> None:
    bad = replace(THIS, ready=9.0, work=9.0, burst=replace(THIS.burst, ack_p99=900.0))
    assert Figures.middle([THIS, bad, THIS]) == THIS


def test_the_figures_of_a_load_are_in_milliseconds_and_per_second() -> None:
    load = Load(tuple(Took(n / 1000, n / 200, n / 100) for n in range(1, 102)), together=2.0)
    assert Speed.of(load) == pytest.approx(Speed(51.0, 100.0, 510.0, 1000.0, 50.5))
