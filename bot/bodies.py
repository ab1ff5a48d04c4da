"""Read what anybody may post: whole, within a mebibyte and five seconds, or say what is wrong with it."""

import asyncio
from enum import Enum

from aiohttp import web

BODY_LIMIT = 1 << 20
"""Bytes; to be an application's `client_max_size`, too."""

_SECONDS = 5.0


class Unread(Enum):
    """Why a body was not read; the value is for the log."""

    SLOW = "its body came too slowly"
    LONG = "its body is longer than a mebibyte"
    BROKEN = "its body is broken off or wrongly packed"

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


async def read_body(request: web.Request) -> bytes | Unread:
    """Return the body of a request, or why there is none; one that is announced as too long is not waited for."""
    if (request.content_length or 0) > BODY_LIMIT:
        return Unread.LONG
    try:
        async with asyncio.timeout(_SECONDS):
            return await request.read()
    except TimeoutError:
        return Unread.SLOW
    except web.HTTPRequestEntityTooLarge:
        return Unread.LONG
    except (web.RequestPayloadError, ConnectionError):
        return Unread.BROKEN
