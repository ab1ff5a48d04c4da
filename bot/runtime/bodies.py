"""Read request bodies from anybody: each whole and within five seconds, all together within four mebibytes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import StreamReader, web

_SECONDS = 5.0
_TOGETHER = 4 << 20  # bytes of memory
_AT_ONCE = (
    64 << 10
)  # bytes of a body read without a pause; a push, and nearly every command and click, is shorter
# Longer bodies: so many at most, and together no faster than the pace, so that others get their turn.
_LONG = 8
_PACE = 4 << 20  # bytes a second


class Unread(Enum):
    """Why a body was not read; the value is for the log."""

    SLOW = "its body came too slowly"
    LONG = "its body is too long"
    BROKEN = "its body is broken off or wrongly packed"
    CROWDED = "its body was not complete, and others needed the room"

    @property
    def status(self) -> int:
        """The HTTP status that says so."""
        match self:
            case Unread.SLOW:
                return 408
            case Unread.LONG:
                return 413
            case Unread.BROKEN:
                return 400
            case Unread.CROWDED:
                return 503


@dataclass(slots=True, eq=False)
class _Body:
    """A body that is being read: its connection, and its bytes so far; `content` has what arrived beyond them."""

    guest: web.RequestHandler
    content: StreamReader
    patience: asyncio.Timeout
    read: bytearray = field(default_factory=bytearray)


class Bodies:
    """The bodies that are being read; together they hold `most` bytes at most.

    For one more byte the oldest body loses its connection: Slack and WeChat send a body in one go, so the oldest is
    one that stalls.
    """

    def __init__(
        self, most: int = _TOGETHER, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._most = most
        self._sleep = sleep
        self._next = 0.0  # when the loop's clock lets the next piece of a long body be read
        self._reading: dict[_Body, None] = {}  # in the order in which they began
        self._long: dict[_Body, None] = {}

    @property
    def held(self) -> int:
        """How many bytes of incomplete bodies have arrived."""
        return sum(body.content.total_bytes for body in self._reading)

    async def read(self, request: web.Request, limit: int) -> bytes | Unread:
        """Return the body of a request, or why there is none; one announced as longer than `limit` is refused at once."""
        if (request.content_length or 0) > limit:
            return _too_long(request)
        body = _Body(request.protocol, request.content, asyncio.timeout(_SECONDS))
        self._reading[body] = None
        try:
            async with body.patience:
                while piece := await request.content.readany():
                    if len(body.read) + len(piece) > limit:
                        return _too_long(request)
                    if not await self._keep(body, piece):
                        return Unread.CROWDED
                return bytes(body.read) if body in self._reading else Unread.CROWDED
        except TimeoutError:
            return Unread.SLOW if body in self._reading else Unread.CROWDED
        except (web.RequestPayloadError, ConnectionError) as error:
            error.__traceback__ = None  # aiohttp keeps the error, and so what these frames hold
            return Unread.BROKEN if body in self._reading else Unread.CROWDED
        finally:
            self._forget(body)

    async def _keep(self, body: _Body, piece: bytes) -> bool:
        """Keep a piece; False if the body had to make room for others."""
        body.read += piece
        while self.held > self._most:
            self._drop_oldest(self._reading)
        if len(body.read) > _AT_ONCE and body in self._reading:
            self._long[body] = None
            if len(self._long) > _LONG:
                self._drop_oldest(self._long)
            await self._pause(len(piece))
        return body in self._reading

    async def _pause(self, length: int) -> None:
        """Wait until a piece of this length may be read of all long bodies together."""
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next) + length / _PACE
        await self._sleep(self._next - now)

    def _drop_oldest(self, bodies: dict[_Body, None]) -> None:
        """Close the connection of the oldest."""
        oldest = next(iter(bodies))
        self._forget(oldest)
        oldest.read.clear()
        oldest.guest.force_close()
        if not oldest.patience.expired():
            oldest.patience.reschedule(asyncio.get_running_loop().time())

    def _forget(self, body: _Body) -> None:
        self._reading.pop(body, None)
        self._long.pop(body, None)


def _too_long(request: web.Request) -> Unread:
    request.protocol.close()  # once it is answered; until then nothing more of it is read, see `Door`
    return Unread.LONG


BODIES = web.AppKey("BODIES", Bodies)
"""The key under which an application has its Bodies."""


async def read_body(request: web.Request, limit: int) -> bytes | Unread:
    """Return the body of a request, of `limit` bytes at most, or why there is none."""
    return await request.app[BODIES].read(request, limit)
