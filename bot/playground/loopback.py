"""The base of both stand-ins: an HTTP server on 127.0.0.1, and state whose changes can be awaited."""

import asyncio
import contextlib
import json
import secrets
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

from aiohttp import web

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, "Json"]
Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Loopback:
    """A server on a free port, which can be stopped at once, whatever its handlers are doing.

    It uses aiohttp's low-level server without a router: one handler gets every request, which saves 0.1 ms each.
    """

    def __init__(self) -> None:
        self.port = 0
        self._runner: web.ServerRunner | None = None
        self._stopping = asyncio.Event()

    @property
    def origin(self) -> str:
        """The server's URL, `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, handler: Handler, port: int = 0) -> None:
        """Listen on a free port, or the given one; raises OSError if that is not possible."""
        self._stopping.clear()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await handler(request)
            except ConnectionError:
                if request.transport is not None:
                    raise
                return web.Response()  # the client has disconnected

        server = web.Server(answer, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Release all handlers that wait in `hold`, and close all connections."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def hold(self, seconds: float | None, told: asyncio.Event | None = None) -> bool:
        """Wait `seconds` (None: forever), or until `told` is set; return False if the server was stopped meanwhile."""
        events = [self._stopping] if told is None else [self._stopping, told]
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return not self._stopping.is_set()


def free_port() -> int:
    """Return an unused port below those from which the kernel gives one to each connection, perhaps before a bot listens."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without a response; the return value is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def objects(value: Json) -> list[JsonObject]:
    """Return the objects in a list; an empty list for any other value."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def json_object(raw: str | bytes) -> JsonObject | None:
    """Parse a JSON object; None if it is not one."""
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class StandIn(ABC):
    """A stand-in for a service, on 127.0.0.1 inside `async with`; changes of its state can be awaited without polling."""

    def __init__(self) -> None:
        self._loopback = Loopback()
        self.watchers: set[Callable[[], None]] = set()
        """Called after each change; they return at once."""
        self._change = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._loopback.stop()

    @abstractmethod
    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""

    def changed(self) -> None:
        """Wake the tasks in `until`, and call the watchers."""
        self._change.set()
        self._change.clear()
        for told in [*self.watchers]:
            told()

    @abstractmethod
    def transcript(self) -> str:
        """Return everything so far as readable text."""

    async def until(
        self,
        predicate: Callable[[Self], bool],
        timeout: float = 90.0,  # noqa: ASYNC109 - every caller waits with a limit, most with this
    ) -> None:
        """Wait until the predicate holds; it is evaluated after each change.

        Raises TimeoutError, with the transcript in its text, after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not predicate(self):
                    await self._change.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {timeout} s; so far:\n{self.transcript()}") from None
