"""What both stand-ins are built on: an HTTP server on 127.0.0.1, and a state whose changes one can wait for."""

import asyncio
import contextlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self, TypeAlias

from aiohttp import web

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = dict[str, "Json"]
Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Loopback:
    """A server on a free port which stops at once, whatever its handlers are doing.

    aiohttp's bare server is used, without a router: one handler sees every request, which saves
    a tenth of a millisecond for each.
    """

    def __init__(self) -> None:
        self.port = 0
        self._runner: web.ServerRunner | None = None
        self._stopping = asyncio.Event()

    @property
    def origin(self) -> str:
        """Return `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self, handler: Handler) -> None:
        """Listen on a port that the system picks."""
        self._stopping.clear()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            try:
                return await handler(request)
            except ConnectionError:
                if request.transport is not None:
                    raise
                return web.Response()  # whoever asked has gone, and nobody hears it

        server = web.Server(answer, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Wake every handler that holds, and close every connection."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def hold(self, seconds: float | None, told: asyncio.Event | None = None) -> bool:
        """Wait for so many seconds, or for good, and at most until `told`; False if the server stopped meanwhile."""
        events = [self._stopping] if told is None else [self._stopping, told]
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return not self._stopping.is_set()


@contextlib.asynccontextmanager
async def direct() -> AsyncIterator[None]:
    """Let nothing see the proxies of the environment meanwhile: all that is called is on this machine."""
    hidden = {name: os.environ.pop(name) for name in [*os.environ] if _is_proxy(name)}
    os.environ["no_proxy"] = "*"  # a system may have proxies of its own beside the environment's
    try:
        yield
    finally:
        del os.environ["no_proxy"]
        os.environ.update(hidden)


def _is_proxy(name: str) -> bool:
    return name.upper().endswith("_PROXY")


def cut(request: web.BaseRequest) -> web.Response:
    """Close the connection without an answer; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def objects(value: Json) -> list[JsonObject]:
    """Return the objects in a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def json_object(raw: str | bytes) -> JsonObject | None:
    """Return the JSON object that somebody sent, None if it is none."""
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class Watched(ABC):
    """A server whose state can be waited for, without polling."""

    def __init__(self) -> None:
        self.watchers: set[Callable[[], None]] = set()
        """Whom to tell of each change, at once."""
        self._change = asyncio.Event()

    def changed(self) -> None:
        """Wake those who wait in `until`, and tell the watchers."""
        self._change.set()
        self._change.clear()
        for told in [*self.watchers]:
            told()

    @abstractmethod
    def transcript(self) -> str:
        """Return everything so far as text for a person to read."""

    async def until(
        self,
        predicate: Callable[[Self], bool],
        timeout: float = 30.0,  # noqa: ASYNC109 - every caller waits with a limit, most with this
    ) -> None:
        """Return as soon as the predicate holds; it is asked again after each change.

        Raises TimeoutError, with the transcript in its text, after `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while not predicate(self):
                    await self._change.wait()
        except TimeoutError:
            raise TimeoutError(f"not within {timeout} s; so far:\n{self.transcript()}") from None
