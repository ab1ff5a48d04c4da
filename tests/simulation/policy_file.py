"""The policy file, which all replicas read: written at once or bit by bit, on a disk that may be slow, hang or fail."""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from math import inf
from pathlib import Path
from random import Random

from bot.domain.finding import Problem
from bot.settings.policy import Content
from tests.simulation.loop import Process, SimulatedLoop

PATH = Path("policy.toml")


class Reading(Enum):
    """What else than an answer at once a read meets."""

    SLOW = auto()
    HANGS = auto()
    """It takes longer than the watcher waits for it."""
    FAILS = auto()


_SECONDS = {None: (0.001, 0.05), Reading.FAILS: (0.001, 0.05), Reading.SLOW: (0.5, 8.0)}
_HANGING = (12.0, 25.0)


class SimulatedFile:
    """The file; `fate_of` decides what a read by a replica meets."""

    def __init__(
        self,
        loop: SimulatedLoop,
        seed: int,
        text: str,
        fate_of: Callable[[str], Reading | None],
    ) -> None:
        self.text: str | None = text
        """What is in it; None while it is gone."""
        self.versions = 0
        """How often it was changed."""
        self.changed = -inf
        """When it was last changed, by the loop's time."""
        self.hampered_until: dict[str, float] = {}
        """By the loop's time, until when a read of a replica meets something else than an answer at once."""
        self._loop = loop
        self._dice = Random(f"disk {seed}")  # noqa: S311  # no secret
        self._fate_of = fate_of

    def replace(self, text: str | None) -> None:
        """Put another text there at once, or take the file away."""
        self.text = text
        self.versions += 1
        self.changed = self._loop.true_time()

    async def write(self, text: str, half: str | None, seconds: float) -> None:
        """Write a text in place, of which half is there, or nothing, until the end."""
        self.replace(half)
        version = self.versions
        await asyncio.sleep(seconds)
        if version == self.versions:  # else somebody has put another one there
            self.replace(text)

    def read(self, process: Process) -> asyncio.Future[Content]:
        """Begin to read what will be there; as by a thread, so it has an end even if nobody waits for that."""
        fate = self._fate_of(process.name)
        seconds = self._dice.uniform(*_SECONDS.get(fate, _HANGING))
        if fate:
            before, now = self.hampered_until.get(process.name, 0.0), self._loop.true_time()
            self.hampered_until[process.name] = max(before, now + seconds)
        done: asyncio.Future[Content] = self._loop.create_future()
        self._loop.world.later(seconds, self._arrive, process, fate, done)
        return done

    def _arrive(
        self, process: Process, fate: Reading | None, done: asyncio.Future[Content]
    ) -> None:
        content: Content | None = self.text
        if fate is Reading.FAILS or content is None:
            content = Problem("The policy file cannot be read", "Look at the disk it is on.")
        process.later(0, _resolve, done, content)


def _resolve(done: asyncio.Future[Content], content: Content) -> None:
    if not done.done():
        done.set_result(content)
