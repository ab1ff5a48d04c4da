"""Read request bodies from untrusted clients: each complete within five seconds, all together within 4 MiB of memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from bot.domain.finding import Problem

_SECONDS = 5.0
_MOST_MEMORY = 4 << 20  # bytes of memory
# Bytes read without a pause; pushes, and nearly all commands and clicks, are shorter.
_UNPACED = 64 << 10
# Longer bodies are limited to this many at once and to this common rate, so that they do not starve the others.
_MOST_LONG = 8
_PACE = 4 << 20  # bytes a second


class Unread(Enum):
    """Why a body was not read, for the log."""

    SLOW = Problem("its body came too slowly")
    LONG = Problem("its body is too long")
    BROKEN = Problem("its body is broken off or wrongly packed")
    CROWDED = Problem("its body was not complete, and others needed the room")

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        statuses = {Unread.SLOW: 408, Unread.LONG: 413, Unread.BROKEN: 400, Unread.CROWDED: 503}
        return statuses[self]


@dataclass(slots=True, eq=False)
class _Body:
    """A body that is being read."""

    connection: web.RequestHandler
    read: bytearray = field(default_factory=bytearray)


class Bodies:
    """Reads bodies; those under way hold `most` bytes of memory at most, besides what each one's connection buffers.

    When they exceed that, the connection with the oldest body is closed: Slack and WeChat send a body in one go, so the
    oldest one is stalled. Bodies that come in pieces take turns.
    """

    def __init__(
        self, most: int = _MOST_MEMORY, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._most = most
        self._sleep = sleep
        self._next = 0.0  # loop time from which the next piece of a long body may be read
        self._reading: dict[_Body, None] = {}  # oldest first
        self._long: dict[_Body, None] = {}
        self._turn = asyncio.Lock()
        self.held = 0
        """The bytes read of incomplete bodies."""

    async def read(self, request: web.Request, limit: int) -> bytes | Unread:
        """Return a request's body, or why it was not read; a Content-Length over `limit` is refused without reading."""
        if (request.content_length or 0) > limit:
            return _too_long(request)
        body = _Body(request.protocol)
        self._reading[body] = None
        try:
            read = await self._read(request, body, limit)
            return read if body in self._reading else Unread.CROWDED
        finally:
            self._remove(body)

    async def _read(self, request: web.Request, body: _Body, limit: int) -> bytes | Unread:
        try:
            async with asyncio.timeout(_SECONDS):
                while piece := await request.content.readany():
                    if len(body.read) + len(piece) > limit:
                        return _too_long(request)
                    await self._append(body, piece)
                    if not request.content.is_eof():
                        await self._take_turn(body)
                return bytes(body.read)
        except TimeoutError:
            return Unread.SLOW
        except (web.RequestPayloadError, ConnectionError) as error:
            # aiohttp keeps the error, which would keep these frames alive.
            error.__traceback__ = None
            return Unread.BROKEN

    async def _append(self, body: _Body, piece: bytes) -> None:
        """Append a piece, unless the body was dropped; what exceeds the memory is dropped."""
        if body not in self._reading:
            return
        body.read += piece
        self.held += len(piece)
        while self.held > self._most:
            self._drop_oldest(self._reading)
        if len(body.read) > _UNPACED:
            self._long[body] = None
            if len(self._long) > _MOST_LONG:
                self._drop_oldest(self._long)
            await self._pause(len(piece))

    async def _take_turn(self, body: _Body) -> None:
        """Wait until the loop has run once for each body that waits already, so that acks get in between.

        Raises ConnectionResetError if the body's connection was closed meanwhile; to read on raises RuntimeError then.
        """
        transport = body.connection.transport
        if transport is None:
            raise ConnectionResetError
        transport.pause_reading()
        try:
            async with self._turn:
                await asyncio.sleep(0)
        finally:
            transport.resume_reading()
        if not body.connection.connected:
            raise ConnectionResetError

    async def _pause(self, length: int) -> None:
        """Wait until the common rate of all long bodies allows a piece of this length."""
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next) + length / _PACE
        await self._sleep(self._next - now)

    def _drop_oldest(self, bodies: dict[_Body, None]) -> None:
        """Drop the oldest body and close its connection."""
        oldest = next(iter(bodies))
        self._remove(oldest)
        oldest.read.clear()
        oldest.connection.force_close()

    def _remove(self, body: _Body) -> None:
        if body in self._reading:
            del self._reading[body]
            self.held -= len(body.read)
        self._long.pop(body, None)


def _too_long(request: web.Request) -> Unread:
    request.protocol.close()  # after the response; until then nothing more is read, see `_ClientConnection`
    return Unread.LONG


BODIES = web.AppKey("BODIES", Bodies)
"""The key of an application's Bodies."""
