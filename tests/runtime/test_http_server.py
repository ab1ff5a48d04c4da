import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest
from aiohttp import web

from bot.runtime.http_server import HttpServer, connection_limit
from tests.conftest import free_port

ASK = b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n"
NOT_YET = b"GET / HTTP/1.1\r\n"


@dataclass
class Guest:
    """One connection, and what it hears."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> bytes:
        """Return the first line that comes; nothing if the connection was closed."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.readline()
            except ConnectionError:
                return b""


@dataclass
class House:
    """What is behind the door: answers once it may."""

    port: int = field(default_factory=free_port)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    guests: list[Guest] = field(default_factory=list)

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer, at last."""
        self.asked += 1
        await self.may_answer.wait()
        return web.Response()

    async def guest(self, says: bytes) -> Guest:
        """Return somebody who stands in the door and has said this."""
        before = self.asked
        guest = Guest(*await asyncio.open_connection("127.0.0.1", self.port))
        self.guests.append(guest)
        guest.writer.write(says)
        async with asyncio.timeout(30):
            while says == ASK and self.asked == before:  # noqa: ASYNC110  # it comes by itself
                await asyncio.sleep(0)
        return guest


@asynccontextmanager
async def opened(most: int, keepalive: float = 60.0) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        house, app = House(), web.Application()
        app.router.add_get("/", house.answer)
        await HttpServer(most, keepalive).serve(stack, app, "127.0.0.1", house.port, 1.0)
        yield house
        house.may_answer.set()
        for guest in house.guests:
            guest.writer.close()


async def test_one_too_many_shows_out_the_oldest_that_asks_for_nothing() -> None:
    async with opened(3) as house:
        asks, first, second = [await house.guest(says) for says in (ASK, NOT_YET, b"")]
        third = await house.guest(ASK)
        assert await first.answer() == b""
        fourth = await house.guest(ASK)
        assert await second.answer() == b""
        house.may_answer.set()
        for guest in (asks, third, fourth):
            assert await guest.answer() == b"HTTP/1.1 200 OK\r\n"


async def test_where_all_ask_the_oldest_has_to_go() -> None:
    async with opened(2) as house:
        guests = [await house.guest(ASK) for _ in range(3)]
        assert await guests[0].answer() == b""
        house.may_answer.set()
        assert [await each.answer() for each in guests[1:]] == [b"HTTP/1.1 200 OK\r\n"] * 2


async def test_a_guest_who_was_answered_stands_there_for_nothing_again() -> None:
    async with opened(2) as house:
        house.may_answer.set()
        first = await house.guest(ASK)
        assert await first.answer() == b"HTTP/1.1 200 OK\r\n"
        second, third = await house.guest(ASK), await house.guest(ASK)
        assert await second.answer() == await third.answer() == b"HTTP/1.1 200 OK\r\n"
        async with asyncio.timeout(30):
            assert b"HTTP" not in await first.reader.read()


async def test_whoever_does_not_come_to_the_end_of_the_head_is_shown_out_after_a_while() -> None:
    async with opened(2, keepalive=0.1) as house:
        guest = await house.guest(NOT_YET)
        assert await guest.answer() == b""


@pytest.mark.parametrize("before", [b"", ASK], ids=["at once", "after a whole request"])
async def test_whoever_sends_a_head_without_end_is_shown_out(before: bytes) -> None:
    async with opened(2) as house:
        house.may_answer.set()
        lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 8000) for number in range(9))
        guest = await house.guest(before + NOT_YET + lines)
        if before:
            assert await guest.answer() == b"HTTP/1.1 200 OK\r\n"
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                assert b"HTTP" not in await guest.reader.read()


async def test_a_long_body_is_no_long_head() -> None:
    async with opened(1) as house:
        house.may_answer.set()
        length = b"Content-Length: 100000\r\n\r\n"
        guest = await house.guest(ASK.removesuffix(b"\r\n") + length + bytes(100_000) + ASK)
        async with asyncio.timeout(30):
            for _ in range(2):
                await guest.reader.readuntil(b"HTTP/1.1 200 OK\r\n")


async def test_many_who_come_at_once_wait_to_be_let_in() -> None:
    async with opened(100) as house:
        address = "127.0.0.1", house.port
        # In one breath, so that nobody is let in meanwhile.
        for each in [socket.create_connection(address, timeout=0.5) for _ in range(100)]:
            each.close()


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let this process open 400 files."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (400, hard))
    yield
    setrlimit(RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
def test_the_door_leaves_most_files_to_the_rest_of_the_bot() -> None:
    assert connection_limit() == 100


def test_the_door_is_no_wider_for_more_files() -> None:
    assert connection_limit() == 256
