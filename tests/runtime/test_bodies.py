import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from bot.runtime.bodies import BODIES, Bodies, Unread, read_body
from bot.runtime.http_server import HttpServer
from tests.conftest import Sleep, free_port

LIMIT = 1 << 16  # bytes, of one body
TOGETHER = 1 << 20
MUCH = 16 << 20
STRANGERS = 40


@dataclass
class Reading:
    """A server that reads bodies, and the connections of those who send them."""

    sleep: Sleep = field(default_factory=Sleep)
    bodies: Bodies = field(init=False)
    limit: int = LIMIT
    port: int = field(default_factory=free_port)
    begun: int = 0
    most: int = 0
    """The most that bodies ever held together."""
    unread: list[Unread] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bodies = Bodies(TOGETHER, self.sleep)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer with the length of the body."""
        self.begun += 1
        body = await read_body(request, self.limit)
        self.look()
        if isinstance(body, Unread):
            self.unread.append(body)
            return web.Response(status=body.status)
        return web.Response(text=str(len(body)))

    def look(self) -> None:
        """See what is held just now."""
        self.most = max(self.most, self.bodies.held)

    async def sends(self, length: int, body: bytes) -> asyncio.StreamReader:
        """Announce a body of this length, and send this much of it."""
        before = self.begun
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        head = f"POST / HTTP/1.1\r\nHost: bot\r\nContent-Length: {length}\r\n\r\n"
        writer.write(head.encode() + body)
        await self.until(lambda: self.begun > before)
        return reader

    async def until(self, done: Callable[[], bool]) -> None:
        """Look on until something is so."""
        async with asyncio.timeout(30):
            while not done():
                self.look()
                await asyncio.sleep(0)


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    async with AsyncExitStack() as stack:
        reading, app = Reading(), web.Application()
        app[BODIES] = reading.bodies
        app.router.add_post("/", reading.answer)
        await HttpServer(99).serve(stack, app, "127.0.0.1", reading.port, 1.0)
        yield reading
        for writer in reading.writers:
            writer.close()


async def test_bodies_that_stall_never_hold_more_together_than_they_may(reading: Reading) -> None:
    for _ in range(STRANGERS):
        await reading.sends(LIMIT, bytes(LIMIT - 1))
    await reading.until(lambda: len(reading.unread) >= STRANGERS - TOGETHER // LIMIT)
    assert {*reading.unread} == {Unread.CROWDED}
    assert TOGETHER // 2 < reading.most <= TOGETHER


async def test_whoever_has_stalled_for_longest_makes_room_for_whoever_sends_at_once(
    reading: Reading,
) -> None:
    first = await reading.sends(LIMIT, bytes(LIMIT - 1))
    for _ in range(STRANGERS):
        await reading.sends(LIMIT, bytes(LIMIT - 1))
        genuine = await reading.sends(3, b"yes")
        assert await genuine.readline() == b"HTTP/1.1 200 OK\r\n"
    with suppress(ConnectionError):
        assert await first.read() == b""
    assert {*reading.unread} == {Unread.CROWDED}


@pytest.mark.parametrize("body", [b"yes", b"ye"], ids=["read", "broken off"])
async def test_what_is_over_holds_nothing(reading: Reading, body: bytes) -> None:
    await reading.sends(3, body)
    (writer,) = reading.writers
    writer.close()
    await reading.until(lambda: len(reading.unread) == 3 - len(body))
    assert reading.bodies.held == 0


async def test_a_body_that_is_longer_than_it_may_be_is_not_waited_for(reading: Reading) -> None:
    refused = await reading.sends(LIMIT + 1, b"")
    assert (await refused.readline()).startswith(b"HTTP/1.1 413 ")  # the words are Python's
    (writer,), sent = reading.writers, 0
    with suppress(ConnectionError):
        while sent < MUCH:
            writer.write(bytes(LIMIT))
            await writer.drain()
            sent += LIMIT
    assert sent < MUCH  # what the system took; nobody reads it


async def test_few_long_bodies_are_read_at_once_and_the_oldest_makes_room(
    reading: Reading,
) -> None:
    reading.limit = LIMIT + 2
    for _ in range(12):
        await reading.sends(LIMIT + 2, bytes(LIMIT + 1))
    await reading.until(lambda: len(reading.unread) == 12 - 8)
    assert {*reading.unread} == {Unread.CROWDED}


async def test_long_bodies_are_read_at_a_pace_that_leaves_time_for_others(reading: Reading) -> None:
    reading.limit = TOGETHER
    short = await reading.sends(LIMIT, bytes(LIMIT))
    assert await short.readline() == b"HTTP/1.1 200 OK\r\n"
    assert reading.sleep.naps == []
    for _ in range(3):
        long = await reading.sends(TOGETHER // 2, bytes(TOGETHER // 2))
        assert await long.readline() == b"HTTP/1.1 200 OK\r\n"
    assert sum(reading.sleep.naps) >= 3 * (TOGETHER // 2 - LIMIT) / (4 << 20)
