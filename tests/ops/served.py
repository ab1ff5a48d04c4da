"""What operators and their machines ask a running bot, over HTTP."""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.ops.counted import Counts

PATHS = ("/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Served:
    """A bot's listener, and a way to ask it; nobody waits for an answer for ever."""

    http: aiohttp.ClientSession
    port: int

    @property
    def origin(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Return the status and the text of a GET."""
        async with (
            asyncio.timeout(20),
            self.http.get(self.origin + path, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def look(self, path: str) -> tuple[int, dict[str, str]]:
        """Return the status of /healthz or /readyz, and what is wrong by part."""
        async with asyncio.timeout(20), self.http.get(self.origin + path) as answer:
            told: dict[str, Any] = await answer.json()
            parts = told["parts"].items()
            assert told["ok"] is (answer.status == 200)
            return answer.status, {name: part["why"] for name, part in parts if not part["ok"]}

    async def counts(self, series: str, times: int | None = None) -> Counts:
        """Wait until something is counted, so many times if that is said, and return what /metrics tells then."""
        async with asyncio.timeout(30):
            while True:
                counts = Counts((await self.get("/metrics"))[1])
                if counts[series] if times is None else counts[series] == times:
                    return counts
                await asyncio.sleep(0.02)

    async def becomes(self, status: int, wrong: dict[str, str]) -> None:
        """Wait until /readyz says so."""
        async with asyncio.timeout(30):
            while await self.look("/readyz") != (status, wrong):  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0.02)
