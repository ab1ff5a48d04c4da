"""A local WeChat, the bot's HTTP client, and servers that answer wrongly."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import httpx
import pytest

from bot.domain.link import Link
from bot.guidance import Guidance
from bot.playground.faults import Fault, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from bot.wechat.transport import client_over
from tests.conftest import Clock
from tests.databases import Database
from tests.wechat.replicas import Replica, Replicas

OWNER = "wx0123456789abcdef"
OTHER = "wxfedcba9876543210"
APPID = "wx5fe6bb43205e9e70"
ENV = "prod-1"

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Pauses(list[float]):
    """A sleep that only moves the clock, and records the requested seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    async def __call__(self, seconds: float) -> None:
        """Move the clock."""
        self.append(seconds)
        self._clock.now += seconds


class Wire:
    """A server that records each request as it arrived, and then runs its script.

    `requests` are heads with bodies; `arrived` is released for each, and `closed` for each connection that has ended.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self.opened = 0
        self.arrived = asyncio.Semaphore(0)
        self.closed = asyncio.Semaphore(0)
        self.port = 0
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Return `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.opened += 1
        # Errors of the connection are expected; the test checks how the bot handles them.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body)
                self.arrived.release()
                await self._script(writer)
        writer.transport.abort()
        self._tasks.discard(task)
        self.closed.release()

    async def stop(self) -> None:
        """Close all connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def wire(script: Script) -> AsyncIterator[Wire]:
    """Serve `script` on a free port."""
    served = Wire(script)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await served.stop()
        await server.wait_closed()


def answers(answer: bytes) -> AbstractAsyncContextManager[Wire]:
    """Serve exactly these bytes, and keep the connection open."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return wire(script)


def closes(answer: bytes = b"") -> AbstractAsyncContextManager[Wire]:
    """Serve these bytes, the beginning of an answer, and close the connection."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()
        raise asyncio.CancelledError

    return wire(script)


def mute() -> AbstractAsyncContextManager[Wire]:
    """Answer nothing, and keep the connection open until the client closes it."""
    return answers(b"")


def http_answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return a response with its Content-Length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def always() -> bool:
    """Let any call be made."""
    return True


def missing(got: object) -> tuple[Guidance, Link | None]:
    """Return why there is no token, and which link of the chain broke."""
    assert isinstance(got, NoAnswer)
    return got.guidance, got.link


def status_of(fault: Fault) -> int | None:
    """Return the HTTP status that an answer shows after this fault: any but 200, which WeChat's own errors have too."""
    return fault.code if isinstance(fault, Status) and fault.code != 200 else None


@pytest.fixture
def pauses(clock: Clock) -> Pauses:
    return Pauses(clock)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with aiohttp.ClientSession() as session:
        yield client_over(session)


@pytest.fixture
async def replicas(
    http: httpx.AsyncClient, wechat: LocalWeChat, clock: Clock, sqlite: Database
) -> AsyncIterator[Replicas]:
    """A factory of replicas on one SQLite file."""
    replicas = Replicas(http, wechat, sqlite, clock)
    yield replicas
    await replicas.stop()


@pytest.fixture
async def replicas_on_postgresql(
    http: httpx.AsyncClient, wechat: LocalWeChat, clock: Clock, on_postgresql: Database
) -> AsyncIterator[Replicas]:
    """A factory of replicas on one PostgreSQL."""
    replicas = Replicas(http, wechat, on_postgresql, clock)
    yield replicas
    await replicas.stop()


@pytest.fixture(params=["replicas", "replicas_on_postgresql"], ids=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest) -> Replicas:
    """A factory of replicas on one database, of each kind in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Replicas)
    return found


@pytest.fixture
async def replica(replicas: Replicas, wechat: LocalWeChat) -> Replica:
    """A replica that has a ticket."""
    replica = replicas.make()
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    return replica
