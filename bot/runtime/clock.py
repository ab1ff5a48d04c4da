"""The clocks, sleep, randomness and ids that the bot runs on; tests pass their own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that is mistaken for another when read aloud


def new_id() -> str:
    """Return a request's id: short enough to be read out, and one of 600,000,000,000.

    No secret. Each letter from the kernel would give up the interpreter's lock, and the ack wait to get it back.
    """
    return "".join(random.choices(_ID_LETTERS, k=8))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the bot takes from the machine: clocks, sleep, randomness and ids. Times are in seconds, `now` in Unix seconds."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    brake: float = 5.0
    """Seconds between two looks at the policy while a batch runs."""
    new_id: Callable[[], str] = new_id
