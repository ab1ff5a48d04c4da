"""How a bot goes on after a fault, and how it ends: with code 0, and within its time."""

import asyncio
from collections.abc import Callable, Coroutine
from signal import SIGTERM, Signals

from tests.faults.fire import Fire
from tests.faults.table import Fault

Act = Callable[[Fire], Coroutine[None, None, str]]

AFTERWARDS = 4.0  # seconds that README allows the process beyond its grace
BUSY = 3.0  # seconds more on a busy machine


async def ends(burning: Fire, *signs: Signals) -> None:
    """Send signals until the process has ended, with code 0 and within its time."""
    async with asyncio.timeout(burning.bot.grace + AFTERWARDS + BUSY):
        ended = asyncio.create_task(burning.bot.ended())
        while not ended.done():
            for sign in signs:
                burning.bot.send(sign)
            await asyncio.wait([ended], timeout=0.001 if signs else None)
    assert await ended == 0


async def survives(burning: Fire, fault: Fault, act: Act) -> None:
    """Check that whoever asked is told the truth, and that the bot goes on and ends as it should."""
    assert fault.told in await act(burning)
    await burning.stands()
    burning.bot.send(SIGTERM)
    await ends(burning)
