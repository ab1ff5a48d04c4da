"""Background work: a shutdown waits for it, and its log lines have the request's id."""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_LAST_MOMENT = 2.0  # seconds for cancelled tasks to end

_log = logging.getLogger(__name__)

# The only module state: asyncio has a copy for each task, which a task inherits from its creator.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Tasks:
    """The background tasks of the bot."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[None], None] = {}  # in the order of their start
        self._stopping = False
        self._over = False
        self.kept: list[asyncio.Task[None]] = []
        """The tasks that run until the stop; `drain` does not wait for them."""

    def __len__(self) -> int:
        """Return how many pieces of work are running."""
        return len(self._running)

    def stopping(self) -> bool:
        """Tell whether the bot stops, so that work which only waits should end."""
        return self._stopping

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` in a task from the loop's next iteration, after the ack it follows; its exceptions are logged.

        After `drain` it is dropped: what it was to do is in the ledger, and the next start resumes it.
        """
        if self._over:
            work.close()
            return
        task = asyncio.create_task(work)
        self._running[task] = None
        task.add_done_callback(self._ended)

    def keep(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run `work`, which goes on until it is cancelled, in a task."""
        self.kept.append(asyncio.create_task(work))
        return self.kept[-1]

    async def drain(self, grace: float) -> None:
        """Wait up to `grace` seconds for the work under way, then cancel the rest.

        All work that was started has begun by then, even with no grace.
        """
        self._stopping = True
        now = asyncio.get_running_loop().time
        end = now() + grace
        await asyncio.sleep(0)
        while self._running and now() < end:
            await asyncio.wait(self._running, timeout=end - now())
        self._over = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_MOMENT)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("unforeseen error", exc_info=error)


def in_daemon_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    """Call `work`, which may hang for good, in a daemon thread: at exit Python waits for asyncio's own threads."""
    done = Future[T]()
    done.set_running_or_notify_cancel()  # so that a cancelled waiter does not cancel the work

    def call() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised where the result is awaited
            done.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return asyncio.wrap_future(done)


@contextmanager
def log_request(request_id: str) -> Iterator[None]:
    """Add this request's id to all log records of the context; an empty id adds none."""
    before = _REQUEST.set(request_id or None)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def current_request_id() -> str | None:
    """Return the id of the request in this context, if any."""
    return _REQUEST.get()
