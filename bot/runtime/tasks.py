"""Background work: it lets acks go first, a shutdown waits for it, and its log lines have the request's id."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_LAST_MOMENT = 2.0  # seconds for cancelled tasks to end
# Seconds that a step waits at most: the ack itself may be waiting for Slack or the ledger.
_LONGEST = 0.1

_log = logging.getLogger(__name__)

# The only module state: asyncio has a copy for each task, which a task inherits from its creator.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Tasks:
    """The background tasks of the bot."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
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
        self._running.add(task)
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
        self._running.discard(task)
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


class AcksFirst:
    """Makes background work wait between its steps while an ack is pending, for a bounded time.

    Slack allows three seconds for an ack, and people wait for it. One is pending while this context is open; several may be.

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
