"""The sleep of the bot."""

import asyncio
import time

from bot.runtime.clock import sleep


async def test_a_sleep_on_a_busy_loop_is_never_shorter_than_asked() -> None:
    async def keep_busy() -> None:
        while True:  # noqa: ASYNC110  # so that the loop often looks at its timers
            await asyncio.sleep(0)

    busy = asyncio.create_task(keep_busy())
    for _ in range(5):
        while time.monotonic() * 1000 % 1 < 0.8:  # until just before the next millisecond begins
            pass
        began = time.monotonic()
        await sleep(0.002)
        assert time.monotonic() - began >= 0.002
    busy.cancel()
