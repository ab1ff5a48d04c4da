"""Two replicas to which everything happens that the dashboard shows, one thing after the other."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from signal import SIGKILL

import aiohttp
from cryptography.fernet import Fernet
from sqlalchemy import NullPool, create_engine, text

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code, Fault, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER, World
from tests.collecting import Elsewhere, collecting
from tests.conftest import RELEASES, REQUESTER, appids, opened
from tests.faults.bots import Bot
from tests.ops.dashboards import JOB
from tests.ops.prometheus import Prometheus, prometheus
from tests.rig import APPROVALS, APPROVER, SECOND_APPROVER

_RULES = """
[[rule]]
name = "platform team"
users = ["U0REQUESTER"]
envs = ["prod-*"]
effect = "allow"

[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
envs = ["core-*"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], approvals = 2, channel = "C0APPROVALS" }
"""
_ENVS = (*["prod-"] * 7, "secret-", *["prod-"] * 4, "prod-1 prod-")
"""What people type, with a number after it: now and then, no rule allows it, or it is a mistake."""
_FAULTS: Sequence[Fault] = (*map(Code, (85088, 40013, 48004, 45011, -1)), Status(502))
"""Those that operators, requesters, the owner's admin, nobody and WeChat can fix, and one with an unknown outcome."""
_FAILED, *_BATCH = appids(1 + 70)
_LOCKED = 3.0  # seconds; the bot waits for the ledger for two


@dataclass
class Busy:
    """Two replicas, all that they talk to, and the Prometheus that watches; `pause` is in seconds, between two events."""

    slack: LocalSlack
    wechat: LocalWeChat
    collector: Elsewhere
    bots: Sequence[Bot]
    database: str
    prometheus: Prometheus
    pause: float

    async def go_through_everything(self) -> None:
        """Let everything happen while people go on sharing; Prometheus has seen each thing before the next."""
        await self.prometheus.until("sum(up) == 2")  # so it has seen all counters at zero
        sharing = asyncio.create_task(self._share_on())
        for happens in (
            *(self._fail, self._ask_approvers, self._run_a_batch, self._turn_away, self._renew),
            *(self._lose_the_collector, self._lock_the_ledger, self._lose_slack, self._kill),
        ):
            await asyncio.sleep(self.pause)
            await happens()
        await asyncio.sleep(self.pause)
        sharing.cancel()
        with suppress(asyncio.CancelledError):
            await sharing

    async def _type(self, what: str, command: str = "/share-env") -> None:
        await self.slack.command(REQUESTER, RELEASES, what, command)

    async def _counted(self, counter: str, times: int = 1) -> None:
        await self.prometheus.until(f"sum({counter}) >= {times}")

    async def _share_on(self) -> None:
        for number, env in enumerate(cycle(_ENVS)):
            self.wechat.add_env(OWNER, f"prod-{number}")
            await self._type(f"{APPID} {env}{number}")
            await asyncio.sleep(0.1 + 0.1 * (number % 5))

    async def _fail(self) -> None:
        for number, fault in enumerate(_FAULTS):
            self.wechat.fail("shareenv", fault, times=None, env=f"prod-failed-{number}")
            await self._type(f"{_FAILED} prod-failed-{number}")
        await self._counted("share_env_failures_total", len(_FAULTS))

    async def _ask_approvers(self) -> None:
        await self._type(f"{APPID} core-1")
        await self._decide(1, APPROVER, "approve")
        await self._decide(1, SECOND_APPROVER, "approve")
        await self._type(f"{APPID} core-2")
        await self._decide(2, APPROVER, "reject")
        await self._counted('share_env_requests_total{outcome="rejected"}')

    async def _decide(self, question: int, approver: str, button: str) -> None:
        await self.slack.until(lambda slack: len(slack.parents(APPROVALS)) == question)
        await self.slack.click(approver, self.slack.parents(APPROVALS)[-1], button)
        await self.slack.submit(approver, await opened(self.slack, approver), {})

    async def _run_a_batch(self) -> None:
        self.wechat.latency = 1.0
        await self._type(f"{' '.join(_BATCH)} prod-batch")
        await self.prometheus.until("sum(share_env_batch_items_waiting) > 0")
        await self._counted('share_env_requests_total{outcome="finished"}')
        self.wechat.latency = 0.1

    async def _turn_away(self) -> None:
        await self._type("help", "/another")
        callback = self.wechat.platform.callback
        assert callback
        async with self.prometheus.http.post(callback, data=b"not XML"):
            await self._counted("share_env_posts_refused_total")

    async def _renew(self) -> None:
        expired = set[str]()
        for times in range(2, 6):  # so that one of the replicas, at least, renews twice
            await self.wechat.until(lambda wechat: wechat.calls[-1].token not in expired)
            newest = self.wechat.calls[-1].token
            self.wechat.expire(newest)
            expired.add(newest)
            await self._counted('share_env_renewals_total{link="owner",result="renewed"}', times)

    async def _lose_the_collector(self) -> None:
        self.collector.answer = lambda _: 503
        await self.prometheus.until("max(share_env_events_unsent_seconds) > 2")
        self.collector.answer = lambda _: 200

    async def _lock_the_ledger(self) -> None:
        await asyncio.to_thread(_lock, self.database)
        await self._counted("share_env_ledger_failures_total")

    async def _lose_slack(self) -> None:
        self.slack.sockets.drop()
        self.slack.fail("chat.postMessage", Status(503), times=None)
        await self.prometheus.until(f"max(share_env_owed_seconds) > {2 + self.pause}")
        self.slack.clear("chat.postMessage")

    async def _kill(self) -> None:
        self.wechat.latency = 3.0
        await self.wechat.until(lambda wechat: wechat.in_flight >= 6)  # on both replicas
        killed = self.bots[0]
        await killed.end(SIGKILL)
        self.wechat.latency = 0.1
        await self._counted("share_env_taken_over_total")
        await killed.start()
        await self.prometheus.until("sum(up) == 2")


def _lock(database: str) -> None:
    engine = create_engine(database, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE requests IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text(f"SELECT pg_sleep({_LOCKED})"))


@asynccontextmanager
async def busy_replicas(
    database: str, folder: Path, http: aiohttp.ClientSession, pause: float
) -> AsyncIterator[Busy]:
    """Run two replicas on one PostgreSQL; they keep the platform's token chain, and send what they record elsewhere."""
    policy, ports = folder / "policy.toml", [free_port(), free_port()]
    policy.write_text(_RULES, encoding="utf-8")
    targets = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
    job = {"job_name": JOB, "scrape_interval": "1s", "static_configs": targets}
    async with (
        LocalSlack(World()) as slack,
        LocalWeChat(latency=0.1) as wechat,
        collecting() as collector,
        prometheus(http, folder, {"scrape_configs": [job]}) as server,
        AsyncExitStack() as stack,
    ):
        common = {
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "POLICY_FILE": str(policy),
            "DATABASE_URL": database,
            "TOKEN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "AUDIT_URL": collector.url,
        }
        # WeChat pushes to the one whose environment was made last, so that one is started first.
        chains = [chain_environment(wechat, port) for port in ports]
        bots = [
            Bot(slack_environment(slack) | chain | common, folder, f"bot-{number}")
            for number, chain in enumerate(chains)
        ]
        for each in reversed(bots):
            stack.push_async_callback(each.end)
            await each.start()
        yield Busy(slack, wechat, collector, bots, database, server, pause)
