"""Read bodies from elsewhere, but no more of them than a limit: of responses, and of requests from untrusted clients."""

import asyncio
from enum import Enum

from aiohttp import StreamReader, web

from bot.domain.finding import Problem

_SECONDS = 5.0
_SHORT = 16 << 10  # bytes; pushes, commands and nearly all clicks are shorter
_MOST_LONG = 8


async def read_at_most(stream: StreamReader, limit: int) -> bytes | None:
    """Return a body; None if it is longer than `limit` bytes, of which the rest is not read.

    The caller has to release the response of an unread body, which closes its connection.
    """
    body = bytearray()
    async for piece in stream.iter_any():
        body += piece
        if len(body) > limit:
            return None
    return bytes(body)


class Unread(Enum):
    """Why a request's body was not read, for the log."""

    SLOW = Problem("its body came too slowly")
    LONG = Problem("its body is too long")
    BROKEN = Problem("its body is broken off or wrongly packed")
    CROWDED = Problem("its body was not complete, and others needed the room")

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        statuses = {Unread.SLOW: 408, Unread.LONG: 413, Unread.BROKEN: 400, Unread.CROWDED: 503}
        return statuses[self]


class Bodies:
    """Reads the bodies of requests: each within five seconds, and only eight long ones at once.

    One more long one takes the place of the oldest: Slack and WeChat send a body in one go, so the oldest is stalled. Short
    ones are read however many there are, so that nobody can keep out Slack's.
    """

    def __init__(self) -> None:
        self._long: dict[asyncio.Timeout, None] = {}  # oldest first

    async def read(self, request: web.Request, limit: int) -> bytes | Unread:
        """Return a request's body, or why it was not read; a Content-Length over `limit` is refused without reading."""
        length = request.content_length
        if length is not None and length > limit:
            return Unread.LONG
        is_long = length is None or length > _SHORT
        try:
            async with asyncio.timeout(_SECONDS) as patience:
                if is_long:
                    self._make_room()
                    self._long[patience] = None
                body = await read_at_most(request.content, limit)
        except TimeoutError:
            return Unread.CROWDED if is_long and patience not in self._long else Unread.SLOW
        except (web.RequestPayloadError, OSError) as error:
            # aiohttp keeps the error, which would keep these frames alive.
            error.__traceback__ = None
            return Unread.BROKEN
        finally:
            self._long.pop(patience, None)
        return Unread.LONG if body is None else body

    def _make_room(self) -> None:
        """End the oldest of the long bodies if there are too many."""
        if len(self._long) >= _MOST_LONG:
            oldest = next(iter(self._long))
            del self._long[oldest]
            if not oldest.expired():
                oldest.reschedule(0)  # in the past, so at once


BODIES = web.AppKey("BODIES", Bodies)
"""The key of an application's Bodies."""
