"""Send one HTTP request and read a bounded response, or return the Trouble that prevented it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TypeVar, cast
from urllib.parse import urlencode
from urllib.request import proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter

from bot.guidance import Trouble
from bot.runtime.bounded import read_at_most
from bot.runtime.observers import CalledWeChat
from bot.wechat.api import BODY_LIMIT, Call, NoAnswer, read_answer

UNPACKED = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""The headers of every request: no compression."""

_HEADERS = httpx.Headers({**UNPACKED, "Content-Type": "application/json"})
_LONGEST_CONNECT = 5.0
_SERVER_ERROR = 500

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _RequestBody(aiohttp.BytesPayload):
    """The body of a request; notes as `sent` that it is about to be written, before which no call can have arrived.

    A proxy's CONNECT has no body. aiohttp's tracing would tell too, but it takes 0.04 ms for each call of the session.
    """

    def __init__(self, content: bytes, extensions: dict[str, object]) -> None:
        super().__init__(content)
        self._content = content
        self._extensions = extensions

    async def write(self, writer: AbstractStreamWriter) -> None:
        self._extensions["sent"] = True
        await writer.write(self._content)

    async def write_with_length(
        self,
        writer: AbstractStreamWriter,
        content_length: int | None,  # noqa: ARG002  # its own
    ) -> None:
        await self.write(writer)


class Transport(httpx.AsyncBaseTransport):
    """Sends httpx requests over an aiohttp session; the query, which holds secrets, is visible to nothing else.

    There is no httpx.AsyncClient on top: for each call it handles cookies, redirects and hooks, which takes five times as
    long as the rest, and it logs every URL. The package httpx-aiohttp has such a transport too, but its errors do not tell
    what was sent from what was not, and it fails on a status line that is not UTF-8, such as a proxy's in GBK.
    """

    def __init__(
        self, session: aiohttp.ClientSession, proxies: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Take the session, and the environment's proxies by the scheme that each is for."""
        self._session = session
        self._proxies = proxies

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the extensions set by `exchange`; raises aiohttp's errors."""
        extensions = request.extensions
        query, connect = extensions["query"], extensions["timeout"]["connect"]
        content = b"".join(cast("httpx.SyncByteStream", request.stream))
        # What has no body, such as a token server's GET, counts as sent once there is a connection.
        extensions["sent"] = not content
        response = await self._session.request(
            request.method,
            f"{request.url}?{query}" if query else str(request.url),
            headers=request.headers,
            data=_RequestBody(content, extensions) if content else None,
            proxy=self._proxy_for(request.url),
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(connect=connect),
        )
        try:
            body = await read_at_most(response.content, extensions["limit"])
        finally:
            response.release()
        return httpx.Response(response.status, stream=httpx.ByteStream(body or b""))

    def _proxy_for(self, url: httpx.URL) -> str | None:
        """Return the proxy for a URL; with `trust_env` aiohttp finds it too, but sends the passwords in ~/.netrc."""
        proxy = self._proxies.get(url.scheme)
        return None if proxy and proxy_bypass(url.host) else proxy


def connect_within(seconds: float) -> float:
    """Return the connect timeout for an exchange of at most `seconds`: at most half of it."""
    return min(_LONGEST_CONNECT, seconds / 2)


async def exchange(
    http: httpx.AsyncBaseTransport, request: httpx.Request, seconds: float, limit: int
) -> tuple[int, bytes] | NoAnswer:
    """Return status and body of the response to `request`, or the trouble that prevented it within `seconds`.

    The body is as sent, compressed or not, and empty if it has more than `limit` bytes. Redirects are not followed, since
    they would carry the token elsewhere; nothing is retried; and nothing is decompressed, since a kilobyte can unpack to
    gigabytes.
    """
    own = {"timeout": {"connect": connect_within(seconds)}, "limit": limit}
    request.extensions = {"query": "", **request.extensions, **own}
    try:
        # Not aiohttp's total timeout: if the caller's deadline passes at the same time, it swallows the cancellation.
        async with asyncio.timeout(seconds):
            response = await http.handle_async_request(request)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # A ValueError if a proxy's address or answer cannot be read.
        return _no_answer(error, sent=request.extensions.get("sent", True))
    return response.status_code, b"".join(cast("httpx.SyncByteStream", response.stream))


def _no_answer(error: Exception, *, sent: bool) -> NoAnswer:
    """Return the trouble for an error; only a request that was `sent` may have arrived."""
    match error:
        case aiohttp.ClientSSLError():
            return NoAnswer(Trouble.NOT_SENT_TLS.value)
        case aiohttp.ClientHttpProxyError(status=status):  # the proxy's answer to CONNECT
            closed = status < _SERVER_ERROR
            why = Trouble.GATEWAY_CLOSED if closed else Trouble.NOT_SENT_CONNECT
            return NoAnswer(why.value, status=status)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return NoAnswer(Trouble.NOT_SENT_CONNECT.value)
        case _ if not sent:
            return NoAnswer(Trouble.NOT_SENT_CONNECT.value)
        case TimeoutError():
            return NoAnswer(Trouble.TIMEOUT.value)
        case _:
            return NoAnswer(Trouble.LOST.value)


@dataclass(frozen=True, slots=True)
class WeChatApi:
    """WeChat's API at the base `url`; `called` is an observer of each call, unless its caller cancels it."""

    http: httpx.AsyncBaseTransport
    url: str
    called: CalledWeChat | None = None

    async def post(
        self, call: Call, seconds: float, read: Callable[[Mapping[str, object]], T | NoAnswer]
    ) -> T | NoAnswer:
        """Send `call` and return what `read` makes of the answer, or why there is none."""
        request = httpx.Request(
            "POST",
            _address(self.url, call.path),
            headers=_HEADERS,
            stream=httpx.ByteStream(call.body),  # `content=` would also compute a Content-Length
            extensions={"query": urlencode(call.query)},
        )
        began = time.monotonic()
        got = await exchange(self.http, request, seconds, BODY_LIMIT)
        answered = got if isinstance(got, NoAnswer) else read_answer(*got, read)
        api = call.path.rpartition("/")[2]
        answer = answered.label if isinstance(answered, NoAnswer) else "0"
        if self.called:
            self.called(api, answer, time.monotonic() - began)
        _log.debug("called WeChat", extra={"api": api, "answer": answer})
        return answered


@cache
def _address(url: str, path: str) -> httpx.URL:
    """Return the URL of a call, parsed once per path: there are few, since the query is not part of it."""
    return httpx.URL(url + path)
