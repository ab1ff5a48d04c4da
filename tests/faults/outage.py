"""An outage of Slack's Web API and response_urls; payloads over the sockets still arrive."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum

from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import seed

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds for an ack; these tests are not about acks
_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: closing sends a RST


class How(Enum):
    """What the bot's calls meet during the outage."""

    REFUSED = "refused"
    RESET = "reset"
    UNAVAILABLE = "503"
    HANGING = "hanging"


@dataclass
class Way:
    """A port that forwards to Slack, or does not."""

    away: How | None = None
    port: int = 0
    _to: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def begin(self, to: int) -> None:
        """Forward to a local port."""
        self._to = to
        await self._listen()

    async def lose(self, how: How) -> None:
        """Stop forwarding; open connections are cut or fall silent."""
        self.away = how
        if how is How.REFUSED:
            self._shut()
        if how is not How.HANGING:
            for writer in self._open:
                writer.transport.abort()

    async def find(self) -> None:
        """Forward to Slack again."""
        how, self.away = self.away, None
        for writer in self._open:
            writer.transport.abort()
        if how is How.REFUSED:
            await self._listen()

    def close(self) -> None:
        """Close the port."""
        self._shut()
        for writer in self._open:
            writer.transport.abort()

    def _shut(self) -> None:
        if self._server:
            self._server.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._lead(reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away is How.RESET:
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE
            )
            return
        if self.away is How.UNAVAILABLE:
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
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.away is None:
                    writer.write(data)
                    await writer.drain()
            writer.close()


class Behind(LocalSlack):
    """A Slack whose Web API and response_urls are behind such a port."""

    def __init__(self, way: Way) -> None:
        super().__init__(seed(), ack_timeout=PATIENCE)
        self._way = way

    @property
    def api_url(self) -> str:
        """The base URL of the Web API, behind the port."""
        return f"http://{HOST}:{self._way.port}/api/"

    def response_url(
        self, user_id: str, channel_id: str, original: PostedMessage | None = None
    ) -> str:
        """Return a new response_url, behind the port."""
        path = super().response_url(user_id, channel_id, original).removeprefix(self.origin)
        return f"http://{HOST}:{self._way.port}{path}"

    @property
    def origin(self) -> str:
        """The origin of Slack itself, without the port."""
        return super().api_url.removesuffix("/api/")


@asynccontextmanager
async def slack_behind_a_way() -> AsyncIterator[tuple[Behind, Way]]:
    """Yield a Slack and the port in front of it."""
    way = Way()
    async with Behind(way) as slack:
        await way.begin(int(slack.origin.rsplit(":", 1)[1]))
        try:
            yield slack, way
        finally:
            way.close()
