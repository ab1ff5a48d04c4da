"""An HTTP server for untrusted clients: idle connections cannot keep out those that send requests.

By default aiohttp waits an hour for a request's headers, buffers a MiB of them, and accepts connections until the
process has no file descriptors left.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.typedefs import Handler, Middleware

_MOST = 256  # connections, but at most a quarter of the process's file descriptors
_KEEPALIVE = 300.0  # seconds; longer than reverse proxies keep idle connections: nginx 60
_LINGERING = 1.0  # seconds for a refused client to stop sending and read the response

# Bytes buffered per connection. aiohttp buffers all that is read before the headers are checked.
_SOCKET_BUFFER = 8 << 10  # the socket's SO_RCVBUF; Linux doubles it, see socket(7)
_READ_BUFFER = 2 << 10  # aiohttp stops reading at twice as much
_READ_SIZE = 8 << 10  # of the one buffer that all connections read into
# More than all of these together, since the start of the body may be counted too.
_MOST_HEADER_BYTES = 32 << 10

_AT_ONCE = 16  # connections per iteration: a burst of 250 is accepted within 16, and others get on in between
_BACKLOG = 1024  # connections in the kernel's accept queue; one that finds it full comes again after a second
_PAUSE = 1.0  # seconds, after no connection could be accepted

_log = logging.getLogger(__name__)


def connection_limit() -> int:
    """Return how many connections to accept so that descriptors remain for Slack, WeChat and the ledger."""
    return min(_MOST, getrlimit(RLIMIT_NOFILE)[0] // 4)


class _ClientConnection(web.RequestHandler, asyncio.BufferedProtocol):
    """One connection, for which `make_room` closes another one if there are too many.

    It is closed when its headers are too long; once it is closing, nothing more is read.

    It reads into a buffer that all connections share: for a `Protocol`, asyncio allocates 256 KiB for each read, which
    takes ten times as long as the read itself.
    """

    def __init__(
        self, make_room: Callable[[], None], buffer: bytearray, *given: Any, **more: Any
    ) -> None:
        super().__init__(*given, **more)
        self._make_room = make_room
        self._buffer = buffer
        self._body: StreamReader | None = None
        self._header_bytes = 0
        self._is_closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make room among the earlier connections, then join them."""
        self._make_room()
        super().connection_made(transport)

    def close(self) -> None:
        """Close after the response to the current request."""
        self._is_closing = True
        super().close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the body, which refers to this connection: together they would live until a garbage collection."""
        super().connection_lost(exc)
        self._body = None

    def headers_complete(self, request: web.Request) -> None:
        """Note that a request's headers are complete."""
        self._body, self._header_bytes = request.content, 0

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002  # the buffer has one size
        """Return where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take up the bytes that were read, before another connection reads into the same buffer."""
        self.data_received(bytes(memoryview(self._buffer)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Feed received bytes to aiohttp, unless the connection is closing or the headers are too long."""
        if self._is_closing and self.transport is not None:
            self.transport.pause_reading()  # aiohttp would go on reading and discard it
            return
        if self._body is None or self._body.is_eof():
            self._header_bytes += len(data)
        if self._header_bytes > _MOST_HEADER_BYTES:
            self.force_close()
        else:
            super().data_received(data)


class HttpServer:
    """Accepts `most` connections. For one more, it closes the oldest idle one, or else the oldest."""

    def __init__(self, most: int, keepalive: float = _KEEPALIVE) -> None:
        self._most = most
        self._keepalive = keepalive
        self._busy: set[web.RequestHandler] = set()

    async def serve(
        self, stack: AsyncExitStack, app: web.Application, host: str, port: int, last_acks: float
    ) -> None:
        """Serve `app` until the stack is closed, then give requests under way `last_acks` seconds to finish.

        Raises OSError if it cannot listen on host and port.
        """
        app.middlewares.append(self._busy_while_handling())
        runner = web.AppRunner(app, shutdown_timeout=last_acks)
        await runner.setup()
        server = runner.server
        assert server is not None  # noqa: S101  # it was just set up
        loop = asyncio.get_running_loop()

        async def finish() -> None:
            # cleanup() waits for clients that do not read their response, and then for the same time again.
            deadline = loop.call_later(last_acks, _abort_all, server)
            await runner.cleanup()
            deadline.cancel()

        stack.push_async_callback(finish)
        connection = partial(
            _ClientConnection,
            partial(self._close_one_if_full, server),
            bytearray(_READ_SIZE),
            server,
            loop=loop,
            access_log=None,
            auto_decompress=False,  # neither Slack nor WeChat compresses requests
            keepalive_timeout=self._keepalive,
            lingering_time=_LINGERING,
            read_bufsize=_READ_BUFFER,
        )
        for each in [stack.enter_context(each) for each in await _bound(host, port)]:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
            stack.push_async_callback(_Acceptor(each, connection).stop)

    def _close_one_if_full(self, server: web.Server) -> None:
        if len(server.connections) < self._most:
            return
        connected = [each for each in server.connections if each.transport is not None]
        idle = [each for each in connected if each not in self._busy]
        if len(connected) >= self._most:
            (idle or connected)[0].force_close()

    def _busy_while_handling(self) -> Middleware:
        @web.middleware
        async def busy_while_handling(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            assert isinstance(connection, _ClientConnection)  # noqa: S101  # created by `serve`
            connection.headers_complete(request)
            self._busy.add(connection)
            try:
                return await handler(request)
            finally:
                self._busy.discard(connection)

        return busy_while_handling


def _abort_all(server: web.Server) -> None:
    for each in server.connections:
        if each.transport is not None:
            each.transport.abort()


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Return a socket for each address of the host, bound to the port but not listening yet."""
    server = await asyncio.get_running_loop().create_server(
        asyncio.Protocol, host, port, start_serving=False
    )
    bound = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
    server.close()
    return bound


class _Acceptor:
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
