"""An outage of Slack's Web API and response_urls; payloads over the sockets still arrive."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds for an ack; these tests are not about acks
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: closing sends a RST


class OutageKind(Enum):
    """What the bot's calls meet during the outage."""

    REFUSED = "refused"
    RESET = "reset"
    UNAVAILABLE = "503"
    HANGING = "hanging"


@dataclass(frozen=True)
class Outage:
    """An outage: its kind, its length, whether a bot is killed meanwhile, and whether there are two."""

    kind: OutageKind
    seconds: float
    killed: bool = False
    replicas: bool = False

    def __str__(self) -> str:
        more = (", killed" if self.killed else "") + (", replicas" if self.replicas else "")
        return f"{self.kind.value} for {self.seconds:g} s{more}"


@dataclass
class SlackProxy:
    """A port that forwards to Slack, except during an outage."""

    outage: OutageKind | None = None
    port: int = 0
    _to: int = 0
    _server: asyncio.Server | None = None
    _held: socket.socket | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self, to: int) -> None:
        """Listen, and forward to this local port."""
        self._to = to
        await self._listen()

    async def cut(self, kind: OutageKind) -> None:
        """Stop forwarding; open connections are cut or fall silent."""
        self.outage = kind
        if kind is OutageKind.REFUSED:
            self._shut()
            # Bound, but not listening: else another test's Slack gets the port, and takes this bot's answers.
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind((HOST, self.port))
        if kind is not OutageKind.HANGING:
            for writer in self._open:
                writer.transport.abort()

    async def restore(self) -> None:
        """Forward to Slack again, but for connections that fell silent."""
        kind, self.outage = self.outage, None
        if kind is OutageKind.REFUSED:
            await self._listen()

    def close(self) -> None:
        """Close the port."""
        self._shut()
        for writer in self._open:
            writer.transport.abort()

    def _shut(self) -> None:
        if self._server:
            self._server.close()
        if self._held:
            self._held.close()

    async def _listen(self) -> None:
        if self._held:
            self._held.close()
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._forward(reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.outage is OutageKind.RESET:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE
            )
            return
        if self.outage is OutageKind.UNAVAILABLE:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_UNAVAILABLE)
            await writer.drain()
            return
        inward, onward = await asyncio.open_connection(HOST, self._to)
        self._open.add(onward)
        back = asyncio.create_task(self._copy(inward, writer))
        try:
            await self._copy(reader, onward)
        finally:
            back.cancel()
            self._open.discard(onward)
            onward.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent = False
        with suppress(OSError):
            while data := await reader.read(65_536):
                silent = silent or self.outage is not None
                if not silent:
                    writer.write(data)
                    await writer.drain()
            writer.close()


class ProxiedSlack(LocalSlack):
    """A Slack whose Web API and response_urls are behind such a port."""

    def __init__(self, proxy: SlackProxy) -> None:
        super().__init__(World(), ack_timeout=PATIENCE)
        self._front = proxy

    @property
    def api_url(self) -> str:
        """The base URL of the Web API, behind the port."""
        return f"http://{HOST}:{self._front.port}/api/"

    def response_url(self, user_id: str, channel_id: str, original: str = "") -> str:
        """Return a new response_url, behind the port."""
        path = super().response_url(user_id, channel_id, original).removeprefix(self.origin)
        return f"http://{HOST}:{self._front.port}{path}"

    @property
    def origin(self) -> str:
        """The origin of Slack itself, without the port."""
        return super().api_url.removesuffix("/api/")


@asynccontextmanager
async def proxied_slack() -> AsyncIterator[tuple[ProxiedSlack, SlackProxy]]:
    """Yield a Slack and the port in front of it."""
    proxy = SlackProxy()
    async with ProxiedSlack(proxy) as slack:
        await proxy.open(int(slack.origin.rsplit(":", 1)[1]))
        try:
            yield slack, proxy
        finally:
            proxy.close()
