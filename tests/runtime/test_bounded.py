import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from weakref import ref

import pytest
from aiohttp import web

from bot.playground.loopback import free_port
from bot.runtime.bounded import BODIES, Unread
from bot.runtime.listener import listen
from tests.conftest import soon

LIMIT = 1 << 17  # bytes, of one body
LONG, SHORT = LIMIT, 999
MOST_LONG = 8
FAR_TOO_LONG = 16 << 20
CROWD = 60


@dataclass
class BodyServer:
    """A listener that reads bodies, and its clients' connections."""

    port: int = field(default_factory=free_port)
    may_read: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0
    unread: list[Unread] = field(default_factory=list)
    requests: list[ref[web.Request]] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the length of the body."""
        self.begun += 1
        self.requests.append(ref(request))
        await self.may_read.wait()
        body = await request.app[BODIES].read(request, LIMIT)
        if isinstance(body, Unread):
            self.unread.append(body)
            return web.Response(status=body.status)
        return web.Response(text=str(len(body)))

    @property
    def kept(self) -> int:
        """The number of requests that still take up memory."""
        return sum(each() is not None for each in self.requests)

    async def send(self, head: str, body: bytes) -> asyncio.StreamReader:
        """Send a head and a body over a connection of their own; return once the server has the head."""
        before = self.begun
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        writer.write(f"POST / HTTP/1.1\r\nHost: bot\r\n{head}\r\n\r\n".encode() + body)
        await soon(lambda: self.begun > before)
        return reader

    async def half_send(self, length: int) -> asyncio.StreamReader:
        """Announce a body of this length, and send half of it."""
        return await self.send(f"Content-Length: {length}", bytes(length // 2))


async def status(reader: asyncio.StreamReader) -> int:
    """Return the status of the response."""
    async with asyncio.timeout(30):
        return int((await reader.readline())[9:12])


@pytest.fixture
async def server() -> AsyncIterator[BodyServer]:
    async with AsyncExitStack() as stack:
        server = BodyServer()
        server.may_read.set()
        await listen(stack, "127.0.0.1", server.port, {"/": server.answer}, {})
        yield server
        for writer in server.writers:
            writer.close()


async def test_however_many_bodies_are_half_sent_a_short_one_is_read(server: BodyServer) -> None:
    early = await server.half_send(SHORT)
    (writer,) = server.writers
    for length in [LONG, SHORT] * CROWD:
        await server.half_send(length)
    late = await server.send(f"Content-Length: {SHORT}", bytes(SHORT))
    writer.write(bytes(SHORT - SHORT // 2))
    assert [await status(early), await status(late)] == [200, 200]


async def test_long_bodies_that_come_together_are_all_read(server: BodyServer) -> None:
    head, body = f"Content-Length: {LONG}", bytes(LONG)
    readers = await asyncio.gather(*(server.send(head, body) for _ in range(CROWD)))
    assert [await status(each) for each in readers] == [200] * CROWD


async def test_a_long_body_that_stalls_makes_room_for_those_that_wait(
    server: BodyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.bounded._PAUSE", 0.1)
    stalled = [await server.half_send(LONG) for _ in range(2 * MOST_LONG)]
    genuine = await server.send(f"Content-Length: {LONG}", bytes(LONG))
    assert await status(genuine) == 200
    assert [await status(each) for each in stalled] == [408] * len(stalled)


async def test_only_a_few_long_bodies_are_read_at_once_and_the_others_wait(
    server: BodyServer,
) -> None:
    for _ in range(MOST_LONG):
        await server.half_send(LONG)
    waits = await server.send("Transfer-Encoding: chunked", b"3\r\nyes\r\n0\r\n\r\n")
    without = await server.send("Connection: close", b"")
    assert await status(without) == 200
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await waits.readline()
    server.writers[0].write(bytes(LONG // 2))
    assert await status(waits) == 200


async def test_a_long_body_that_waits_in_vain_is_given_up(
    server: BodyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.bounded._SECONDS", 0.05)
    server.may_read.clear()
    for _ in range(CROWD):
        await server.half_send(LONG)
    server.may_read.set()  # so all have the same deadline
    await soon(lambda: len(server.unread) == CROWD)
    assert {*server.unread} == {Unread.SLOW, Unread.CROWDED}


async def test_a_body_that_comes_too_slowly_is_given_up(
    server: BodyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.bounded._SECONDS", 0.05)
    assert [await status(await server.half_send(length)) for length in (SHORT, LONG)] == [408, 408]
    assert server.unread == [Unread.SLOW] * 2


async def test_a_body_that_is_too_long_is_refused_without_reading_it(server: BodyServer) -> None:
    refused = await server.send(f"Content-Length: {FAR_TOO_LONG}", b"")
    assert await status(refused) == 413
    chunks = b"%x\r\n%b\r\n" % (LIMIT + 1, bytes(LIMIT + 1))
    assert await status(await server.send("Transfer-Encoding: chunked", chunks)) == 413
    assert server.unread == [Unread.LONG] * 2
    (writer, _), sent = server.writers, 0
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            while sent < FAR_TOO_LONG:
                writer.write(bytes(SHORT))
                await asyncio.sleep(0.001)
                await writer.drain()
                sent += SHORT
    assert sent < FAR_TOO_LONG


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("length", [SHORT, LONG])
async def test_clients_that_go_away_leave_nothing_in_memory_and_no_line_in_the_log(
    server: BodyServer,
    length: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.runtime.bounded._PAUSE", None)
    for _ in range(CROWD):
        await server.half_send(length)
    for writer in server.writers:
        writer.close()
    await soon(lambda: len(server.unread) == CROWD)
    assert {*server.unread} <= {Unread.BROKEN, Unread.CROWDED}
    await soon(lambda: server.kept == 0)
    assert caplog.messages == []


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_body_that_was_read_leaves_nothing_in_memory(server: BodyServer) -> None:
    assert await status(await server.send("Content-Length: 3", b"yes")) == 200
    server.writers[0].close()
    await soon(lambda: server.kept == 0)
    assert server.unread == []
