"""The clocks, sleep, randomness and ids that the bot runs on; tests pass their own."""

import asyncio
import random
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # no characters that are easily confused
_MILLISECOND = 0.001


async def sleep(seconds: float) -> None:
    """Sleep for at least `seconds`.

    uvloop's timers count whole milliseconds, so they may end up to one early; Slack forbids a call before its Retry-After.
    """
    await asyncio.sleep(seconds + _MILLISECOND)


def since_boot() -> float:
    """Return the seconds since the machine started, including suspension where the system counts it."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def new_id() -> str:
    """Return a new request id: short enough to read out, one of 6e11."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the bot takes from its machine, and the intervals that tests shorten. Seconds throughout; `now` is Unix time."""

    clock: Callable[[], float] = time.monotonic
    since_boot: Callable[[], float] = since_boot
    """The clock of leases, and of what is believed of people: it goes on while the machine is suspended."""
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = sleep
    idle: Callable[[float], Awaitable[None]] = sleep
    """Sleeps where no request waits, such as between two heartbeats; tests shorten `sleep` alone."""
    block: Callable[[float], None] = time.sleep
    """Sleeps where there is no event loop."""
    jitter: Callable[[], float] = random.random
    token_hex: Callable[[int], str] = secrets.token_hex
    """Returns random hex digits, two for each of so many bytes."""
    brake_every: float = 5.0
    """Seconds between two checks of the policy while a batch runs."""
    new_id: Callable[[], str] = new_id
    recheck_after: float = 45.0
    """Seconds after a call to Slack that ended in doubt; by then Slack has carried it out, or never will."""
    recheck_every: float = 5.0
    """Seconds between two looks for such calls."""
    delete_every: float = 3600.0
    """Seconds between two looks for what is too old to be kept."""
    ready_for: float = 300.0
    """Seconds for which an env that was ready for others is taken to be so."""
