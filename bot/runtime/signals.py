"""Signals: SIGTERM and SIGINT end the bot, whatever it is doing; others set an event of its loop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def at_first_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; no other changes anything, until the process has ended.

    With asyncio's own handlers, a second one would kill the process in its last moments, with another exit code.
    """
    signs = (signal.SIGTERM, signal.SIGINT)

    def first(_sign: int, _frame: object) -> None:
        for sign in signs:
            signal.signal(sign, signal.SIG_IGN)
        stop()

    for sign in signs:
        signal.signal(sign, first)


def setting(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Return a function that sets an event of the loop from a signal handler, as long as the loop is open."""

    def set_it() -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(event.set)

    return set_it


async def unless(event: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Return what `work` returns; None if the event comes first, which cuts the work short."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(event.wait())
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not working.done():
        working.cancel()
    try:
        return await working
    except asyncio.CancelledError:
        return None
