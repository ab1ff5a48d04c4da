"""Signal handlers: SIGTERM and SIGINT stop the bot at any time; others can set an event of the loop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_ENDING = (signal.SIGTERM, signal.SIGINT)


def on_first_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; later ones do nothing as long as the interpreter runs.

    The handler stays installed instead of SIG_IGN: for a signal that arrives just then, Python would print that it was lost.
    """
    told = False

    def first(_sign: int, _frame: object) -> None:
        nonlocal told
        if not told:
            told = True
            stop()

    for sign in _ENDING:
        signal.signal(sign, first)


def ignore_signals() -> None:
    """Ignore all signals until the process has ended: while it shuts down, Python runs no handlers.

    Call this outside of a signal handler, where Python handles pending signals first.
    """
    for sign in (*_ENDING, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)


def setter_of(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Return a function that sets `event` from a signal handler; it does nothing once the loop is closed."""

    def set_it() -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(event.set)

    return set_it


async def cancel_on(event: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Return the result of `work`, or None if `event` is set first, which cancels the work."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        working.cancel()  # no effect once it is done
        await asyncio.wait([working])
    return None if working.cancelled() else working.result()
