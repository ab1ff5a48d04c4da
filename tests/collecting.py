"""A collector of events, as AUDIT_URL names one: a real server that notes what it gets, and answers as a test wants."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.conftest import serving

Answer = Callable[[Sequence[str]], int]
"""Returns the HTTP status for events of these kinds."""


async def at_once() -> None:
    """Wait for nothing."""


@dataclass
class Elsewhere:
    """What answers at AUDIT_URL: what it was sent, and the events that it took, each as often as it came."""

    answer: Answer = lambda _: 200
    text: str = ""
    """What it says with that; `{authorization}` is the header that it was sent."""
    wait: Callable[[], Awaitable[object]] = at_once
    """What it does before it answers, and after it took the events."""
    url: str = ""
    posts: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    """The headers and bodies."""
    took: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Note a post, and answer it."""
        body = await request.read()
        self.posts.append((request.headers, body))
        events = json.loads(body)
        status = self.answer([event["data"]["kind"] for event in events])
        if status // 100 == 2:
            self.took += events
        await self.wait()
        text = self.text.format(authorization=request.headers.get("Authorization"))
        return web.Response(status=status, text=text, headers={"Location": "/elsewhere"})

    @property
    def once(self) -> list[dict[str, Any]]:
        """The events that it took, each as it came first."""
        return [*{event["id"]: event for event in self.took}.values()]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the events that it took."""
        return [event["data"]["kind"] for event in self.took]


@asynccontextmanager
async def collecting() -> AsyncIterator[Elsewhere]:
    """Run a collector."""
    there = Elsewhere()
    async with serving(there.handle) as origin:
        there.url = f"{origin}/events"
        yield there
