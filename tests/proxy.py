"""A forward proxy as companies have them: it takes CONNECT and whole addresses, also for WebSockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """A proxy on 127.0.0.1; `sent` is all that its clients sent."""

    def __init__(self) -> None:
        self.port = 0
        self.sent = ""

    @property
    def address(self) -> str:
        """Its address with a user and a password, as in HTTPS_PROXY."""
        return f"http://someone:proxy-word@127.0.0.1:{self.port}"

    def asked_for(self, server: str) -> bool:
        """Return whether a client has asked for this server, such as `http://127.0.0.1:3000`."""
        return f" {server}/" in self.sent or f"CONNECT {server.rpartition('/')[2]} " in self.sent

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward what one connection sends to where its first request goes, and back."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.sent += head.decode()
            method, target, _ = head.decode().split(" ", 2)
            there = urlsplit(f"//{target}" if method == "CONNECT" else target)
            inward, onward = await asyncio.open_connection(there.hostname, there.port)
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                onward.write(head)
            await asyncio.gather(self._pass_on(reader, onward), _pipe(inward, writer))
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 16):
            self.sent += piece.decode(errors="replace")
            writer.write(piece)
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
    writer.close()


@asynccontextmanager
async def running_proxy() -> AsyncIterator[Proxy]:
    """Run a proxy."""
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
