"""Send one HTTP request and receive a bounded answer, or say which trouble kept it from coming."""

import asyncio
from dataclasses import dataclass

import aiohttp
import httpx

from bot.guidance import Trouble

_LONGEST_CONNECT = 5.0


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP answer, whole and uncompressed."""

    status: int
    body: bytes


def limits(seconds: float) -> httpx.Timeout:
    """Return time limits for one exchange of at most `seconds`, so that connecting ends well before."""
    connect = min(_LONGEST_CONNECT, seconds / 2)
    return httpx.Timeout(seconds, connect=connect, pool=connect)


async def exchange(
    http: httpx.AsyncClient, request: httpx.Request, seconds: float, limit: int
) -> Received | Trouble:
    """Return the answer to `request`, or the Trouble: late after `seconds`, or longer than `limit` bytes.

    Nothing is followed, retried or unpacked: a redirect would carry the token elsewhere, and a packed body
    of a kilobyte can unfold to gigabytes.
    """
    try:
        async with asyncio.timeout(seconds):
            response = await http.send(request, stream=True)
            try:
                if response.headers.get("content-encoding", "identity") != "identity":
                    return Trouble.NOT_JSON
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > limit:
                        return Trouble.NOT_JSON
                return Received(response.status_code, bytes(body))
            finally:
                await response.aclose()
    except TimeoutError:
        return Trouble.TIMEOUT
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
        return _trouble_of(error)


def _trouble_of(error: Exception) -> Trouble:
    """Tell what never left this machine from what may have arrived.

    httpx-aiohttp names a connection that broke after sending ConnectTimeout, so what aiohttp raised decides.
    """
    cause = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    match cause:
        case aiohttp.ClientSSLError():
            return Trouble.NOT_SENT_TLS
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ConnectionTimeoutError()
            | aiohttp.InvalidURL()
            | httpx.InvalidURL()
        ):
            return Trouble.NOT_SENT_CONNECT
        case aiohttp.ServerTimeoutError():
            return Trouble.TIMEOUT
        case _:
            return Trouble.LOST
