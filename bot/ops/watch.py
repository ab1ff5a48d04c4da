"""Watch the loop: how late it comes to what is due."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

_EVERY = 1.0
_TOO_LATE = 3.0  # seconds; by then Slack has given up on the ack
_IN_A_ROW = 3  # a process that was frozen once, or a machine that slept, is not ill

_log = logging.getLogger(__name__)


class Watch:
    """Looks at the clock every second, and tells how late it comes to that."""

    def __init__(
        self,
        lagged: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lagged = lagged
        self._clock = clock
        self._sleep = sleep
        self._lags = deque[float](maxlen=_IN_A_ROW)

    async def keep(self, *looks: Callable[[], object]) -> None:
        """Look over and over, also at what else is to be looked at; runs until cancelled."""
        while True:
            due = self._clock() + _EVERY
            await self._sleep(_EVERY)
            lag = max(0.0, self._clock() - due)
            self._lags.append(lag)
            due_now: tuple[Callable[[], object], ...] = (partial(self._lagged, lag), *looks)
            for look in due_now:
                try:
                    look()
                except Exception:  # noqa: BLE001  # nobody would watch any more
                    _log.exception("unforeseen error")

    def trouble(self) -> str | None:
        """Return that the loop was too late several times in a row."""
        late = len(self._lags) == _IN_A_ROW and min(self._lags) > _TOO_LATE
        return "the loop does not keep up" if late else None
