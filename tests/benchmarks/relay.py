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
    """Counts round trips with their seconds, and transactions by their ends; `url` is the URL through the relay."""

    def __init__(self, url: str, server: Path, away: float) -> None:
        self.url = url
        self.turns = 0
        self.waited = 0.0
        self.transactions = 0
        self._carried: set[asyncio.Task[None]] = set()
        self._server = server
        self._away = away

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Relay one connection until both sides have closed it."""
        carrying = asyncio.create_task(self._carry(reader, writer))
        self._carried.add(carrying)
        carrying.add_done_callback(self._carried.discard)

    async def over(self) -> None:
        """Wait until no connection is left."""
        await asyncio.gather(*self._carried)

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        there, to_server = await asyncio.open_unix_connection(self._server / _SOCKET)
        asked: float | None = None

        async def back() -> None:
            nonlocal asked
            with suppress(ConnectionError):
                while said := await there.read(_MOST):
                    if asked is not None:
                        self.turns += 1
                        self.waited += perf_counter() - asked
                        asked = None
                    writer.write(said)
            writer.close()

        carrying = asyncio.create_task(back())
        with suppress(ConnectionError):
            while said := await reader.read(_MOST):
                asked = asked or perf_counter()
                self.transactions += said.count(b"COMMIT\0")
                if self._away:
                    await asyncio.sleep(self._away)
                to_server.write(said)
        to_server.close()
        await carrying


@asynccontextmanager
async def relayed(url: str, away: float = 0.0) -> AsyncIterator[Relay]:
    """Relay to a database while the context is open; each round trip takes `away` more seconds."""
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay(through(url, Path(folder)), folder_of(url), away)
        listening = await asyncio.start_unix_server(relay.accept, Path(folder) / _SOCKET)
        async with listening:
            yield relay
            await relay.over()
