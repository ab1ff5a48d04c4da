"""Whose turn it is on the event loop: acks first, since Slack waits three seconds for one and people look at it."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 0.1  # seconds that a step waits: an ack may itself wait, for Slack or for the ledger


class AcksFirst:
    """Keeps the steps of the work in the background waiting while an ack is in hand, though never for long.

    Between two steps of an ack the loop turns to all else that is ready, so without this an ack would wait for the work
    of everybody who asked just before.
    """

    def __init__(self) -> None:
        self._acks = 0
        self._waiting = deque[asyncio.Future[None]]()
        self._looking = False

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """Hold an ack in hand for as long as the context is open."""
        self._acks += 1
        try:
            yield
        finally:
            self._acks -= 1
            self._look()

    async def step(self) -> None:
        """Return when a step of the work may begin: one at each turn of the loop, in the order in which they came."""
        if not self._acks and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(_LONGEST):
                await turn
        except TimeoutError:
            pass

    def _look(self) -> None:
        """Look at the next turn of the loop who may begin."""
        if self._waiting and not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._let_in)

    def _let_in(self) -> None:
        """Let the next one in unless an ack is in hand, which looks again at its end."""
        self._looking = False
        if self._acks:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # it has not waited long enough already
                turn.set_result(None)
                break
        self._look()
