"""Clients that speak HTTP to the bot incorrectly, slowly, or incompletely."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress

LONG = 10 << 20  # bytes
PIECES = [b"x" * (LONG // 64)] * 64
CHUNKS = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in PIECES]
_PATIENCE = 20.0  # seconds


def request(
    line: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """Return a request with `Connection: close`; `headers` has to include its length."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [line, "Host: bot", "Connection: close", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def measured(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the headers with a Content-Length."""
    return {**headers, "Content-Length": str(len(body))}


async def said(port: int, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
    """Send pieces, `pause` seconds apart; return the status and text of each response, one per line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say() -> None:
        with suppress(ConnectionError):  # a response may come before all is sent
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            if hangs_up:
                writer.close()

    saying = asyncio.create_task(say())
    try:
        async with asyncio.timeout(_PATIENCE):
            heard = await _all(reader)
    finally:
        saying.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return "\n".join(_answers(heard)) or "no answer"


@asynccontextmanager
async def crowd(port: int, number: int, says: bytes) -> AsyncIterator[None]:
    """Keep this many connections open that have sent `says`, or as much of it as the bot accepted."""
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(_PATIENCE):
            for _ in range(number):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
                writer.write(says)
                with suppress(ConnectionError):
                    await writer.drain()
        yield


async def _all(reader: asyncio.StreamReader) -> bytes:
    heard = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            heard += piece
    return bytes(heard)


def _answers(heard: bytes) -> Iterator[str]:
    while heard:
        head, _, rest = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        interim = head.startswith(b"HTTP/1.1 1")
        body = b"" if interim else rest[: int(length[1]) if length else None]
        yield f"{head[9:12].decode()} {body.decode()}".rstrip()
        heard = rest[len(body) :]
