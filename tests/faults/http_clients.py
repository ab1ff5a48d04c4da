"""Clients that speak HTTP to the bot incorrectly, slowly, or incompletely."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

LONG = 10 << 20  # bytes
PIECES = [b"x" * (LONG // 64)] * 64
CHUNKS = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in PIECES]
_TIMEOUT = 20.0  # seconds


def request(
    line: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """Return a request with `Connection: close`; `headers` has to include its length."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [line, "Host: bot", "Connection: close", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def with_length(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the headers with a Content-Length."""
    return {**headers, "Content-Length": str(len(body))}


async def exchange(port: int, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
    """Send pieces, `pause` seconds apart; return the status and text of each response, one per line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send_all() -> None:
        with suppress(ConnectionError):  # a response may come before all is sent
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            if hangs_up:
                writer.close()

    sending = asyncio.create_task(send_all())
    try:
        async with asyncio.timeout(_TIMEOUT):
            received = await _all(reader)
    finally:
        sending.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return "\n".join(_answers(received)) or "no answer"


@asynccontextmanager
async def open_connections(port: int, number: int, data: bytes) -> AsyncIterator[None]:
    """Keep this many connections open that have sent `data`, or as much of it as the bot accepted."""
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(_TIMEOUT):
            for _ in range(number):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(data)
                with suppress(ConnectionError):
                    await writer.drain()
        yield


async def _all(reader: asyncio.StreamReader) -> bytes:
    received = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            received += piece
    return bytes(received)


def _answers(received: bytes) -> Iterator[str]:
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        interim = head.startswith(b"HTTP/1.1 1")
        body = b"" if interim else rest[: int(length[1]) if length else None]
        yield f"{head[9:12].decode()} {body.decode()}".rstrip()
        received = rest[len(body) :]
