"""Scheduling on the event loop: acks first, because Slack allows three seconds for one and people wait for it."""

import asyncio
from collections import deque

# Seconds that a step waits at most: the ack itself may be waiting for Slack or the ledger.
_LONGEST = 0.1


class AcksFirst:
    """Makes background work wait between its steps while an ack is pending, for a bounded time.

    An ack is pending while this context is open; several may be.

    Otherwise, each time an ack's handler yields, the loop would run all other ready tasks first, so an ack would wait for
    the work of everybody who sent a command just before.
    """

    def __init__(self) -> None:
        self._acks = 0
        self._waiting = deque[asyncio.Future[None]]()
        self._scheduled = False

    def __enter__(self) -> None:
        self._acks += 1

    def __exit__(self, *_: object) -> None:
        self._acks -= 1
        self._schedule()

    async def step(self) -> None:
        """Wait until the next step of background work may run: in FIFO order, one per iteration of the loop."""
        if not self._acks and not self._waiting:
            return
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        late = loop.call_later(_LONGEST, _release, turn)  # less work than asyncio.timeout
        try:
            await turn
        finally:
            late.cancel()

    def _schedule(self) -> None:
        """Schedule `_release_next` for the next iteration of the loop."""
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._release_next)

    def _release_next(self) -> None:
        """Release the next waiting step unless an ack is pending; the end of the ack schedules this again."""
        self._scheduled = False
        if self._acks:
            return
        while self._waiting:
            if _release(self._waiting.popleft()):
                break
        self._schedule()


def _release(turn: asyncio.Future[None]) -> bool:
    """Let a step run; False if it runs already, or was cancelled."""
    if turn.done():
        return False
    turn.set_result(None)
    return True
