"""Batches whose bots are killed or stopped: each item ends, and calls that were answered are not repeated."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from bot.workflow.batches import AT_ONCE
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.databases import PostgreSQL
from tests.faults.bots import (
    Bot,
    all_ended,
    assert_answered_once,
    assert_keeps_secrets,
    assert_recorded_once,
    environ,
    lists,
    request_of,
    rows,
)
from tests.said import CALLED_TWICE
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

MANY = 120
FEW = 10  # appids that the message itself lists
ANSWERS_BEFORE_KILL = 40  # answers of WeChat before the kill
WITHIN = 40.0  # seconds for a lease to expire, and the remaining work
APPIDS = [f"wx{number:016x}" for number in range(1, MANY + 1)]


@dataclass(frozen=True)
class Snapshot:
    """The state of the ledger and of WeChat between the kill and the next start."""

    ended: set[str]
    begun: set[str]
    calls: int


@dataclass(frozen=True)
class Servers:
    """Both servers, a database, and the bots that use them."""

    slack: LocalSlack
    wechat: TokenWeChat
    database: str
    folder: Path
    stack: AsyncExitStack

    async def start_bot(self, name: str = "bot", **more: str) -> Bot:
        """Start a bot, which is killed at the end of the test."""
        bot = Bot(environ(self.slack, self.wechat, self.database) | more, self.folder, name)
        self.stack.push_async_callback(bot.end)
        await bot.start()
        return bot

    async def start_http_bot(self, name: str, port: int) -> tuple[Bot, str]:
        """Start a bot in HTTP mode; return it and its URL."""
        return await self.start_bot(name, **over_http(port)), address_at(port)

    async def request_batch(
        self, env: str = "prod-1", appids: list[str] = APPIDS, url: str = ""
    ) -> str:
        """Request a batch and return its id."""
        self.slack.request_url = url or None
        ack = await self.slack.command(REQUESTER, RELEASES, f"{' '.join(appids)} {env}")
        id_ = request_of(ack)
        assert id_, ack
        return id_

    async def wait_for_answers(self, calls: int) -> None:
        """Wait until WeChat has given this many answers."""
        await self.wechat.until(lambda wechat: len(wechat.calls) >= calls, WITHIN)

    async def snapshot(self) -> Snapshot:
        """Return the state once WeChat has finished the calls of the killed bot."""
        await self.wechat.until(lambda wechat: wechat.in_flight == 0)
        query = "SELECT appid FROM requests WHERE batch IS NOT NULL AND state = 'ended'"
        ended = set(rows(self.database, query))
        assert 0 < len(ended) < MANY
        query = "SELECT appid FROM requests WHERE state = 'queued' AND begun"
        return Snapshot(ended, set(rows(self.database, query)), len(self.wechat.calls))

    async def all_ended(self) -> None:
        """Wait until all requests have ended."""
        await all_ended(self.database, WITHIN)

    async def finish(self, bot: Bot, batch: str, snapshot: Snapshot) -> None:
        """Wait until a bot has finished a batch, stop it, and check what it did."""
        await self.all_ended()
        assert await bot.end(SIGTERM) == 0
        self.assert_finished(batch, snapshot)
        self.assert_clean(bot)

    def assert_finished(self, batch: str, snapshot: Snapshot) -> None:
        """Check that each remaining item was requested once, and that one answer covers all."""
        again = [call.appid for call in self.wechat.calls[snapshot.calls :]]
        assert snapshot.ended.isdisjoint(again)
        assert sorted(again) == sorted(set(APPIDS) - snapshot.ended)
        assert {appid for _, _, appid in self.wechat.shared} == set(APPIDS)
        self.assert_all_shared({batch: MANY})
        (parent,) = self.slack.parents(RELEASES)
        (reply,) = (m for m in self.slack.thread(RELEASES, parent.ts) if not lists(m))
        twice = [line for line in reply.text.splitlines() if line.startswith(CALLED_TWICE)]
        assert len(twice) <= 1  # none, if the stop came between two calls
        said = set(re.findall(r"wx[0-9a-f]{16}", "".join(twice)))
        calls = Counter(call.appid for call in self.wechat.calls)
        assert {appid for appid, count in calls.items() if count > 1} <= said
        assert snapshot.begun <= said

    def assert_all_shared(self, batches: dict[str, int]) -> None:
        """Check that each batch of this size has one answer, which says that all were shared."""
        items = rows(self.database, "SELECT outcome FROM requests WHERE batch IS NOT NULL")
        assert items == ["shared"] * sum(batches.values())
        assert_recorded_once(self.database, set(batches))
        assert_answered_once(self.slack, set(batches), only=True)
        replies = [
            self.slack.thread(RELEASES, parent.ts)[-1].text
            for parent in self.slack.parents(RELEASES)
        ]
        for reply, count in zip(replies, batches.values(), strict=True):
            assert reply.startswith(f"✅ *All {count} shared.*"), reply
        for parent, count in zip(self.slack.parents(RELEASES), batches.values(), strict=True):
            lists_ = filter(lists, self.slack.thread(RELEASES, parent.ts))
            listed = [row for each in lists_ for row in each.text.split("\n") if row[:2] == "wx"]
            assert len(listed) == len(set(listed)) == (count if count > FEW else 0)

    def assert_clean(self, *bots: Bot) -> None:
        """Check that no secret leaked, and that the logs have no unforeseen error."""
        for bot in bots:
            assert bot.log
            assert "unforeseen" not in bot.log
            assert "Traceback" not in bot.log
            assert_keeps_secrets(bot, self.slack)


@asynccontextmanager
async def serve(database: str, folder: Path, latency: float = 0.1) -> AsyncIterator[Servers]:
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat(latency) as wechat,
        AsyncExitStack() as stack,
    ):
        yield Servers(slack, wechat, database, folder, stack)


@pytest.mark.parametrize("kills", [1, 2])
async def test_a_batch_whose_bot_is_killed_is_finished_at_the_next_start(
    tmp_path: Path, kills: int
) -> None:
    async with serve(f"sqlite:///{tmp_path}/ledger.db", tmp_path) as servers:
        bot = await servers.start_bot()
        batch = await servers.request_batch()
        for _ in range(kills):
            await servers.wait_for_answers(len(servers.wechat.calls) + 30)
            await bot.end(SIGKILL)
            snapshot = await servers.snapshot()
            await bot.start()
        await servers.finish(bot, batch, snapshot)


async def test_an_answer_posted_before_the_bot_is_killed_is_not_posted_again(
    tmp_path: Path,
) -> None:
    async with serve(f"sqlite:///{tmp_path}/ledger.db", tmp_path) as servers:
        bot = await servers.start_bot()
        batch = await servers.request_batch()
        await servers.slack.until(lambda slack: any(m.thread_ts for m in slack.messages), WITHIN)
        await bot.end(SIGKILL)
        await bot.start()
        await servers.all_ended()
        assert await bot.end(SIGTERM) == 0
        assert len(servers.wechat.calls) == MANY
        servers.assert_all_shared({batch: MANY})
        servers.assert_clean(bot)


async def test_a_batch_whose_replica_is_killed_is_finished_by_the_other(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    async with serve(postgresql.new(), tmp_path) as servers:
        killed, address = await servers.start_http_bot("one", unused_tcp_port_factory())
        successor, _ = await servers.start_http_bot("other", unused_tcp_port_factory())
        batch = await servers.request_batch(url=address)
        await servers.wait_for_answers(ANSWERS_BEFORE_KILL)
        await killed.end(SIGKILL)
        snapshot = await servers.snapshot()
        await servers.finish(successor, batch, snapshot)
        assert successor.logged("taken over") == {batch}
        servers.assert_clean(killed)


async def test_a_batch_whose_bot_is_stopped_is_finished_at_the_next_start(tmp_path: Path) -> None:
    async with serve(f"sqlite:///{tmp_path}/ledger.db", tmp_path, latency=0.5) as servers:
        bot = await servers.start_bot(SHUTDOWN_GRACE="0.1")
        batch = await servers.request_batch()
        await servers.wait_for_answers(ANSWERS_BEFORE_KILL)
        await servers.wechat.until(lambda wechat: wechat.in_flight > 0, WITHIN)
        assert await bot.end(SIGTERM) == 0
        snapshot = await servers.snapshot()
        await bot.start()
        await servers.finish(bot, batch, snapshot)


async def test_batches_on_two_replicas_never_ask_for_more_than_twenty_at_once(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    async with serve(postgresql.new(), tmp_path) as servers:
        one, address = await servers.start_http_bot("one", unused_tcp_port_factory())
        other, elsewhere = await servers.start_http_bot("other", unused_tcp_port_factory())
        first = await servers.request_batch("prod-1", APPIDS[:60], url=address)
        second = await servers.request_batch("test-1", APPIDS[:60], url=elsewhere)
        await servers.all_ended()
        for bot in (one, other):
            assert await bot.end(SIGTERM) == 0
        assert (one.logged("delivered"), other.logged("delivered")) == ({first}, {second})
        assert AT_ONCE / 2 < servers.wechat.most_at_once <= AT_ONCE
        assert len(servers.wechat.calls) == 120
        servers.assert_all_shared({first: 60, second: 60})
        servers.assert_clean(one, other)


async def test_a_batch_behind_one_of_a_killed_replica_runs_after_it(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    async with serve(postgresql.new(), tmp_path) as servers:
        killed, address = await servers.start_http_bot("one", unused_tcp_port_factory())
        successor, elsewhere = await servers.start_http_bot("other", unused_tcp_port_factory())
        first = await servers.request_batch("prod-1", url=address)
        await servers.wait_for_answers(1)
        second = await servers.request_batch("test-1", APPIDS[:60], url=elsewhere)
        await killed.end(SIGKILL)
        await servers.all_ended()
        assert await successor.end(SIGTERM) == 0
        assert successor.logged("delivered") == {first, second}
        assert servers.wechat.most_at_once <= AT_ONCE
        envs = [call.env for call in servers.wechat.calls]
        assert envs == sorted(envs)  # the second batch began after the first
        servers.assert_all_shared({first: MANY, second: 60})
        servers.assert_clean(killed, successor)
