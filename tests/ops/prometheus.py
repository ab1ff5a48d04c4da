"""A real Prometheus, which scrapes bots and answers queries over HTTP."""

import asyncio
import json
import math
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from bot.playground.loopback import free_port
from tests.ops.dashboards import Query

PROGRAM = shutil.which("prometheus")
STEP = 2
"""Seconds between two points of a curve."""
_WINDOW = (
    "5s"  # of a rate; with a scrape each second, two have some in common, so no growth is missed
)

Curve = list[tuple[float, float]]
"""The times and values of a series, in Unix seconds."""


@dataclass(frozen=True)
class Prometheus:
    """A running server, and when it began, in Unix seconds."""

    http: aiohttp.ClientSession
    origin: str
    began: float

    async def curves(self, query: Query) -> dict[str, Curve]:
        """Return what a panel shows of a query from the beginning until now: a curve for each name in the legend."""
        now = time.time()
        whole = math.ceil((now - self.began) / STEP) * STEP
        expr = query.with_values(_WINDOW, f"{whole}s")
        during: dict[str, float] = {"start": now - whole, "end": now, "step": STEP}
        async with self.http.get(
            f"{self.origin}/api/v1/query_range", params={"query": expr, **during}
        ) as answer:
            said = await answer.json()
        assert said["status"] == "success", (expr, said)
        return {
            query.named(found["metric"]): [
                (at, float(value)) for at, value in found["values"] if value != "NaN"
            ]
            for found in said["data"]["result"]
        }

    async def until(self, expr: str) -> None:
        """Wait until a query has a result, such as a comparison that is true."""
        async with asyncio.timeout(60):
            while not await self._result(expr):  # noqa: ASYNC110  # it sends no event
                await asyncio.sleep(0.2)

    async def _result(self, expr: str) -> Sequence[Mapping[str, object]]:
        async with self.http.get(f"{self.origin}/api/v1/query", params={"query": expr}) as answer:
            found: Sequence[Mapping[str, object]] = (await answer.json())["data"]["result"]
            return found


@asynccontextmanager
async def prometheus(
    http: aiohttp.ClientSession, folder: Path, config: object
) -> AsyncIterator[Prometheus]:
    """Run a Prometheus with this configuration; without the program the test is skipped, or fails in the gate."""
    if PROGRAM is None:
        why = "There is no prometheus here, so nobody asks it what the dashboard asks: apt-get install prometheus"
        (pytest.fail if os.environ.get("NOTHING_SKIPPED") else pytest.skip)(why)
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(json.dumps(config), encoding="utf-8")  # which is YAML too
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=log,
            stderr=log,
        )
        try:
            server = Prometheus(http, f"http://127.0.0.1:{port}", time.time())
            await _ready(server)
            yield server
        finally:
            process.terminate()
            await process.wait()


async def _ready(server: Prometheus) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with server.http.get(f"{server.origin}/-/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)  # it prints no line for that
