"""Print the figures side by side, and the verdicts on the bars, as tables."""

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from tests.benchmarks.bars import MB, Bar
from tests.benchmarks.measure import Figures, Plan
from tests.benchmarks.processes import Variant


def machine() -> str:
    """Return this machine's hardware, and its load."""
    loads = os.getloadavg()
    load = ", ".join(f"{each:.1f}" for each in loads)
    version, cores = platform.python_version(), os.cpu_count()
    busy = " (others kept it busy: on a quiet machine all is faster)" if loads[0] > 1 else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {version}, {cores} CPUs, load average {load}{busy}"
    )


def show(console: Console, figures: Mapping[Variant, Figures], plan: Plan) -> None:
    """Print the figures beside the bare apps', one column for each variant."""
    table = Table("", *(variant.title for variant in figures), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, figure: Callable[[Figures], str]) -> None:
        table.add_row(name, *map(figure, figures.values()))

    row(f"[b]{plan.in_a_row:,} one at a time", lambda _: "")
    row("  ack p50 / p99, ms", lambda f: f"{f.in_a_row.ack_p50:.2f} / {f.in_a_row.ack_p99:.2f}")
    row("  commands per second", lambda f: f"{f.in_a_row.per_second:,.0f}")
    row(f"[b]{plan.burst:,} with {plan.at_once} at once", lambda _: "")
    row("  ack p50 / p99, ms", lambda f: f"{f.burst.ack_p50:.2f} / {f.burst.ack_p99:.2f}")
    row("  commands per second", lambda f: f"{f.burst.per_second:,.0f}")
    row("  its CPU, ms per command", lambda f: f"{f.work:.2f}")
    row("[b]start to ready, s", lambda f: f"{f.ready:.2f}")
    row("[b]memory, peak, MB", lambda f: f"{f.peak / MB:.1f}")
    console.print(table)
    console.print()


def show_bars(console: Console, verdicts: Iterable[Bar]) -> None:
    """Print each bar with `ok` or `MISSED`."""
    table = Table("bar", "measured", "wanted", "", box=None, pad_edge=False)
    for bar in verdicts:
        verdict = "[green]ok" if bar.met else "[bold red]MISSED"
        table.add_row(bar.what, bar.measured, bar.wanted, verdict)
    table.columns[1].justify = "right"
    console.print(table)
