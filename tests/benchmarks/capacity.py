"""Measure everything on the page bot/ops/capacity.md, and fill its tables."""

import os
import platform
from collections.abc import Callable
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
_CHANNELS = 1, 2, 5
_REPLICAS, _POOL = (1, 2, 4), 2
PAGE = ROOT / "bot/ops/capacity.md"


async def capacity(crowd: Crowd, tell: Callable[[str], None]) -> dict[str, Sheet]:
    """Measure, and return the tables by their names on the page."""
    tell("Slack's limits")
    calls, limits = await limited(_CHANNELS)
    tell("WeChat's limit")
    pause = await paused(_BATCH, _A_MINUTE)
    found = await replicated(_REPLICAS, _POOL, crowd, tell)
    return {
        "limits": limits_sheet(limits),
        "paused": paused_sheet(pause),
        "replicas": replicas_sheet(found),
        "cost": cost_sheet(found, crowd.at_once),
        "ends": end_sheet(found),
        "sizing": sizing_sheet(found, calls),
    }


def machine() -> str:
    """Return this machine's hardware, and its load."""
    loads = os.getloadavg()
    load = ", ".join(f"{each:.1f}" for each in loads)
    version, cores = platform.python_version(), os.cpu_count()
    busy = " (others kept it busy: on a quiet machine all is faster)" if loads[0] > 1 else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {version}, {cores} CPUs, load average {load}{busy}"
    )
