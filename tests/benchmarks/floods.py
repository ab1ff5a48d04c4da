"""How fast a bot in HTTP mode acks commands while clients without any secret flood its listener."""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.playground.loopback import free_port
from tests.benchmarks.bars import Bar
from tests.benchmarks.flood_clients import FLOODS
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.faults.bots import request_of
from tests.faults.rig import ProcessRig
from tests.faults.token_chain import chain_rig, wait_for_renewals

_SECONDS = 10.0
_PAUSE = 0.05
_WARM = 40  # commands
_SLOWEST = 0.3  # seconds
_MEMORY = 20e6  # bytes


@dataclass(frozen=True, slots=True)
class FloodResult:
    """The effect of a flood: the slowest ack in seconds, and the bot's largest growth in bytes."""

    flood: str
    slowest: float
    grown: int


async def floods(tell: Callable[[str], None], seconds: float = _SECONDS) -> list[FloodResult]:
    """Run each flood against a bot of its own."""
    found = []
    for name in FLOODS:
        # The stand-ins of the floods before are garbage: collecting it here delays an ack by a tenth of a second.
        gc.collect()
        with TemporaryDirectory() as folder:
            found.append(await _under_flood(name, Path(folder), seconds))
        tell(f"{name}: {1000 * found[-1].slowest:.0f} ms, {found[-1].grown / 1e6:+.1f} MB")
    return found


def flood_bars(found: list[FloodResult]) -> list[Bar]:
    """Return the bars: the slowest ack and the largest growth of all floods."""
    slowest, grown = max(each.slowest for each in found), max(each.grown for each in found)
    return [
        Bar("flood, slowest ack", f"{1000 * slowest:.0f} ms", "≤ 300 ms", slowest <= _SLOWEST),
        Bar("flood, memory", f"{grown / 1e6:+.1f} MB", "≤ +20 MB", grown <= _MEMORY),
    ]


async def _under_flood(name: str, folder: Path, seconds: float) -> FloodResult:
    port = free_port()
    async with chain_rig(folder, port, 0, **over_http(port)) as rig:
        rig.slack.request_url = address_at(port)
        await wait_for_renewals(rig, 0)
        for _ in range(_WARM):
            await _acked(rig)
        before = rig.bot.memory()
        rig.bot.forget_peak()
        clients = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.flood_clients", name, str(port), str(seconds)
        )
        over = asyncio.create_task(clients.wait())
        acks = [0.0]
        while not over.done():
            acks.append(await _acked(rig))
            await asyncio.sleep(_PAUSE)
        return FloodResult(name, max(acks), rig.bot.memory("VmHWM") - before)


async def _acked(rig: ProcessRig) -> float:
    began = time.perf_counter()
    ack = await rig.slack.command(REQUESTER, RELEASES, rig.command())
    took = time.perf_counter() - began
    return took if request_of(ack) else float("inf")
