import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from weakref import WeakSet

import pytest
from aiohttp import web

from bot.playground.loopback import free_port
from bot.runtime.bodies import BODIES, Bodies, Unread
from bot.runtime.http_server import HttpServer
from tests.conftest import Sleep

LIMIT = 1 << 16  # bytes, of one body
TOTAL = 1 << 20
FAR_TOO_LONG = 16 << 20
CLIENTS = 40


@dataclass
class BodyServer:
    """A server that reads bodies, and its clients' connections."""

    sleep: Sleep = field(default_factory=Sleep)
    bodies: Bodies = field(init=False)
    limit: int = LIMIT
    port: int = field(default_factory=free_port)
    begun: int = 0
    most: int = 0
    """The most bytes that all bodies together have held."""
    unread: list[Unread] = field(default_factory=list)
    connections: "WeakSet[web.RequestHandler]" = field(default_factory=WeakSet)
    """Those that still take up memory."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bodies = Bodies(TOTAL, self.sleep)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the length of the body."""
        self.begun += 1
        self.connections.add(request.protocol)
        body = await request.app[BODIES].read(request, self.limit)
        self.measure()
        if isinstance(body, Unread):
            self.unread.append(body)
            return web.Response(status=body.status)
        return web.Response(text=str(len(body)))

    def measure(self) -> None:
        """Record how much the bodies hold now."""
        self.most = max(self.most, self.bodies.held)

    async def send(self, length: int, body: bytes) -> asyncio.StreamReader:
        """Announce a body of this length, and send this much of it."""
        before = self.begun
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        head = f"POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: {length}\r\n\r\n"
        writer.write(head.encode() + body)
        await self.until(lambda: self.begun > before)
        return reader

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until a condition holds, and keep measuring."""
        async with asyncio.timeout(30):
            while not done():
                self.measure()
                await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[BodyServer]:
    async with AsyncExitStack() as stack:
        server, app = BodyServer(), web.Application()
        app[BODIES] = server.bodies
        app.router.add_post("/", server.answer)
        await HttpServer(99).serve(stack, app, "127.0.0.1", server.port, 1.0)
        yield server
        for writer in server.writers:
            writer.close()


async def test_stalled_bodies_together_never_hold_more_than_the_limit(server: BodyServer) -> None:
    for length in [1] * CLIENTS + [LIMIT - 1] * CLIENTS:
        await server.send(LIMIT, bytes(length))
    await server.until(lambda: len(server.unread) >= 2 * CLIENTS - TOTAL // LIMIT)
    assert {*server.unread} == {Unread.CROWDED}
    assert TOTAL // 2 < server.most <= TOTAL


async def test_the_body_that_has_stalled_longest_makes_room_for_one_that_is_sent_promptly(
    server: BodyServer,
) -> None:
    first = await server.send(LIMIT, bytes(LIMIT - 1))
    for _ in range(CLIENTS):
        await server.send(LIMIT, bytes(LIMIT - 1))
        genuine = await server.send(3, b"yes")
        assert await genuine.readline() == b"HTTP/1.1 200 OK\r\n"
    with suppress(ConnectionError):
        assert await first.read() == b""
    assert {*server.unread} == {Unread.CROWDED}


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("body", [b"yes", b"ye"], ids=["read", "broken off"])
async def test_a_body_that_was_read_or_broken_off_holds_nothing(
    server: BodyServer, body: bytes
) -> None:
    await server.send(3, body)
    (writer,) = server.writers
    writer.close()
    await server.until(lambda: len(server.unread) == 3 - len(body))
    assert server.bodies.held == 0
    await server.until(lambda: len(server.connections) == 0)


async def test_a_body_that_is_too_long_is_refused_without_reading_it(server: BodyServer) -> None:
    refused = await server.send(LIMIT + 1, b"")
    assert (await refused.readline()).startswith(b"HTTP/1.1 413 ")  # the words are Python's
    (writer,), sent = server.writers, 0
    with suppress(ConnectionError):
        while sent < FAR_TOO_LONG:
            writer.write(bytes(LIMIT))
            await writer.drain()
            sent += LIMIT
    assert sent < FAR_TOO_LONG  # the kernel's buffers take some; nobody reads it


async def test_only_a_few_long_bodies_are_read_concurrently_and_the_oldest_makes_room(
    server: BodyServer,
) -> None:
    server.limit = LIMIT + 2
    short = await server.send(3, b"ye")
    for _ in range(12):
        await server.send(LIMIT + 2, bytes(LIMIT + 1))
    await server.until(lambda: len(server.unread) == 12 - 8)
    server.writers[0].write(b"s")
    assert await short.readline() == b"HTTP/1.1 200 OK\r\n"
    assert server.unread == [Unread.CROWDED] * (12 - 8)


async def test_long_bodies_are_read_slowly_enough_to_leave_time_for_others(
    server: BodyServer,
) -> None:
    server.limit = TOTAL
    short = await server.send(LIMIT, bytes(LIMIT))
    assert await short.readline() == b"HTTP/1.1 200 OK\r\n"
    assert server.sleep.naps == []
    for _ in range(3):
        long = await server.send(TOTAL // 2, bytes(TOTAL // 2))
        assert await long.readline() == b"HTTP/1.1 200 OK\r\n"
    assert sum(server.sleep.naps) >= 3 * (TOTAL // 2 - LIMIT) / (4 << 20)


async def test_bodies_that_come_in_pieces_take_turns_at_the_event_loop(server: BodyServer) -> None:
    crowd = 12
    for _ in range(crowd):
        await server.send(LIMIT, b"x")
    for writer in server.writers:
        writer.write(bytes(LIMIT - 2))
    iterations_with_a_piece = 0
    async with asyncio.timeout(30):
        while (held := server.bodies.held) < crowd * (LIMIT - 1):
            await asyncio.sleep(0)
            iterations_with_a_piece += server.bodies.held > held
    assert iterations_with_a_piece >= crowd


@pytest.mark.parametrize("order", [(0, -1), (-1, 0)], ids=["for its turn", "to be appended"])
async def test_a_body_that_has_to_make_room_while_it_waits_is_dropped(
    server: BodyServer, order: tuple[int, int]
) -> None:
    await server.send(LIMIT, b"x")
    lengths = [*[LIMIT - 1] * (TOTAL // LIMIT - 1), LIMIT - 100, 1]
    for length in lengths:
        await server.send(LIMIT, bytes(length))
    await server.until(lambda: server.bodies.held == 1 + sum(lengths))
    for _ in lengths:  # each has had its turn
        await asyncio.sleep(0)
    # Both arrive in one iteration of the loop: the newest body needs the room of the oldest, whose piece has come, too.
    for which in order:
        server.writers[which].write(bytes(TOTAL - sum(lengths) if which else 50))
    await server.until(lambda: len(server.unread) > 0)
    assert server.unread == [Unread.CROWDED]
    assert server.bodies.held == TOTAL


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_dropped_connection_takes_up_no_memory_until_the_next_garbage_collection(
    server: BodyServer,
) -> None:
    for _ in range(CLIENTS):
        await server.send(LIMIT, bytes(LIMIT - 1))
    await server.until(lambda: len(server.unread) >= CLIENTS - TOTAL // LIMIT)
    await server.until(lambda: len(server.connections) <= TOTAL // LIMIT + 1)
