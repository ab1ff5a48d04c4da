"""Accepts connections from a listening socket, several in each iteration of the event loop."""

import asyncio
import logging
import socket
from collections.abc import Callable

_AT_ONCE = 16  # connections per iteration: a burst of 250 is accepted within 16, and others get on in between
_BACKLOG = 1024  # connections in the kernel's accept queue; one that finds it full comes again after a second
_PAUSE = 1.0  # seconds, after no connection could be accepted

_log = logging.getLogger(__name__)


class Acceptor:
    """Accepts connections until it is stopped; without file descriptors it tries again after a second.

    The event loops' own servers do worse: asyncio's logs an error for each connection that it could not accept, and
    forgets those that it is still setting up when it is closed; uvloop's closes those that it could not accept.
    """

    def __init__(
        self, listening: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        listening.settimeout(0)
        listening.listen(_BACKLOG)
        self._resume()

    async def stop(self) -> None:
        """Accept no more connections, and wait until those that were accepted have their protocol."""
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._listening)
        if self._starting:
            await asyncio.wait(self._starting)

    def _resume(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # the queue is empty, or the client has left it
            except OSError as error:  # most likely no file descriptor is left
                _log.error("no connection can be accepted", extra={"reason": error.strerror})
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(_PAUSE, self._resume)
                return
            start = self._loop.connect_accepted_socket(self._protocol, connection)
            task: asyncio.Task[object] = asyncio.create_task(start)
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)
