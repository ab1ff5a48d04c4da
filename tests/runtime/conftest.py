"""The tests of this room run on both event loops."""

import asyncio
from collections.abc import Callable

import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories() -> dict[str, LoopFactory]:
    """Return the event loops on which the bot may run."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
