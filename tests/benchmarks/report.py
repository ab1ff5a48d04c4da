"""The figures side by side, and the bars that this bot has to clear."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tests.benchmarks.batches import Batched
from tests.benchmarks.grown import Grown
from tests.benchmarks.measure import Figures, Plan
from tests.benchmarks.processes import Variant

_MB = 1_000_000
_NAMES = {
    Variant.THIS_BOT: "this bot",
    Variant.IN_MEMORY: "in memory",
    Variant.BARE_ASYNC: "bare AsyncApp",
    Variant.BARE_SYNC: "bare App",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One promise: what was measured, what was wanted, and whether that was met."""

    what: str
    measured: str
    wanted: str
    met: bool


def ledger_bars(figures: Mapping[Variant, Figures], grown: Grown, plan: Plan) -> list[Bar]:
    """Return the bars of the ledger with the verdict on them."""
    this, memory = figures[Variant.THIS_BOT], figures[Variant.IN_MEMORY]
    added = this.in_a_row.ack_p50 - memory.in_a_row.ack_p50
    kept = this.burst.per_second / memory.burst.per_second
    many = f"{grown.many:,} to {grown.few:,} requests"
    accept, history = grown.accept, grown.history
    return [
        Bar("ack p50, durable", f"{added:+.2f} ms", "≤ +3 ms to in memory", added <= 3),
        Bar(
            f"per second, {plan.at_once} at once", f"{kept:.2f} ×", "≥ 0.8 × in memory", kept >= 0.8
        ),
        Bar(f"command, {many}", f"{accept:.2f} ×", "≤ 1.2 ×", accept <= 1.2),
        Bar(f"history, {many}", f"{history:.2f} ×", "≤ 1.2 ×", history <= 1.2),
    ]


def batch_bars(batched: Batched) -> list[Bar]:
    """Return the bars of batches with the verdict on them."""
    slower = batched.seconds / batched.ideal
    ack, answer = (
        batched.ack_beside / batched.ack_idle,
        batched.answer_beside / batched.answer_idle,
    )
    return [
        Bar(
            f"batch of {batched.size}, {batched.seconds:.2f} s",
            f"{slower:.2f} ×",
            f"≤ 1.25 × {batched.ideal:.2f} s",
            slower <= 1.25,
        ),
        Bar("ack p99 beside a batch", f"{ack:.2f} ×", "≤ 2 × idle", ack <= 2),
        Bar("answer p99 beside a batch", f"{answer:.2f} ×", "≤ 2 × idle", answer <= 2),
    ]


def bars(figures: Mapping[Variant, Figures], plan: Plan) -> list[Bar]:
    """Return the bars of the bot as a whole with the verdict on them."""
    this, bare = figures[Variant.THIS_BOT], figures[Variant.BARE_ASYNC]
    threads = figures[Variant.BARE_SYNC]
    rate = this.burst.per_second
    ack = this.in_a_row.ack_p50 / bare.in_a_row.ack_p50
    faster, than_threads = rate / bare.burst.per_second, rate / threads.burst.per_second
    peak = this.growth.late.peak / _MB
    growth = this.growth.late.now / this.growth.early.now - 1
    return [
        Bar("ack p50, one at a time", f"{ack:.2f} ×", "≤ 0.25 × AsyncApp", ack <= 0.25),
        Bar(
            f"per second, {plan.at_once} at once",
            f"{faster:.2f} ×",
            "≥ 1.5 × AsyncApp",
            faster >= 1.5,
        ),
        Bar(
            f"per second, {plan.at_once} at once",
            f"{than_threads:.2f} ×",
            "≥ 1 × App",
            than_threads >= 1,
        ),
        Bar("start to ready", f"{this.ready:.2f} s", "≤ 1 s", this.ready <= 1),
        Bar("memory, peak", f"{peak:.1f} MB", "≤ 90 MB", peak <= 90),
        Bar(f"memory, {plan.early:,} to {plan.late:,}", f"{growth:+.1%}", "≤ +10 %", growth <= 0.1),
    ]


def show(console: Console, figures: Mapping[Variant, Figures], plan: Plan) -> None:
    """Print the figures, one column for each variant."""
    table = Table("", *(_NAMES[variant] for variant in figures), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, figure: Callable[[Figures], str]) -> None:
        table.add_row(name, *map(figure, figures.values()))

    row(f"[b]{plan.in_a_row:,} one at a time", lambda _: "")
    row("  ack p50 / p99, ms", lambda f: f"{f.in_a_row.ack_p50:.2f} / {f.in_a_row.ack_p99:.2f}")
    row(
        "  answer p50 / p99, ms",
        lambda f: f"{f.in_a_row.answer_p50:.1f} / {f.in_a_row.answer_p99:.1f}",
    )
    row("  commands per second", lambda f: f"{f.in_a_row.per_second:,.0f}")
    row(f"[b]{plan.burst:,} with {plan.at_once} at once", lambda _: "")
    row("  ack p50 / p99, ms", lambda f: f"{f.burst.ack_p50:.2f} / {f.burst.ack_p99:.2f}")
    row("  answer p50 / p99, ms", lambda f: f"{f.burst.answer_p50:.1f} / {f.burst.answer_p99:.1f}")
    row("  commands per second", lambda f: f"{f.burst.per_second:,.0f}")
    row("  its CPU, ms per command", lambda f: f"{f.work:.2f}")
    row("[b]start to ready, s", lambda f: f"{f.ready:.2f}")
    row("[b]resident memory, MB", lambda _: "")
    row("  at rest", lambda f: f"{f.growth.rest.now / _MB:.1f}")
    row(f"  after {plan.early:,} commands", lambda f: f"{f.growth.early.now / _MB:.1f}")
    row(f"  after {plan.late:,} commands", lambda f: f"{f.growth.late.now / _MB:.1f}")
    row("  peak", lambda f: f"{f.growth.late.peak / _MB:.1f}")
    console.print(table)


def show_batched(console: Console, batched: Batched) -> None:
    """Print what single commands take on an idle bot and beside a batch."""
    table = Table("single commands, p99", "idle", "beside a batch", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("  ack, ms", f"{batched.ack_idle:.1f}", f"{batched.ack_beside:.1f}")
    table.add_row("  answer, ms", f"{batched.answer_idle:.0f}", f"{batched.answer_beside:.0f}")
    console.print(table)


def show_bars(console: Console, verdicts: list[Bar]) -> None:
    """Print each bar with `ok` or `MISSED`."""
    table = Table("bar", "measured", "wanted", "", box=None, pad_edge=False)
    for bar in verdicts:
        verdict = "[green]ok" if bar.met else "[bold red]MISSED"
        table.add_row(bar.what, bar.measured, bar.wanted, verdict)
    table.columns[1].justify = "right"
    console.print(table)
