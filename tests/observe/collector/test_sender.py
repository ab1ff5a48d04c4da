"""The sender against a real HTTP server, on a real ledger."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from bot.ledger.events import record_event
from bot.ledger.ledger import Ledger
from bot.observe.collector.sender import Sender
from bot.settings.access import CollectorSettings
from bot.wechat.transport import client_over
from tests.collecting import Elsewhere, collecting
from tests.databases import Database
from tests.ledger.test_events import ORIGIN


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
    pauses = list[float]()
    ledger = sqlite.ledger("a")
    await ledger.start()

    async def idle(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with collecting() as there, aiohttp.ClientSession() as session:
        sender = Sender(
            collector=ledger.collector(there.url),
            settings=CollectorSettings(
                url=there.url, authorization=None, key=None, include_text=False
            ),
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
    assert rig.there.kinds == [str(number) for number in range(250)]
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
    assert (len({headers["webhook-id"] for headers, _ in rig.there.posts}), rig.sender.unsent) == (
        1,
        2,
    )
    rig.there.answer = lambda _: 200
    await rig.run(2)
    assert rig.there.kinds == ["a", "b"]


async def test_an_event_that_is_refused_is_named_and_not_skipped(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.there.answer = lambda kinds: 400 if "bad" in kinds else 200
    await rig.note("a", "b", "bad", "c", "d")
    await rig.run(5)
    assert rig.there.kinds == ["a", "b"]
    [line] = [each for each in caplog.records if each.message == "the collector takes no events"]
    assert vars(line)["refused"].startswith("3-")
    rig.there.answer = lambda _: 200
    await rig.run(2)
    assert rig.there.kinds == ["a", "b", "bad", "c", "d"]


async def test_once_nothing_is_due_it_looks_again_every_second(rig: Rig, sqlite: Database) -> None:
    rig.there.answer = lambda _: 503
    await rig.note("a")
    await rig.run(8)
    sqlite.execute("DELETE FROM events")
    await rig.run(2)
    assert rig.pauses == [1, 1]
