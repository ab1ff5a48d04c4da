"""How a bot recovers from a fault and how it exits: with code 0 and in time."""

import asyncio
from collections.abc import Callable, Coroutine
from signal import SIGTERM, Signals

from tests.faults.fire import Fire
from tests.faults.table import Fault

Act = Callable[[Fire], Coroutine[None, None, str]]

AFTERWARDS = 4.0  # seconds beyond its grace that the README allows
BUSY = 3.0  # more seconds for a busy machine


async def ends(burning: Fire, *signs: Signals) -> None:
    """Send signals until the process has exited, with code 0 and in time."""
    async with asyncio.timeout(burning.bot.grace + AFTERWARDS + BUSY):
        ended = asyncio.create_task(burning.bot.ended())
        while not ended.done():
            for sign in signs:
                burning.bot.send(sign)
            await asyncio.wait([ended], timeout=0.001 if signs else None)
    assert await ended == 0


async def survives(burning: Fire, fault: Fault, act: Act) -> None:
    """Check that the requester is told the truth, that the bot works afterwards, and that it exits properly."""
    assert fault.told in await act(burning)
    await burning.stands()
    burning.bot.send(SIGTERM)
    await ends(burning)
