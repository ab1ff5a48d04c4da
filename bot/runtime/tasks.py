"""The work in the background, which a stop waits for, and the request that a task is about, so that the log names it."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_BEGINS = 0.001  # seconds that what was started has to begin
_LAST_MOMENT = 2.0  # seconds for what is cancelled to end

_log = logging.getLogger(__name__)

# The only state of a module: asyncio keeps it apart for each task, and a task inherits it from whoever starts it.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Tasks:
    """The work in the background, which a stop waits for."""

    def __init__(self) -> None:
        self._due: set[Coroutine[None, None, None]] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._over = False
        self.kept: list[asyncio.Task[None]] = []
        """What must go on until the stop, and is not waited for."""

    def __len__(self) -> int:
        """Return how many pieces of work are under way."""
        return len(self._due) + len(self._running)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` from the next turn of the loop, when the ack that it follows has gone out; what goes wrong in it is logged.

        After the stop nothing begins: it is in the ledger, and the next start finds it there.
        """
        if self._over:
            work.close()
            return
        self._due.add(work)
        asyncio.get_running_loop().call_soon(self._begin, work)

    def keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work`, which goes on until it is cancelled."""
        self.kept.append(asyncio.create_task(work))
        return self.kept[-1]

    async def drain(self, grace: float) -> None:
        """Wait up to `grace` seconds for what is under way, then cut the rest short.

        What was started has begun by then even without any grace.
        """
        now = asyncio.get_running_loop().time
        end = now() + max(grace, 2 * _BEGINS)
        while len(self) and now() < end:
            if self._due:
                await asyncio.sleep(_BEGINS)
            else:
                await asyncio.wait(self._running, timeout=end - now())
        self._over = True
        for work in self._due:
            work.close()
        self._due.clear()
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_MOMENT)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        if work not in self._due:
            return  # the stop came first
        self._due.remove(work)
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("unforeseen error", exc_info=error)


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
