"""The work in the background, which a stop waits for, and the request that a task is about, so that the log names it."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ACK_TAKES = 0.001
_LAST_MOMENT = 2.0  # seconds for what is cancelled to end

_log = logging.getLogger(__name__)

# The only state of a module: asyncio keeps it apart for each task, and a task inherits it from whoever starts it.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Tasks:
    """The work in the background, which a stop waits for."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._over = False
        self.kept: list[asyncio.Task[None]] = []
        """What must go on until the stop, and is not waited for."""

    def __len__(self) -> int:
        """Return how many pieces of work are under way."""
        return len(self._running)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` once the ack that it follows has gone out; what goes wrong in it is logged.

        After the stop nothing begins: it is in the ledger, and the next start finds it there.
        """
        if self._over:
            work.close()
            return
        task = asyncio.create_task(_after_ack(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: work.close())  # where it was cut short before it began

    def keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work`, which goes on until it is cancelled."""
        self.kept.append(asyncio.create_task(work))
        return self.kept[-1]

    async def drain(self, grace: float) -> None:
        """Wait up to `grace` seconds for what is under way, then cut the rest short.

        What was started has begun by then even without any grace.
        """
        now = asyncio.get_running_loop().time
        end = now() + max(grace, 2 * _ACK_TAKES)
        while self._running and now() < end:
            await asyncio.wait(self._running, timeout=end - now())
        self._over = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_MOMENT)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("unforeseen error", exc_info=error)


async def _after_ack(work: Coroutine[None, None, None]) -> None:
    await asyncio.sleep(_ACK_TAKES)
    await work


@contextmanager
def about(request_id: str) -> Iterator[None]:
    """Let records logged in this context name this request; none if the id is empty."""
    before = _REQUEST.set(request_id or None)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_in_hand() -> str | None:
    """Return the id of the request that is being worked on, if any."""
    return _REQUEST.get()
