"""The HTTP listener: handlers by path, and why an address cannot be used."""

import asyncio
import errno
import logging
import math
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from enum import Enum
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler as MiddlewareHandler
from aiohttp.typedefs import Middleware

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.runtime.bounded import BODIES, Bodies
from bot.runtime.observers import ELSEWHERE, RefusedPost, no_op

_LAST_ACKS = 3.0  # seconds for requests under way at the stop; Slack waits no longer
_FORCED = 0.2  # seconds after those, in which aiohttp closes the connections that are left
_KEEPALIVE = 300.0  # seconds; reverse proxies keep idle connections for less: nginx 60, Caddy 120
_LINGERING = 0.3  # seconds for a refused client to read the response; what it sends is dropped
_TURNS = 3  # of the loop, for each of which asyncio goes one step with a connection that it accepts
_BACKLOG = 128  # connections that wait to be accepted

_DESCRIPTORS = "/proc/self/fd"
_NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}
_CLOSED = "Invalid file descriptor: -1"
_NEARLY_ALL, _MINUTE = 0.9, 60.0

# Bytes buffered per connection, before anybody knows whether its request is Slack's.
_SOCKET_BUFFER = 8 << 10  # Linux doubles it, see socket(7)
_READ_BUFFER = 16 << 10  # aiohttp stops reading at twice as much

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def listen(  # noqa: PLR0913, PLR0917  # the last one is an observer
    stack: AsyncExitStack,
    host: str,
    port: int,
    posts: Mapping[str, Handler],
    gets: Mapping[str, Handler],
    refused: RefusedPost = no_op,
) -> str:
    """Serve POST and GET handlers by path until the stack is closed; return the URL.

    `refused` is an observer of POSTs to paths that are not served. Raises OSError or ValueError, see `unusable`.
    """
    server = web.Application(middlewares=[_noting(refused)])
    server[BODIES] = Bodies()
    server.add_routes([web.post(*each) for each in posts.items()])
    server.add_routes([web.get(*each) for each in gets.items()])
    runner = web.AppRunner(
        server,
        access_log=None,
        auto_decompress=False,  # neither Slack nor WeChat compresses requests
        keepalive_timeout=_KEEPALIVE,
        lingering_time=_LINGERING,
        read_bufsize=_READ_BUFFER,
        shutdown_timeout=_LAST_ACKS,
    )
    await runner.setup()
    stack.push_async_callback(_finish, runner)
    loop = asyncio.get_running_loop()
    # Not a TCPSite, which gives no way to its sockets.
    listening = await loop.create_server(
        _server_of(runner), host, port, backlog=_BACKLOG, start_serving=False
    )
    for each in listening.sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)  # inherited
    stack.push_async_callback(_close, listening)
    loop.set_exception_handler(_handle)
    await listening.start_serving()
    return origin(host, port)


def _server_of(runner: web.AppRunner) -> web.Server:
    assert runner.server is not None  # noqa: S101  # it is set up
    return runner.server


async def _close(listening: asyncio.Server) -> None:
    """Accept no more connections; asyncio forgets those that it is just accepting, unless it gets a few turns first."""
    listening.close()
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _finish(runner: web.AppRunner) -> None:
    """Give the requests under way their last seconds; aiohttp would give them twice to a client that does not read."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_ACKS + _FORCED):
            await runner.cleanup()


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error of the loop, but not each connection that finds no file descriptor: `FewDescriptors` warns of those."""
    error = context.get("exception")
    lacking = isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS
    # A second after each of those, asyncio listens again, also if the socket was closed meanwhile.
    closed = isinstance(error, ValueError) and _CLOSED in str(error)
    if not (lacking or closed):
        loop.default_exception_handler(context)


class FewDescriptors:
    """Warns once a minute while nearly all file descriptors are used: without one, nobody gets in, and no call gets out."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._again_at = -math.inf

    def warn(self) -> None:
        """Count them, where the system tells them (Linux)."""
        try:
            used = sum(1 for _ in Path(_DESCRIPTORS).iterdir())
        except OSError as error:
            used = 0 if error.errno not in _NO_DESCRIPTORS else sys.maxsize
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if used < limit * _NEARLY_ALL or self._clock() < self._again_at:
            return
        self._again_at = self._clock() + _MINUTE
        fix = Sentence(
            "Let a reverse proxy limit the connections, or raise LimitNOFILE (ulimit -n)."
        )
        _log.warning("file descriptors run out", extra={"limit": limit, "fix": fix})


class NotServed(Enum):
    """Why a POST to another path is refused, for the log and the doctor."""

    NO_SUCH_PATH = Problem(
        Sentence("nothing takes posts at that path"),
        Sentence(
            "Let Slack's Request URLs end in /slack/events, and 授权事件接收URL at open.weixin.qq.com in /wechat/events. If they do, let the reverse proxy take off what comes before that."
        ),
    )


def _noting(refused: RefusedPost) -> Middleware:
    @web.middleware
    async def noting(request: web.Request, handler: MiddlewareHandler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException:  # only the router raises them
            if request.method == hdrs.METH_POST and _seems_signed(request):
                refused(ELSEWHERE, NotServed.NO_SUCH_PATH)
            raise
        except Exception:  # the server's own log is off
            _log.exception("unforeseen error")
            raise

    return noting


def _seems_signed(request: web.Request) -> bool:
    """Return whether a POST seems to come from Slack or WeChat; those of port scanners are not reported."""
    return "X-Slack-Signature" in request.headers or "msg_signature" in request.query


def origin(host: str, port: int) -> str:
    """Return the URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def unusable(host: str, port: int, error: OSError | ValueError) -> Problem:
    """Return why nothing can listen there: an error of the system or of the name lookup."""
    if isinstance(error, ValueError | socket.gaierror):  # such as one that is too long
        why: str = Sentence("no address is found for this name")
    else:
        # asyncio's own text repeats the address; from Python 3.13 on it has no number if none is this machine's.
        why = os.strerror(error.errno or errno.EADDRNOTAVAIL)
    found = Sentence(
        "HOST {host} and PORT {port} cannot be used ({why})", host=host, port=port, why=why
    )
    return Problem(found, Sentence("Choose others, or stop what uses them."))


def is_taken(error: OSError | ValueError) -> bool:
    """Return whether it is only that another program listens there."""
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE
