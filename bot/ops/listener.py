"""The HTTP listener: what Slack and WeChat post, and what operators and their machines ask."""

import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from enum import Enum
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler as MiddlewareHandler
from aiohttp.typedefs import Middleware

from bot.domain.problem import Problem
from bot.ops.health import Health
from bot.runtime.bodies import BODIES, Bodies
from bot.runtime.http_server import HttpServer, connection_limit
from bot.runtime.observers import Refused, no_op

HEALTHZ, READYZ, METRICS = "/healthz", "/readyz", "/metrics"
ELSEWHERE = "another path"
"""What stands for any path that is not served; it may be a stranger's words."""

_LONGEST_HOST = 60  # characters, in a sentence
_LAST_ACKS = 3.0  # seconds for HTTP requests under way; Slack does not wait longer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotListenError(Exception):
    """HOST and PORT cannot be used; the text is `problem`, which says why, with the fix.

    `taken` if that is only because another program listens there.
    """

    def __init__(self, problem: Problem, *, taken: bool) -> None:
        super().__init__(problem)
        self.problem = problem
        self.taken = taken


async def listen(  # noqa: PLR0913, PLR0917  # the last is for whoever counts
    stack: AsyncExitStack,
    host: str,
    port: int,
    posts: Mapping[str, Handler],
    gets: Mapping[str, Handler],
    refused: Refused = no_op,
) -> str:
    """Serve HTTP until the stack is left, POST and GET by path; return the address, or raise CannotListenError.

    `refused` hears of what is posted where nothing takes it.
    """
    server = web.Application(middlewares=[_noting(refused)])
    server[BODIES] = Bodies()
    for path, handler in posts.items():
        server.router.add_post(path, handler)
    for path, handler in gets.items():
        server.router.add_get(path, handler)
    try:
        await HttpServer(connection_limit()).serve(stack, server, host, port, _LAST_ACKS)
    except (OSError, ValueError) as error:
        raise unusable(host, port, error) from error
    return origin(host, port)


class Nowhere(Enum):
    """Why what is posted elsewhere is refused; the value is what the log says."""

    NO_SUCH_PATH = (
        "nothing takes posts there: Slack's Request URLs have to end in /slack/events (HTTP mode), "
        "WeChat's 授权事件接收URL in /wechat/events (token source 3)"
    )


def _noting(refused: Refused) -> Middleware:
    @web.middleware
    async def noting(request: web.Request, handler: MiddlewareHandler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            if request.method == hdrs.METH_POST and _seems_signed(request):
                refused(ELSEWHERE, Nowhere.NO_SUCH_PATH)
            raise

    return noting


def _seems_signed(request: web.Request) -> bool:
    """Tell whether a post may be Slack's or WeChat's: of what strangers look for nothing is told."""
    return "X-Slack-Signature" in request.headers or "msg_signature" in request.query


def origin(host: str, port: int) -> str:
    """Return the address of what listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def unusable(host: str, port: int, error: OSError | ValueError) -> CannotListenError:
    """Return what an error means that the system, or the look for the name, gave for the two."""
    shown = host if len(host) <= _LONGEST_HOST else f"{host[:_LONGEST_HOST]}…"
    found = f"HOST {shown} and PORT {port} cannot be used ({_why(error)})"
    return CannotListenError(
        Problem(found, "Choose others, or stop what uses them."),
        taken=isinstance(error, OSError) and error.errno == errno.EADDRINUSE,
    )


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):  # a name that is too long, or not one that the DNS could hold
        return "this is no host's name"
    # From Python 3.13 on, this is how asyncio says that none of the host's addresses is this machine's.
    if error.errno is None:
        return os.strerror(errno.EADDRNOTAVAIL)
    # asyncio's own words say the address once more; the DNS's errors have numbers below nought.
    why = os.strerror(error.errno) if error.errno > 0 else error.strerror
    return why or type(error).__name__


def answering(health: Health) -> Handler:
    """Return the handler that tells how the parts are: 200 if those are well that matter, else 503."""

    async def answer(_: web.Request) -> web.Response:
        report = health.look()
        status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response(report.json, status=status, headers={"Cache-Control": "no-store"})

    return answer
