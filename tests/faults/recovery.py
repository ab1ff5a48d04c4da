"""How a bot recovers from a fault and how it exits: with code 0 and in time."""

import asyncio
from collections.abc import Callable, Coroutine
from signal import SIGTERM, Signals

from tests.faults.rig import ProcessRig
from tests.faults.table import Fault

Action = Callable[[ProcessRig], Coroutine[None, None, str]]

EXIT_MARGIN = 4.0  # seconds beyond its grace that the README allows
BUSY = 3.0  # more seconds for a busy machine


async def assert_exits(rig: ProcessRig, *signs: Signals) -> None:
    """Send signals until the process has exited, with code 0 and in time."""
    async with asyncio.timeout(rig.bot.grace + EXIT_MARGIN + BUSY):
        ended = asyncio.create_task(rig.bot.ended())
        while not ended.done():
            for sign in signs:
                rig.bot.send(sign)
            await asyncio.wait([ended], timeout=0.001 if signs else None)
    assert await ended == 0


async def assert_survives(rig: ProcessRig, fault: Fault, action: Action) -> None:
    """Check that the requester is told the truth, that the bot works afterwards, and that it exits properly."""
    told = await action(rig)
    assert fault.told in told, told
    await rig.check_healthy()
    rig.bot.send(SIGTERM)
    await assert_exits(rig)
