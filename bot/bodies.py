"""Read what anybody may post: whole, in five seconds, and all of it together within a few mebibytes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from sys import getsizeof

from aiohttp import web

_SECONDS = 5.0
_TOGETHER = 4 << 20  # bytes of memory
_AT_ONCE = 64 << 10  # bytes read as they come: all of a push, and of nearly all commands and clicks
_PACE = 4 << 20  # bytes a second of all that is longer, to leave time for others


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
    """What has come of a body, and whose it is; `held` is what that takes of memory."""

    guest: web.RequestHandler
    pieces: list[bytes] = field(default_factory=list)
    length: int = 0
    held: int = 0


class Bodies:
    """The bodies that are being read, which together hold `most` bytes at most.

    One byte more shows out whoever began first: what Slack and WeChat send comes in one go, so who has been at it
    for longest is one that stalls.
    """

    def __init__(
        self, most: int = _TOGETHER, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._most = most
        self._sleep = sleep
        self._next = 0.0  # when the loop's clock lets the next piece of a long body be read
        self._reading: dict[_Body, None] = {}  # in the order in which they began

    @property
    def held(self) -> int:
        """How many bytes of memory are taken by bodies that are not complete."""
        return sum(body.held for body in self._reading)

    async def read(self, request: web.Request, limit: int) -> bytes | Unread:
        """Return the body of a request, or why there is none; one that is announced as longer is not waited for."""
        if (request.content_length or 0) > limit:
            return _too_long(request)
        body = _Body(request.protocol)
        self._reading[body] = None
        try:
            async with asyncio.timeout(_SECONDS):
                while piece := await request.content.readany():
                    body.length += len(piece)
                    if body.length > limit:
                        return _too_long(request)
                    if not self._keep(body, piece):
                        return Unread.CROWDED
                    if body.length > _AT_ONCE:
                        await self._pause(len(piece))
                return b"".join(body.pieces) if body in self._reading else Unread.CROWDED
        except TimeoutError:
            return Unread.SLOW
        except (web.RequestPayloadError, ConnectionError) as error:
            error.__traceback__ = None  # aiohttp keeps the error, and so what these frames hold
            return Unread.BROKEN if body in self._reading else Unread.CROWDED
        finally:
            self._reading.pop(body, None)

    async def _pause(self, length: int) -> None:
        """Wait for the turn of a piece of this length among those of all long bodies."""
        now = asyncio.get_running_loop().time()
        self._next = max(now, self._next) + length / _PACE
        await self._sleep(self._next - now)

    def _keep(self, body: _Body, piece: bytes) -> bool:
        """Keep a piece, and tell whether the body is still among those that are read."""
        body.pieces.append(piece)
        body.held += getsizeof(piece)  # one that comes byte by byte takes far more than its length
        while self.held > self._most:
            oldest = next(iter(self._reading))
            del self._reading[oldest]
            oldest.pieces.clear()
            oldest.guest.force_close()
        return body in self._reading


def _too_long(request: web.Request) -> Unread:
    request.protocol.close()  # once it is answered; until then aiohttp drops what comes, and does not parse it
    return Unread.LONG


BODIES = web.AppKey("BODIES", Bodies)
"""Where an application has its bodies."""


async def read_body(request: web.Request, limit: int) -> bytes | Unread:
    """Return the body of a request, of `limit` bytes at most, or why there is none."""
    return await request.app[BODIES].read(request, limit)
