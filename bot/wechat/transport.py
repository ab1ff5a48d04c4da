"""The transport below the httpx client for WeChat and the token server: one exchange, bounded in time and size."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlencode
from urllib.request import proxy_bypass

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter

from bot.guidance import Trouble
from bot.runtime.bounded import read_at_most
from bot.runtime.observers import CalledWeChat, no_op
from bot.runtime.way import PROXY_WANTS_PASSWORD, Ways, in_the_way, proxy_refuses
from bot.wechat.api import ANSWER_LIMIT, Call, NoAnswer, read_answer

_UNPACKED = {"Accept": "application/json", "Accept-Encoding": "identity"}
_JSON = {"Content-Type": "application/json"}
_LONGEST_CONNECT = 5.0
_SERVER_ERROR = 500

T = TypeVar("T")

_log = logging.getLogger(__name__)


class UnansweredError(httpx.TransportError):
    """There is no response to a request; `why` is the trouble that prevented it."""

    def __init__(self, why: NoAnswer) -> None:
        super().__init__(why.label)
        self.why = why


def client_over(
    session: aiohttp.ClientSession, proxies: Mapping[str, str] = MappingProxyType({})
) -> httpx.AsyncClient:
    """Return a client whose requests go over the session, or by the environment's proxies, by the scheme that each is for.

    The caller closes the session; the client holds nothing else.
    """
    transport = _Transport(session, proxies)
    return httpx.AsyncClient(transport=transport, headers=_UNPACKED, trust_env=False)


class _RequestBody(aiohttp.BytesPayload):
    """The body of a request; notes as `sent` that it is about to be written, before which no call can have arrived.

    A proxy's CONNECT has no body. aiohttp's tracing would tell too, but only for a session that was opened with it: with
    another one, each call without an answer would count as not sent, though it may have been carried out.
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


class _Transport(httpx.AsyncBaseTransport):
    """Sends httpx requests over an aiohttp session, or raises UnansweredError.

    The extension `query` is the request's query, which holds secrets: so it is not in the URL, which httpx logs. The
    timeout is for the whole exchange. A response has the body as sent, compressed or not, or none if it is longer than
    `ANSWER_LIMIT` bytes, and no headers: so httpx does not unpack it, since a kilobyte can unpack to gigabytes, and keeps no
    cookies. Redirects are not followed, since they would carry the token elsewhere; nothing is retried.

    The package httpx-aiohttp has such a transport too, but its errors do not tell what was sent from what was not, and it
    fails on a status line that is not UTF-8, such as a proxy's in GBK.
    """

    def __init__(self, session: aiohttp.ClientSession, proxies: Mapping[str, str]) -> None:
        self._session = session
        self._proxies = proxies
        self._ways = Ways()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response."""
        seconds = request.extensions["timeout"]["read"]
        # What has no body, such as a token server's GET, counts as sent once there is a connection.
        body = _RequestBody(request.content) if request.content else None
        try:
            # Not aiohttp's total timeout: if the caller's deadline passes at the same time, it swallows the cancellation.
            async with asyncio.timeout(seconds):
                return await self._exchange(request, body, connect_within(seconds))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A ValueError if a proxy's address or answer cannot be read. `from None`: its text may quote the query.
            no = _no_answer(error, sent=body is None or body.sent)
            way = in_the_way(error, self._proxy_for(request.url))
            self._ways.note(request.url.host, None if body is None or body.sent else way)
            raise UnansweredError(replace(no, way=way)) from None

    async def _exchange(
        self, request: httpx.Request, body: _RequestBody | None, connect: float
    ) -> httpx.Response:
        query = request.extensions.get("query")
        response = await self._session.request(
            request.method,
            f"{request.url}?{query}" if query else str(request.url),
            headers=request.headers,
            data=body,
            proxy=self._proxy_for(request.url),
            allow_redirects=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(connect=connect),
        )
        self._ways.note(request.url.host, None)
        try:
            content = await read_at_most(response.content, ANSWER_LIMIT)
        finally:
            response.release()
        if response.status == PROXY_WANTS_PASSWORD:
            way = proxy_refuses(response.status, self._proxy_for(request.url))
            closed = NoAnswer(Trouble.GATEWAY_CLOSED.value, status=response.status, way=way)
            raise UnansweredError(closed)
        return httpx.Response(response.status, content=content or b"")

    def _proxy_for(self, url: httpx.URL) -> str | None:
        """Return the proxy for a URL; with `trust_env` aiohttp finds it too, but sends the passwords in ~/.netrc."""
        proxy = self._proxies.get(url.scheme)
        return None if proxy and proxy_bypass(url.host) else proxy


def connect_within(seconds: float) -> float:
    """Return the connect timeout for an exchange of at most `seconds`: at most half of it."""
    return min(_LONGEST_CONNECT, seconds / 2)


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

    http: httpx.AsyncClient
    url: str
    clock: Callable[[], float]
    called: CalledWeChat = no_op

    async def post(
        self, call: Call, seconds: float, read: Callable[[Mapping[str, object]], T | NoAnswer]
    ) -> T | NoAnswer:
        """Send `call` and return what `read` makes of the answer, or why there is none."""
        began = self.clock()
        answered: T | NoAnswer
        try:
            response = await self.http.post(
                self.url + call.path,
                content=call.body,
                headers=_JSON,
                timeout=seconds,
                extensions={"query": urlencode(call.query)},
            )
        except UnansweredError as error:
            answered = error.why
        else:
            answered = read_answer(response.status_code, response.content, read)
        api = call.path.rpartition("/")[2]
        answer = answered.label if isinstance(answered, NoAnswer) else "0"
        self.called(api, answer, self.clock() - began)
        _log.debug("called WeChat", extra={"api": api, "answer": answer})
        return answered
