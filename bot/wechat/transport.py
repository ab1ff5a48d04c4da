"""Send one HTTP request and receive a bounded answer, or say which trouble kept it from coming."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import httpx

from bot.guidance import Trouble
from bot.runtime.observers import CalledWeChat, nobody
from bot.wechat.api import BODY_LIMIT, Call, Declined, Troubled

CUT_SHORT = "cut short"
"""What is counted as the answer where the caller stopped waiting."""

_LONGEST_CONNECT = 5.0
_SERVER_ERROR = 500

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP answer; a compressed or over-long body is left empty."""

    status: int
    body: bytes


class _AnswerBody(httpx.AsyncByteStream):
    """The body of aiohttp's answer, as it comes; raises aiohttp's errors."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.content.iter_any():
            yield piece

    async def aclose(self) -> None:
        """Let go of the connection, which is closed where the body was not read to its end."""
        self._response.release()


class Transport(httpx.AsyncBaseTransport):
    """aiohttp's connections behind httpx's interface; it alone sees the query, where secrets are.

    httpx logs every address that it sees and puts it into its errors. The package httpx-aiohttp has a transport too,
    which blurs what was sent and what was not, and fails on a status line that is not UTF-8, such as a proxy's in GBK.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the query that `exchange` has kept aside; raises aiohttp's errors."""
        query, limit = request.extensions.get("query"), request.extensions["timeout"]
        response = await self._session.request(
            request.method,
            f"{request.url}?{query}" if query else str(request.url),
            headers=request.headers,
            data=request.content or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(
                connect=limit["pool"], sock_connect=limit["connect"], sock_read=limit["read"]
            ),
        )
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_AnswerBody(response)
        )


def limits(seconds: float) -> httpx.Timeout:
    """Return time limits for one exchange of at most `seconds`, so that connecting ends well before."""
    connect = min(_LONGEST_CONNECT, seconds / 2)
    return httpx.Timeout(seconds, connect=connect, pool=connect)


async def post(  # noqa: PLR0913, PLR0917  # the last is for whoever counts
    http: httpx.AsyncClient,
    url: str,
    call: Call,
    seconds: float,
    read: Callable[[int, bytes], T | Declined | Troubled],
    called: CalledWeChat = nobody,
) -> T | Declined | Troubled:
    """Return what `read` makes of WeChat's answer to a call, or what kept it from coming; `url` is the API's base."""
    began, answer = time.monotonic(), CUT_SHORT
    try:
        answered = await _post(http, url, call, seconds, read)
        answer = _named(answered)
    finally:
        called(call.path.rpartition("/")[2], answer, time.monotonic() - began)
    return answered


def _named(answer: object) -> str:
    """Return an answer's errcode, or the trouble that stands in for one."""
    match answer:
        case Declined(said):
            return str(said.errcode)
        case Troubled(trouble):
            return trouble.value
        case _:
            return "0"


async def _post(
    http: httpx.AsyncClient,
    url: str,
    call: Call,
    seconds: float,
    read: Callable[[int, bytes], T | Declined | Troubled],
) -> T | Declined | Troubled:
    request = http.build_request(
        "POST",
        _address(url, call.path),
        content=call.body,
        headers={"Content-Type": "application/json"},
        timeout=limits(seconds),
        extensions={"query": urlencode(call.query)},
    )
    received = await exchange(http, request, seconds, BODY_LIMIT)
    if isinstance(received, Trouble):
        return Troubled(received)
    return read(received.status, received.body)


@cache
def _address(url: str, path: str) -> httpx.URL:
    """Return where a call goes, taken apart once: there are few of them, since the query is not among it."""
    return httpx.URL(url + path)


async def exchange(
    http: httpx.AsyncClient, request: httpx.Request, seconds: float, limit: int
) -> Received | Trouble:
    """Return the answer to `request`, or the Trouble that kept it from coming within `seconds`.

    A body of more than `limit` bytes is not read to its end. Nothing is followed, retried or unpacked: a
    redirect would carry the token elsewhere, and a compressed body of a kilobyte can unfold to gigabytes.
    """
    if "query" not in request.extensions:
        request.extensions["query"] = request.url.query.decode("ascii")
        request.url = request.url.copy_with(query=None, fragment=None)
    try:
        async with asyncio.timeout(seconds):
            response = await http.send(request, stream=True)
            try:
                if response.headers.get("content-encoding", "identity") != "identity":
                    return Received(response.status_code, b"")
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > limit:
                        return Received(response.status_code, b"")
                return Received(response.status_code, bytes(body))
            finally:
                await response.aclose()
    except (httpx.HTTPError, aiohttp.ClientError, OSError, UnicodeError) as error:
        return _trouble_of(error)


def _trouble_of(error: Exception) -> Trouble:
    """Return the Trouble; it tells what never left this machine from what may have arrived."""
    match error:
        case aiohttp.ClientSSLError():
            return Trouble.NOT_SENT_TLS
        case aiohttp.ClientHttpProxyError(status=status) if status < _SERVER_ERROR:
            return Trouble.GATEWAY_REFUSED  # the proxy would not open the way
        case (
            aiohttp.ClientConnectorError()
            | aiohttp.ClientHttpProxyError()
            | aiohttp.ConnectionTimeoutError()
            | aiohttp.InvalidURL()
        ):
            return Trouble.NOT_SENT_CONNECT
        case TimeoutError():
            return Trouble.TIMEOUT
        case _:
            return Trouble.LOST
