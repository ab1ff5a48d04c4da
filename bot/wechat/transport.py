"""Send one HTTP request and read a bounded response, or return the Trouble that prevented it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from bot.guidance import Trouble
from bot.runtime.observers import CalledWeChat, no_op
from bot.wechat.api import BODY_LIMIT, Call, Declined, Troubled, label_of, read_answer

CUT_SHORT = "cut short"
"""The label for a call that its caller cancelled."""

UNPACKED = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""The headers of every request: no compression."""

_HEADERS = {**UNPACKED, "Content-Type": "application/json"}
_LONGEST_CONNECT = 5.0
_SERVER_ERROR = 500

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """An HTTP response. Its body is as sent, compressed or not, and empty if it was too long."""

    status: int
    body: bytes


class _RequestBody(aiohttp.BytesPayload):
    """The body of a request; `sent` once it is about to be written, before which no call can have arrived.

    A proxy's CONNECT has no body. aiohttp's tracing would tell too, but it takes 0.04 ms for each call of the session.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self.sent = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        self.sent = True
        await writer.write(self._content)

    async def write_with_length(
        self,
        writer: AbstractStreamWriter,
        content_length: int | None,  # noqa: ARG002  # its own
    ) -> None:
        await self.write(writer)


def connect_within(seconds: float) -> float:
    """Return the connect timeout for an exchange of at most `seconds`: at most half of it."""
    return min(_LONGEST_CONNECT, seconds / 2)


async def exchange(
    http: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    seconds: float,
    content: bytes | None = None,
) -> Received | Troubled:
    """GET `url`, or POST `content` to it, and return the response, or the trouble that prevented it within `seconds`.

    A body of more than BODY_LIMIT bytes is dropped. Redirects are not followed, since they would carry the token elsewhere;
    nothing is retried; and nothing is decompressed, since a kilobyte can unpack to gigabytes.
    """
    given = _RequestBody(content) if content else None
    body = bytearray()
    try:
        # Not aiohttp's total timeout: if the caller's deadline passes at the same time, it swallows the cancellation.
        async with asyncio.timeout(seconds):
            response = await http.request(
                "POST" if given else "GET",
                url,
                headers=headers,
                data=given,
                allow_redirects=False,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(connect=connect_within(seconds)),
            )
            try:
                async for piece in response.content.iter_any():
                    body += piece
                    if len(body) > BODY_LIMIT:
                        body.clear()
                        break
            finally:
                response.release()  # closes the connection if the body was not read to its end
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # A ValueError if a proxy's address or answer cannot be read.
        # What has no body, such as a token server's GET, counts as sent once there is a connection.
        return _troubled(error, sent=given is None or given.sent)
    return Received(response.status, bytes(body))


def _troubled(error: Exception, *, sent: bool) -> Troubled:
    """Return the trouble for an error; only a request that was `sent` may have arrived."""
    match error:
        case aiohttp.ClientSSLError():
            return Troubled(Trouble.NOT_SENT_TLS)
        case aiohttp.ClientHttpProxyError(status=status):  # the proxy's answer to CONNECT
            closed = status < _SERVER_ERROR
            return Troubled(Trouble.GATEWAY_CLOSED if closed else Trouble.NOT_SENT_CONNECT, status)
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return Troubled(Trouble.NOT_SENT_CONNECT)
        case _ if not sent:
            return Troubled(Trouble.NOT_SENT_CONNECT)
        case TimeoutError():
            return Troubled(Trouble.TIMEOUT)
        case _:
            return Troubled(Trouble.LOST)


@dataclass(frozen=True, slots=True)
class WeChatApi:
    """WeChat's API at the base `url`; `called` is an observer of each call."""

    http: aiohttp.ClientSession
    url: str
    called: CalledWeChat = no_op

    async def post(
        self, call: Call, seconds: float, read: Callable[[Mapping[str, object]], T | Troubled]
    ) -> T | Declined | Troubled:
        """Send `call` and return what `read` makes of the answer, or why there is none."""
        query = urlencode(call.query)
        url = f"{self.url}{call.path}?{query}" if query else f"{self.url}{call.path}"
        began, answer = time.monotonic(), CUT_SHORT
        try:
            received = await exchange(self.http, url, _HEADERS, seconds, call.body)
            if isinstance(received, Received):
                answered = read_answer(received.status, received.body, read)
            else:
                answered = received
            answer = label_of(answered)
        finally:
            api = call.path.rpartition("/")[2]
            self.called(api, answer, time.monotonic() - began)
            _log.debug("called WeChat", extra={"api": api, "answer": answer})
        return answered
