"""The pauses between Socket Mode connections."""

from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
STABLE_AFTER = 60.0
"""Seconds after its hello from which a connection counts as stable."""


@dataclass(slots=True)
class BackOff:
    """The pauses between attempts: at least `apart`, and exponentially longer after refusals, in seconds of `clock`."""

    clock: Callable[[], float]
    apart: float
    refused: bool = field(default=False, init=False)
    """Whether Slack refused the last connection."""
    _pause: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)
    _greeted: float | None = field(default=None, init=False)

    def attempt(self) -> None:
        """Record an attempt; it may fail, or end, at once, and Slack limits the calls for the URL of the next."""
        self._until = self.clock() + self.apart

    def greet(self) -> None:
        """Record Slack's hello."""
        self.refused, self._greeted = False, self.clock()

    def refuse(self) -> float:
        """Record a refusal, and return the pause before the next attempt, in seconds."""
        now = self.clock()
        held = self._greeted is not None and now - self._greeted >= STABLE_AFTER
        self._pause = (
            min(2 * self._pause, LONGEST_PAUSE) if self._pause and not held else FIRST_PAUSE
        )
        self.refused, self._greeted = True, None
        self._until = max(self._until, now + self._pause)
        return self.left

    @property
    def left(self) -> float:
        """The rest of the pause, in seconds."""
        return max(0.0, self._until - self.clock())
