"""The sender against a real HTTP server, on a real ledger."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.ledger.events import record_event
from bot.ledger.ledger import Ledger
from bot.observe.collector.sender import Sender
from bot.settings.access import CollectorSettings
from bot.wechat.transport import client_over
from tests.databases import Database
from tests.ledger.test_events import ORIGIN

Answer = Callable[[list[str]], int]


@dataclass
class Elsewhere:
    """A collector: the types of events that it took and was sent, and the ids of all messages."""

    answer: Answer = lambda _: 200
    took: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a post, and note what it holds."""
        kinds = [event["data"]["kind"] for event in json.loads(await request.read())]
        self.messages.append(request.headers["webhook-id"])
        status = self.answer(kinds)
        if status == 200:
            self.took += kinds
        return web.Response(status=status, headers={"Location": "/"} if status == 302 else {})


@dataclass
class Rig:
    """A ledger, its collector, and what sends."""

    ledger: Ledger
    there: Elsewhere
    sender: Sender
    pauses: list[float]

    async def note(self, *kinds: str) -> None:
        """Record events of these kinds."""
        for kind in kinds:
            await self.ledger.writer.run(record_event, kind, ORIGIN, {})

    async def run(self, pauses: int) -> None:
        """Let it send until it has paused so often."""
        self.pauses.clear()
        running = asyncio.ensure_future(self.sender.run())
        async with asyncio.timeout(30):
            while len(self.pauses) < pauses:  # noqa: ASYNC110  # the sender tells of each pause
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture
async def rig(sqlite: Database) -> AsyncIterator[Rig]:
    there, pauses = Elsewhere(), list[float]()
    app = web.Application()
    app.router.add_post("/events", there.handle)
    ledger = sqlite.ledger("a")
    await ledger.start()

    async def idle(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("/events"))
        sender = Sender(
            collector=ledger.collector(url),
            settings=CollectorSettings(url=url, authorization=None, key=None, include_text=False),
            http=client_over(session),
            clock=asyncio.get_running_loop().time,
            now=lambda: 1764725166.0,
            idle=idle,
            jitter=lambda: 1.0,
            posted=lambda _: None,
        )
        found = Rig(ledger, there, sender, pauses)
        await found.run(1)  # the collector begins now
        yield found


async def test_the_collector_gets_each_event_once_and_in_order(rig: Rig) -> None:
    await rig.note(*map(str, range(250)))
    await rig.run(2)
    assert rig.there.took == [str(number) for number in range(250)]
    assert (rig.sender.unsent, rig.sender.behind()) == (0, 0.0)


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
async def test_while_it_takes_nothing_the_same_message_is_sent_after_growing_pauses(
    rig: Rig, status: int
) -> None:
    rig.there.answer = lambda _: status
    await rig.note("a", "b")
    await rig.run(12)
    assert rig.pauses == sorted(rig.pauses)
    assert rig.pauses[-1] == 300
    assert (len({*rig.there.messages}), rig.sender.unsent) == (1, 2)
    rig.there.answer = lambda _: 200
    await rig.run(2)
    assert rig.there.took == ["a", "b"]


async def test_an_event_that_is_refused_is_named_and_not_skipped(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.there.answer = lambda kinds: 400 if "bad" in kinds else 200
    await rig.note("a", "b", "bad", "c", "d")
    await rig.run(5)
    assert rig.there.took == ["a", "b"]
    [line] = [each for each in caplog.records if each.message == "the collector takes no events"]
    assert vars(line)["event"].startswith("3-")
    rig.there.answer = lambda _: 200
    await rig.run(2)
    assert rig.there.took == ["a", "b", "bad", "c", "d"]
