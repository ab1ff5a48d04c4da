"""The door for HTTP: strangers who only stand in it must not keep out whoever has something to say.

aiohttp waits an hour for the head of a request and lets in as many as come, until no file descriptor is left.
"""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from resource import RLIMIT_NOFILE, getrlimit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_CROWD = 256  # connections at most; and at most a quarter of the files that this process may open
_SILENCE = 300.0  # seconds; reverse proxies keep a connection for later for less: nginx 60
_LINGERING = 1.0  # seconds for whoever is refused to stop sending and read why
_WAITING = 128  # connections that the system holds until they are let in


def room() -> int:
    """Return how many connections this process can let in and still reach Slack, WeChat and its ledger."""
    return min(_CROWD, getrlimit(RLIMIT_NOFILE)[0] // 4)


class Door:
    """Lets in `crowd` connections; one more shows out the oldest that asks for nothing just now, else the oldest."""

    def __init__(self, crowd: int, silence: float = _SILENCE) -> None:
        self._crowd = crowd
        self._silence = silence
        self._asking: set[web.RequestHandler] = set()

    async def open(
        self, stack: AsyncExitStack, app: web.Application, host: str, port: int, last_acks: float
    ) -> None:
        """Serve `app` until the stack is left, then finish what is under way within `last_acks` seconds.

        Raises OSError where host and port cannot be used.
        """
        app.middlewares.append(self._while_asking())
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # neither Slack nor WeChat packs what it sends
            keepalive_timeout=self._silence,
            lingering_time=_LINGERING,
            shutdown_timeout=last_acks,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = runner.server
        assert server is not None  # noqa: S101  # it was just set up

        def let_in() -> web.RequestHandler:
            self._make_room(server)
            return server()

        # One at a time: asyncio lets in as many at once as may wait, and where no file is left it logs as many errors.
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(let_in, host, port, backlog=1)
        stack.callback(listening.close)
        for each in listening.sockets:
            with socket.socket(fileno=os.dup(each.fileno())) as same:
                same.listen(_WAITING)

    def _make_room(self, server: web.Server) -> None:
        inside = [each for each in server.connections if each.transport is not None]
        for_nothing = [each for each in inside if each not in self._asking]
        if len(inside) >= self._crowd:
            (for_nothing or inside)[0].force_close()

    def _while_asking(self) -> Middleware:
        @web.middleware
        async def while_asking(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._asking.add(request.protocol)
            try:
                return await handler(request)
            finally:
                self._asking.discard(request.protocol)

        return while_asking
