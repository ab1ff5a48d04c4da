"""Signals: SIGTERM and SIGINT end the bot, whatever it is doing; others set an event of its loop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

_ENDING = (signal.SIGTERM, signal.SIGINT)


def at_first_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; no other changes anything, as long as Python looks at signals.

    They are not ignored from here: of one that came at the same time, Python would say that it got lost in a race.
    """
    told = False

    def first(_sign: int, _frame: object) -> None:
        nonlocal told
        if not told:
            told = True
            stop()

    for sign in _ENDING:
        signal.signal(sign, first)


def ignore_from_now_on() -> None:
    """Let no signal change anything until the process has ended: in its last moments, Python looks at none.

    Call it outside any handler, where Python takes up what is pending first.
    """
    for sign in (*_ENDING, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)


def setting(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Return a function that sets an event of the loop from a signal handler, as long as the loop is open."""

    def set_it() -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(event.set)

    return set_it


async def unless(event: asyncio.Event, work: Awaitable[T]) -> T | None:
    """Return what `work` returns; None if the event comes first, which cuts the work short."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        working.cancel()  # which changes nothing once it is done
        await asyncio.wait([working])
    return None if working.cancelled() else working.result()
