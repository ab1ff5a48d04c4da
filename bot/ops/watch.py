"""Watch the loop: how late it comes to what is due."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

_EVERY = 1.0
_TOO_LATE = 3.0  # seconds; by then Slack has given up on the ack
_IN_A_ROW = 3  # a process that was frozen once, or a machine that slept, is not ill


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
            self._lagged(lag)
            for look in looks:
                look()

    def trouble(self) -> str | None:
        """Return that the loop was too late several times in a row."""
        late = len(self._lags) == _IN_A_ROW and min(self._lags) > _TOO_LATE
        return "the loop does not keep up" if late else None
