"""Log which posts were refused: at once, then once a minute with how many, since anybody may post."""

import logging
from collections import Counter
from collections.abc import Callable
from enum import Enum

_EVERY = 60.0  # seconds

_log = logging.getLogger(__name__)


class Refusals:
    """Hears of each post that is refused; `look` is to be called every second or so."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._new = Counter[tuple[str, Enum]]()
        self._due: dict[tuple[str, Enum], float] = {}

    def refused(self, path: str, why: Enum) -> None:
        """Take note of one; the paths and the reasons are few."""
        self._new[path, why] += 1

    def look(self) -> None:
        """Write one line for each path and reason that had none within the last minute."""
        now = self._clock()
        for each in [each for each in self._new if now >= self._due.get(each, now)]:
            path, why = each
            facts = {"path": path, "times": self._new.pop(each), "reason": why.value}
            _log.warning("delivery refused", extra=facts)
            self._due[each] = now + _EVERY
