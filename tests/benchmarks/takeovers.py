"""How long people wait for a replica's requests after it is killed or stopped, on PostgreSQL."""

import asyncio
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM, Signals
from statistics import median
from time import perf_counter

from bot.playground.slack.server import LocalSlack
from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import standins
from tests.databases import PostgreSQL, running_postgresql

_UNDER_WAY = 20  # commands in progress
_LONG = 60.0  # seconds for WeChat's response, so that no request ends by itself


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Seconds from the signal until the other replica has answered the last request of the signalled one."""

    killed: float
    stopped: float


async def taken_over(rounds: int) -> TakenOver:
    """Return the medians; a stopped replica has no grace, so it has to release all leases."""
    killed, stopped = list[float](), list[float]()
    with running_postgresql(durable=True) as server:
        for _ in range(rounds):
            killed.append(await _after(SIGKILL, server))
            stopped.append(await _after(SIGTERM, server))
    return TakenOver(median(killed), median(stopped))


async def _after(sign: Signals, server: PostgreSQL) -> float:
    settings = {"DATABASE_URL": server.new(), "SHUTDOWN_GRACE": "0", "WECHAT_TIMEOUT": str(_LONG)}
    async with standins(_LONG) as world, started(Variant.THIS_BOT, world, settings) as one:
        asked = asyncio.create_task(world.load(_UNDER_WAY, _UNDER_WAY))
        await world.slack.until(_parents_are_posted)
        async with started(Variant.THIS_BOT, world, settings):
            world.wechat.latency = 0
            began = perf_counter()
            one.send(sign)
            await asked
            return perf_counter() - began


def _parents_are_posted(slack: LocalSlack) -> bool:
    return sum(message.via == "api" for message in slack.messages) == _UNDER_WAY
