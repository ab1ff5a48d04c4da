"""A relay in front of PostgreSQL's socket that counts the traffic and can add latency."""

import asyncio
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter

from tests.benchmarks.database import folder_of, through

_SOCKET = ".s.PGSQL.5432"
_MOST = 1 << 16


class Relay:
    """Counts round trips, their seconds, and committed transactions; `url` is the URL through the relay."""

    def __init__(self, url: str, server: Path, latency: float) -> None:
        self.url = url
        self.round_trips = 0
        self.seconds = 0.0
        self.transactions = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._server = server
        self._latency = latency

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Relay one connection until both sides have closed it."""
        relaying = asyncio.create_task(self._relay(reader, writer))
        self._connections.add(relaying)
        relaying.add_done_callback(self._connections.discard)

    async def over(self) -> None:
        """Wait until no connection is left."""
        await asyncio.gather(*self._connections)

    async def _relay(self, reader: StreamReader, writer: StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server / _SOCKET)
        sent_at: float | None = None

        async def back() -> None:
            nonlocal sent_at
            with suppress(ConnectionError):
                while data := await from_server.read(_MOST):
                    if sent_at is not None:
                        self.round_trips += 1
                        self.seconds += perf_counter() - sent_at
                        sent_at = None
                    writer.write(data)
            writer.close()

        relaying = asyncio.create_task(back())
        with suppress(ConnectionError):
            while data := await reader.read(_MOST):
                sent_at = sent_at or perf_counter()
                self.transactions += data.count(b"COMMIT\0")
                if self._latency:
                    await asyncio.sleep(self._latency)
                to_server.write(data)
        to_server.close()
        await relaying


@asynccontextmanager
async def relayed(url: str, latency: float = 0.0) -> AsyncIterator[Relay]:
    """Relay to a database while the context is open; each round trip takes `latency` more seconds."""
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay(through(url, Path(folder)), folder_of(url), latency)
        listening = await asyncio.start_unix_server(relay.accept, Path(folder) / _SOCKET)
        async with listening:
            yield relay
            await relay.over()
