"""python -m tests.benchmarks: this bot beside a bare Bolt app, on the same stand-ins, in one run.

The stand-ins and the people who type run in this process, the bots one after the other in their
own, so that each side has a core where there are two.
"""

import argparse
import asyncio
import os
import platform
import signal
import sys

from rich.console import Console

from tests.benchmarks.batches import Batched, batched
from tests.benchmarks.floods import flood_bars, floods
from tests.benchmarks.grown import Grown, grown
from tests.benchmarks.measure import QUICK, Figures, Plan, measure
from tests.benchmarks.processes import Variant
from tests.benchmarks.report import (
    Bar,
    bars,
    batch_bars,
    ledger_bars,
    show,
    show_bars,
    show_batched,
)
from tests.benchmarks.soak import soak, soak_bars
from tests.benchmarks.standins import WrongResultError

_LONGEST = 1_800.0
_WIDTH = 80


def main() -> int:
    """Return the exit code: 0 every bar is cleared, 1 one is missed, 2 it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run, which no bar can fail")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="mixed commands with faults")
    parser.add_argument("--floods", action="store_true", help="strangers who lean on the door")
    given = parser.parse_args()
    console = Console(width=_WIDTH, highlight=False)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    console.print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load average {load}")
    try:
        if given.soak:
            return _soak(console, given.soak)
        if given.floods:
            return _judge(console, flood_bars(asyncio.run(floods(_progress().print))))
        return _compare(console, QUICK if given.quick else Plan(), quick=given.quick)
    except WrongResultError as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)  # noqa: T201  # as it is, unwrapped
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 2


def _soak(console: Console, minutes: float) -> int:
    return _judge(console, soak_bars(asyncio.run(soak(minutes, _progress().print))))


def _judge(console: Console, verdicts: list[Bar]) -> int:
    show_bars(console, verdicts)
    return 0 if all(bar.met for bar in verdicts) else 1


def _progress() -> Console:
    return Console(stderr=True, width=_WIDTH, highlight=False, style="dim")


def _compare(console: Console, plan: Plan, *, quick: bool) -> int:
    figures, ledger, batches = asyncio.run(_measure(plan))
    verdicts = bars(figures, plan) + ledger_bars(figures, ledger, plan) + batch_bars(batches)
    show(console, figures, plan)
    console.print()
    show_batched(console, batches)
    console.print()
    show_bars(console, verdicts)
    return 0 if quick or all(bar.met for bar in verdicts) else 1


async def _measure(plan: Plan) -> tuple[dict[Variant, Figures], Grown, Batched]:
    """Measure within half an hour; SIGTERM, like SIGINT, ends the bots first."""
    progress = _progress()
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(_LONGEST):
        progress.print(f"A ledger with {plan.requests:,} requests")
        ledger = await grown(plan.requests, plan.in_a_row)
        progress.print(f"Batches of {plan.batch:,}")
        batches = await batched(plan.batch, plan.rounds)
        return await measure(plan, progress.print), ledger, batches


if __name__ == "__main__":
    sys.exit(main())
