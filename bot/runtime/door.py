"""The door for HTTP: connections that ask for nothing must not keep out those that do.

aiohttp by itself waits an hour for the head of a request, buffers a mebibyte of it, and accepts connections until no
file descriptor is left.
"""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from functools import partial
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.typedefs import Handler, Middleware

_CROWD = 256  # connections at most; and at most a quarter of the files that this process may open
_SILENCE = 300.0  # seconds; reverse proxies keep a connection for later for less: nginx 60
_LINGERING = 1.0  # seconds in which a refused client may stop sending and read why
_WAITING = 128  # connections that the kernel queues until they are accepted

# Bytes buffered of one connection. asyncio reads at once all that the kernel has of it, and aiohttp buffers that before
# anybody has looked at the head: 256 KiB of a body announced as a mebibyte.
_HELD_BY_SYSTEM = 8 << 10  # Linux doubles it, see socket(7)
_HELD_AHEAD = 4 << 10
# More than both together, since the beginning of a body may count too.
_HEAD = 32 << 10


def room() -> int:
    """Return how many connections this process can accept and still reach Slack, WeChat and its ledger."""
    return min(_CROWD, getrlimit(RLIMIT_NOFILE)[0] // 4)


class _Guest(web.RequestHandler):
    """One connection; it closes when a head is too long, and reads nothing once it is to be closed."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._body: StreamReader | None = None
        self._unheard = 0
        self._closing = False

    def close(self) -> None:
        """Close once the request under way is answered."""
        self._closing = True
        super().close()

    def asks(self, request: web.Request) -> None:
        """Note that a head is complete."""
        self._body, self._unheard = request.content, 0

    def data_received(self, data: bytes) -> None:
        """Take in what has come."""
        if self._closing and self.transport is not None:
            self.transport.pause_reading()  # aiohttp would read on, and drop it
            return
        if self._body is None or self._body.is_eof():
            self._unheard += len(data)
        if self._unheard > _HEAD:
            self.force_close()
        else:
            super().data_received(data)


class Door:
    """Accepts `crowd` connections; for one more it closes the oldest without a request under way, else the oldest."""

    def __init__(self, crowd: int, silence: float = _SILENCE) -> None:
        self._crowd = crowd
        self._silence = silence
        self._asking: set[web.RequestHandler] = set()

    async def open(
        self, stack: AsyncExitStack, app: web.Application, host: str, port: int, last_acks: float
    ) -> None:
        """Serve `app` until the stack is left, then finish what is under way within `last_acks` seconds.

        Raises OSError where host and port cannot be used.
        """
        app.middlewares.append(self._while_asking())
        runner = web.AppRunner(app, shutdown_timeout=last_acks)
        await runner.setup()
        server = runner.server
        assert server is not None  # noqa: S101  # it was just set up
        loop = asyncio.get_running_loop()

        async def finish() -> None:
            # aiohttp waits for whoever does not read their answer, and then waits as long once more.
            patience = loop.call_later(last_acks, _hang_up, server)
            await runner.cleanup()
            patience.cancel()

        stack.push_async_callback(finish)
        guest = partial(
            _Guest,
            server,
            loop=loop,
            access_log=None,
            auto_decompress=False,  # neither Slack nor WeChat packs what it sends
            keepalive_timeout=self._silence,
            lingering_time=_LINGERING,
            read_bufsize=_HELD_AHEAD,
        )

        def let_in() -> web.RequestHandler:
            self._make_room(server)
            return guest()

        # asyncio accepts as many at a time as its backlog says, and logs an error for each where no file is left.
        listening = await loop.create_server(let_in, host, port, backlog=1)
        stack.callback(listening.close)
        for each in listening.sockets:
            with socket.socket(fileno=os.dup(each.fileno())) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HELD_BY_SYSTEM)
                same.listen(_WAITING)

    def _make_room(self, server: web.Server) -> None:
        inside = [each for each in server.connections if each.transport is not None]
        for_nothing = [each for each in inside if each not in self._asking]
        if len(inside) >= self._crowd:
            (for_nothing or inside)[0].force_close()

    def _while_asking(self) -> Middleware:
        @web.middleware
        async def while_asking(request: web.Request, handler: Handler) -> web.StreamResponse:
            guest = request.protocol
            assert isinstance(guest, _Guest)  # noqa: S101  # it was let in here
            guest.asks(request)
            self._asking.add(guest)
            try:
                return await handler(request)
            finally:
                self._asking.discard(guest)

        return while_asking


def _hang_up(server: web.Server) -> None:
    for each in server.connections:
        if each.transport is not None:
            each.transport.abort()
