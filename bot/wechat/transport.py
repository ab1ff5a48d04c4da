"""Send one HTTP request and receive a bounded answer, or say which trouble kept it from coming."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TypeVar, cast
from urllib.parse import urlencode

import aiohttp
import httpx

from bot.guidance import Trouble
from bot.runtime.observers import CalledWeChat, nobody
from bot.wechat.api import BODY_LIMIT, Call, Declined, Troubled, read_answer

CUT_SHORT = "cut short"
"""What is counted as the answer where the caller stopped waiting."""

UNPACKED = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""The headers of each request."""

_HEADERS = httpx.Headers({**UNPACKED, "Content-Type": "application/json"})
_LONGEST_CONNECT = 5.0
_SERVER_ERROR = 500

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP answer; a compressed or over-long body is left empty."""

    status: int
    body: bytes


class _AnswerBody(httpx.AsyncByteStream):
    """The body of aiohttp's answer, as it comes; raises aiohttp's errors."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()

    async def aclose(self) -> None:
        """Let go of the connection, which is closed where the body was not read to its end."""
        self._response.release()


class Transport(httpx.AsyncBaseTransport):
    """aiohttp's connections behind httpx's interface; nothing else sees the query, where secrets are.

    No client stands above it: httpx's own looks for cookies, redirects and hooks at each call, which costs five times
    what is left, and logs every address. The package httpx-aiohttp has a transport too, which blurs what was sent and
    what was not, and fails on a status line that is not UTF-8, such as a proxy's in GBK.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request by the extensions that `exchange` gives it; raises aiohttp's errors."""
        query, connect = request.extensions["query"], request.extensions["timeout"]["connect"]
        response = await self._session.request(
            request.method,
            f"{request.url}?{query}" if query else str(request.url),
            headers=request.headers,
            data=b"".join(cast("httpx.SyncByteStream", request.stream)) or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(connect=connect),
        )
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_AnswerBody(response)
        )


def connect_within(seconds: float) -> float:
    """Return the time limit of connecting for an exchange of at most `seconds`, so that it ends well before."""
    return min(_LONGEST_CONNECT, seconds / 2)


async def exchange(
    http: httpx.AsyncBaseTransport, request: httpx.Request, seconds: float, limit: int
) -> Received | Trouble:
    """Return the answer to `request`, or the Trouble that kept it from coming within `seconds`.

    A body of more than `limit` bytes is not read to its end. Nothing is followed, retried or unpacked: a
    redirect would carry the token elsewhere, and a compressed body of a kilobyte can unfold to gigabytes.
    """
    timeout = {"connect": connect_within(seconds)}
    request.extensions = {"query": "", **request.extensions, "timeout": timeout}
    body = bytearray()
    try:
        # Not aiohttp's total: where the caller's time is over too, that hides the caller's cancellation.
        async with asyncio.timeout(seconds):
            response = await http.handle_async_request(request)
            stream = cast("httpx.AsyncByteStream", response.stream)
            try:
                if response.headers.get("content-encoding", "identity") == "identity":
                    async for piece in stream:
                        body += piece
                        if len(body) > limit:
                            body.clear()
                            break
            finally:
                await stream.aclose()
    except (aiohttp.ClientError, OSError, UnicodeError) as error:
        return _trouble_of(error)
    return Received(response.status_code, bytes(body))


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


@dataclass(frozen=True, slots=True)
class WeChatApi:
    """WeChat's API, whose base is `url`; `called` hears of each call."""

    http: httpx.AsyncBaseTransport
    url: str
    called: CalledWeChat = nobody

    async def post(
        self, call: Call, seconds: float, read: Callable[[Mapping[str, object]], T | Troubled]
    ) -> T | Declined | Troubled:
        """Return what `read` makes of the answer to a call, or what kept it from coming."""
        request = httpx.Request(
            "POST",
            _address(self.url, call.path),
            headers=_HEADERS,
            stream=httpx.ByteStream(call.body),  # of `content` httpx would find out the length too
            extensions={"query": urlencode(call.query)},
        )
        began, answer = time.monotonic(), CUT_SHORT
        try:
            received = await exchange(self.http, request, seconds, BODY_LIMIT)
            if isinstance(received, Trouble):
                answered: T | Declined | Troubled = Troubled(received)
            else:
                answered = read_answer(received.status, received.body, read)
            answer = _named(answered)
        finally:
            api = call.path.rpartition("/")[2]
            self.called(api, answer, time.monotonic() - began)
            _log.debug("called WeChat", extra={"api": api, "answer": answer})
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


@cache
def _address(url: str, path: str) -> httpx.URL:
    """Return where a call goes, taken apart once: there are few of them, since the query is not among it."""
    return httpx.URL(url + path)
