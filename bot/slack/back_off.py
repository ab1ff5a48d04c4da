"""When to connect again to a Slack that has too many connections of this app: later each time, until one has held."""

from collections.abc import Callable
from dataclasses import dataclass, field

FIRST, LONGEST = 1.0, 60.0
HELD = 60.0
"""Seconds after its greeting from which a connection counts as one that holds."""


@dataclass(slots=True)
class BackOff:
    """The pauses after refusals; times in seconds of `clock`."""

    clock: Callable[[], float]
    refused: bool = field(default=False, init=False)
    """Whether Slack refused the last connection."""
    _pause: float = field(default=0.0, init=False)
    _until: float = field(default=0.0, init=False)
    _greeted: float | None = field(default=None, init=False)

    def greet(self) -> None:
        """Take note of Slack's hello."""
        self.refused, self._greeted = False, self.clock()

    def refuse(self) -> float:
        """Take note of a refusal, and return for how long to leave Slack alone."""
        now = self.clock()
        held = self._greeted is not None and now - self._greeted >= HELD
        self._pause = min(2 * self._pause, LONGEST) if self._pause and not held else FIRST
        self.refused, self._greeted, self._until = True, None, now + self._pause
        return self._pause

    @property
    def left(self) -> float:
        """For how long Slack is still to be left alone."""
        return max(0.0, self._until - self.clock())
