"""The HTTP endpoints of a running bot for operators."""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.observe.counted import Counts

PATHS = ("/healthz", "/readyz", "/metrics")


@dataclass(frozen=True)
class Served:
    """A bot's HTTP listener, and requests to it with timeouts."""

    http: aiohttp.ClientSession
    port: int

    @property
    def origin(self) -> str:
        """Return its origin."""
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a GET."""
        async with asyncio.timeout(20), self.http.get(self.origin + path) as answer:
            return answer.status, await answer.text()

    async def look(self, path: str) -> tuple[int, dict[str, str]]:
        """Return the status of /healthz or /readyz, and the problems by part."""
        async with asyncio.timeout(20), self.http.get(self.origin + path) as answer:
            report: dict[str, Any] = await answer.json()
            parts = report["parts"].items()
            assert report["ok"] is (answer.status == 200)
            return answer.status, {name: part["why"] for name, part in parts if not part["ok"]}

    async def counts(self, series: str, times: int | None = None) -> Counts:
        """Wait until a series is not zero, or is `times` if given, and return all values of /metrics."""
        async with asyncio.timeout(30):
            while True:
                counts = Counts((await self.get("/metrics"))[1])
                if counts[series] if times is None else counts[series] == times:
                    return counts
                await asyncio.sleep(0.02)

    async def becomes(self, status: int, wrong: dict[str, str]) -> None:
        """Wait until /readyz returns this."""
        async with asyncio.timeout(30):
            while await self.look("/readyz") != (status, wrong):  # noqa: ASYNC110  # it sends no event
                await asyncio.sleep(0.02)
