"""python -m tests.benchmarks: compare this bot with bare Bolt apps on the same stand-ins, in one run.

The stand-ins and the simulated people run in this process, and each bot in a process of its own, one after the other, so
that with two cores each side has one.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from rich.console import Console

from tests.benchmarks.bars import Bar, Measured, bars
from tests.benchmarks.batches import batched
from tests.benchmarks.distances import distant
from tests.benchmarks.floods import flood_bars, floods
from tests.benchmarks.grown import grown
from tests.benchmarks.measure import QUICK, Plan, measure
from tests.benchmarks.report import machine, show, show_bars
from tests.benchmarks.soak import soak, soak_bars
from tests.benchmarks.standins import WrongResultError
from tests.benchmarks.takeovers import taken_over

_LONGEST = 3_600.0  # seconds for a measurement without a length of its own
_WIDTH = 100

T = TypeVar("T")


def main() -> int:
    """Return the exit code: 0 all bars are met, or there are none; 1 one is missed; 2 nothing could be measured."""
    given = _arguments().parse_args()
    console = Console(width=_WIDTH, highlight=False)
    console.print(machine(), soft_wrap=True)
    try:
        if given.soak:
            return _judge(console, soak_bars(_run(soak(given.soak, _tell))))
        if given.floods:
            return _judge(console, flood_bars(_run(floods(_tell))))
        return _compare(console, QUICK if given.quick else Plan())
    except WrongResultError as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)  # noqa: T201  # unwrapped
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 2


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="the same rows from small samples, in three minutes")
    add("--soak", type=float, metavar="MINUTES", help="mixed commands with faults")
    add("--floods", action="store_true", help="flood the HTTP listener without knowing a secret")
    return parser


def _judge(console: Console, verdicts: Iterable[Bar]) -> int:
    kept = list(verdicts)
    show_bars(console, kept)
    return 0 if all(bar.met for bar in kept) else 1


def _tell(line: str) -> None:
    Console(stderr=True, width=_WIDTH, highlight=False, style="dim").print(line)


def _compare(console: Console, plan: Plan) -> int:
    measured = _run(_measure(plan), _LONGEST)
    show(console, measured.figures, plan)
    return _judge(console, bars(measured, plan))


async def _measure(plan: Plan) -> Measured:
    figures = await measure(plan, _tell)
    _tell(f"Batches of {plan.batch:,}")
    batches = await batched(plan.batch, plan.batches)
    _tell(f"A ledger with {plan.requests:,} requests")
    ledger = await grown(plan.requests)
    _tell("Take-overs")
    taken = await taken_over(plan.take_overs)
    _tell("Real distances")
    return Measured(figures, batches, ledger, taken, await distant(plan.people))


def _run(work: Coroutine[Any, Any, T], within: float | None = None) -> T:
    """Return the result of `work` within this many seconds; SIGTERM and SIGINT stop the bots first."""

    async def bounded() -> T:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with asyncio.timeout(within):
            return await work

    return asyncio.run(bounded())


if __name__ == "__main__":
    sys.exit(main())
