"""Measure everything on the page bot/ops/capacity.md, and fill its tables."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.benchmarks.limits import limited, paused
from tests.benchmarks.processes import ROOT
from tests.benchmarks.replicas import Crowd, replicated
from tests.benchmarks.sheets import (
    Sheet,
    cost_sheet,
    end_sheet,
    limits_sheet,
    paused_sheet,
    replicas_sheet,
    sizing_sheet,
)

_BATCH, _A_MINUTE = 500, 300
PAGE = ROOT / "bot/ops/capacity.md"


@dataclass(frozen=True, slots=True)
class Questions:
    """What to measure: its extent, numbers of replicas, PgBouncer's connections if any, numbers of channels."""

    crowd: Crowd
    replicas: Sequence[int] = (1, 2, 4)
    pool: int | None = 2
    channels: Sequence[int] = (1, 2, 5)


async def answered(questions: Questions, tell: Callable[[str], None]) -> dict[str, Sheet]:
    """Measure, and return the tables by their names on the page."""
    sheets = {}
    if questions.channels:
        tell("Slack's limits")
        calls, found_limits = await limited(questions.channels)
        sheets["limits"] = limits_sheet(found_limits)
        tell("WeChat's limit")
        sheets["paused"] = paused_sheet(await paused(_BATCH, _A_MINUTE))
    if questions.replicas:
        counts = sorted({1, *questions.replicas})  # one replica alone is the baseline
        found = await replicated(counts, questions.pool, questions.crowd, tell)
        sheets["replicas"] = replicas_sheet(found)
        sheets["cost"] = cost_sheet(found, questions.crowd.at_once)
        sheets["ends"] = end_sheet(found)
        if questions.channels:
            sheets["sizing"] = sizing_sheet(found, calls)
    return sheets


def machine() -> str:
    """Return this machine's hardware, and its load."""
    loads = os.getloadavg()
    load = ", ".join(f"{each:.1f}" for each in loads)
    version, cores = platform.python_version(), os.cpu_count()
    busy = " (others kept it busy: on a quiet machine all is faster)" if max(loads) > 1 else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {version}, {cores} CPUs, load average {load}{busy}"
    )
