"""Read bodies from elsewhere, but no more of them than a limit: of responses, and of requests from untrusted clients."""

import asyncio
from contextlib import nullcontext
from enum import Enum

from aiohttp import StreamReader, web

from bot.domain.finding import Problem

_SECONDS = 5.0
_PAUSE = 1.0  # seconds without a byte, after which a long body has stalled
_SHORT = 16 << 10  # bytes; pushes, commands and nearly all clicks are shorter
_MOST_LONG = 8


async def read_at_most(
    stream: StreamReader, limit: int, pause: float | None = None
) -> bytes | None:
    """Return a body; None if it is longer than `limit` bytes, of which the rest is not read.

    Raises TimeoutError if nothing comes for `pause` seconds. The caller has to release the response of an unread body,
    which closes its connection.
    """
    body = bytearray()
    while True:
        async with asyncio.timeout(pause):
            piece = await stream.readany()
        if not piece:
            return bytes(body)
        body += piece
        if len(body) > limit:
            return None


class Unread(Enum):
    """Why a request's body was not read, for the log."""

    SLOW = Problem("its body came too slowly")
    LONG = Problem("its body is too long")
    BROKEN = Problem("its body is broken off or wrongly packed")
    CROWDED = Problem("too many long bodies were read at once")

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        statuses = {Unread.SLOW: 408, Unread.LONG: 413, Unread.BROKEN: 400, Unread.CROWDED: 503}
        return statuses[self]


class Bodies:
    """Reads the bodies of requests: each within five seconds, and only eight long ones at once.

    The other long ones wait for a place. One that stalls loses its place after a second: Slack and WeChat send a body in
    one go. Short ones are read however many there are, so that nobody can keep out Slack's.
    """

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_MOST_LONG)

    async def read(self, request: web.Request, limit: int) -> bytes | Unread:
        """Return a request's body, or why it was not read; a Content-Length over `limit` is refused without reading."""
        length = request.content_length
        if length is not None and length > limit:
            return Unread.LONG
        is_short = not request.body_exists or (length is not None and length <= _SHORT)
        why = Unread.SLOW if is_short else Unread.CROWDED
        try:
            async with asyncio.timeout(_SECONDS), nullcontext() if is_short else self._places:
                why = Unread.SLOW
                body = await read_at_most(request.content, limit, None if is_short else _PAUSE)
        except TimeoutError:
            return why
        except (web.RequestPayloadError, OSError) as error:
            # aiohttp keeps the error, which would keep these frames alive.
            error.__traceback__ = None
            return Unread.BROKEN
        return Unread.LONG if body is None else body


BODIES = web.AppKey("BODIES", Bodies)
"""The key of an application's Bodies."""
