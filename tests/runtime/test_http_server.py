import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest
from aiohttp import web

from bot.playground.loopback import free_port
from bot.runtime.http_server import HttpServer, connection_limit
from tests.conftest import soon

REQUEST = b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n"
UNFINISHED = b"GET / HTTP/1.1\r\n"


@dataclass
class Client:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def status_line(self) -> bytes:
        """Return the first line of the response, or nothing if the connection was closed."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.readline()
            except ConnectionError:
                return b""


@dataclass
class Server:
    """A server that counts its requests, and responds to them once it may."""

    port: int = field(default_factory=free_port)
    may_respond: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0
    clients: list[Client] = field(default_factory=list)

    async def respond(self, _request: web.Request) -> web.Response:
        """Count the request, and wait until it may be answered."""
        self.requests += 1
        await self.may_respond.wait()
        return web.Response()

    async def connect(self, data: bytes) -> Client:
        """Connect, send this, and return the client once a complete request has arrived."""
        before = self.requests
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        client.writer.write(data)
        async with asyncio.timeout(30):
            while data == REQUEST and self.requests == before:  # noqa: ASYNC110  # the server sends no event
                await asyncio.sleep(0)
        return client


@asynccontextmanager
async def serve(most: int, keepalive: float = 60.0) -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        server, app = Server(), web.Application()
        app.router.add_get("/", server.respond)
        await HttpServer(most, keepalive).serve(stack, app, "127.0.0.1", server.port, 1.0)
        yield server
        server.may_respond.set()
        for client in server.clients:
            client.writer.close()


async def test_one_connection_too_many_closes_the_oldest_without_a_complete_request() -> None:
    async with serve(3) as server:
        requesting, first, second = [
            await server.connect(data) for data in (REQUEST, UNFINISHED, b"")
        ]
        third = await server.connect(REQUEST)
        assert await first.status_line() == b""
        fourth = await server.connect(REQUEST)
        assert await second.status_line() == b""
        server.may_respond.set()
        for client in (requesting, third, fourth):
            assert await client.status_line() == b"HTTP/1.1 200 OK\r\n"


async def test_if_all_connections_have_requests_the_oldest_is_closed() -> None:
    async with serve(2) as server:
        clients = [await server.connect(REQUEST) for _ in range(3)]
        assert await clients[0].status_line() == b""
        server.may_respond.set()
        assert [await each.status_line() for each in clients[1:]] == [b"HTTP/1.1 200 OK\r\n"] * 2


async def test_of_many_connections_accepted_at_once_only_the_newest_stay_open() -> None:
    async with serve(2) as server:
        # Without a turn of the loop, so that all are accepted in the same iteration.
        raw = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
        clients = [Client(*await asyncio.open_connection(sock=each)) for each in raw]
        server.clients += clients
        for client in clients[:-2]:
            assert await client.status_line() == b""
        server.may_respond.set()
        for client in clients[-2:]:
            client.writer.write(REQUEST)
            assert await client.status_line() == b"HTTP/1.1 200 OK\r\n"


async def test_a_connection_whose_request_was_answered_counts_as_idle_again() -> None:
    async with serve(2) as server:
        server.may_respond.set()
        first = await server.connect(REQUEST)
        assert await first.status_line() == b"HTTP/1.1 200 OK\r\n"
        second, third = await server.connect(REQUEST), await server.connect(REQUEST)
        assert await second.status_line() == await third.status_line() == b"HTTP/1.1 200 OK\r\n"
        async with asyncio.timeout(30):
            assert b"HTTP" not in await first.reader.read()


async def test_a_head_that_is_not_finished_in_time_closes_the_connection() -> None:
    async with serve(2, keepalive=0.1) as server:
        client = await server.connect(UNFINISHED)
        assert await client.status_line() == b""


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["at once", "after a whole request"])
async def test_a_head_that_is_too_long_closes_the_connection(before: bytes) -> None:
    async with serve(2) as server:
        server.may_respond.set()
        lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 8000) for number in range(9))
        client = await server.connect(before + UNFINISHED + lines)
        if before:
            assert await client.status_line() == b"HTTP/1.1 200 OK\r\n"
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                assert b"HTTP" not in await client.reader.read()


async def test_the_heads_of_many_requests_on_one_connection_do_not_count_together() -> None:
    async with serve(1) as server:
        server.may_respond.set()
        long = REQUEST.removesuffix(b"\r\n") + b"X-Long: %b\r\n\r\n" % (b"x" * 8000)
        client = await server.connect(b"")
        for _ in range(9):
            client.writer.write(long)
            async with asyncio.timeout(30):
                assert b"200 OK" in await client.reader.readuntil(b"\r\n\r\n")


async def test_a_long_body_does_not_count_as_a_long_head() -> None:
    async with serve(1) as server:
        server.may_respond.set()
        length = b"Content-Length: 100000\r\n\r\n"
        client = await server.connect(
            REQUEST.removesuffix(b"\r\n") + length + bytes(100_000) + REQUEST
        )
        async with asyncio.timeout(30):
            for _ in range(2):
                await client.reader.readuntil(b"HTTP/1.1 200 OK\r\n")


async def test_many_connections_at_once_wait_to_be_accepted() -> None:
    async with serve(100) as server:
        address = "127.0.0.1", server.port
        # Without a turn of the loop, so that none is accepted meanwhile.
        for each in [socket.create_connection(address, timeout=20) for _ in range(100)]:
            each.close()


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let this process open 400 files."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (400, hard))
    yield
    setrlimit(RLIMIT_NOFILE, (soft, hard))


@contextmanager
def no_more_files() -> Iterator[None]:
    """Limit this process to its currently open files."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    with Path("/dev/null").open(encoding="ascii") as newest:
        least = newest.fileno()
    setrlimit(RLIMIT_NOFILE, (least, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))


async def test_without_file_descriptors_a_connection_waits_until_there_are_some(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve(2) as server:
        server.may_respond.set()
        waiting = [socket.socket() for _ in range(2)]
        with no_more_files():
            for each in waiting:
                each.connect(("127.0.0.1", server.port))
                each.sendall(REQUEST)
            await soon(lambda: caplog.messages)
        for each in waiting:
            client = Client(*await asyncio.open_connection(sock=each))
            server.clients.append(client)
            assert await client.status_line() == b"HTTP/1.1 200 OK\r\n"
        assert caplog.messages == ["no connection can be accepted"]


async def test_a_stop_while_no_connection_can_be_accepted_ends_the_tries(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.http_server._PAUSE", 0.0)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(2))
        with socket.socket() as waiting, no_more_files():
            waiting.connect(("127.0.0.1", server.port))
            await soon(lambda: caplog.messages)
            await stack.aclose()
    for _ in range(3):
        await asyncio.sleep(0)
    assert {*caplog.messages} == {"no connection can be accepted"}


@pytest.mark.usefixtures("few_files")
def test_the_connection_limit_leaves_most_file_descriptors_to_the_rest_of_the_bot() -> None:
    assert connection_limit() == 100


def test_the_connection_limit_has_a_maximum() -> None:
    assert connection_limit() == 256


@pytest.mark.parametrize("iterations", range(5))
async def test_a_connection_that_is_accepted_at_the_stop_is_closed(iterations: int) -> None:
    async with serve(2) as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        for _ in range(iterations):
            await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(sock=raw)
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            assert await reader.read() == b""
    writer.close()
