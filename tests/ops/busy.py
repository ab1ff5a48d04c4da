"""Two replicas with all that happens to them in a busy month, in a minute or two: what a dashboard has to show."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import SIGKILL

from cryptography.fernet import Fernet
from sqlalchemy import NullPool, create_engine, text

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER, World
from tests.collecting import Elsewhere, collecting
from tests.conftest import RELEASES, REQUESTER, appids, opened
from tests.faults.bots import Bot
from tests.ops.prometheus import Prometheus
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
_FAILURES = (85088, 40013, 48004, 45011, -1)
"""Codes that operators, requesters, the owner's admin, nobody and WeChat can do something about."""
_LIFETIME = 7200.0  # seconds of a token
_LOCKED = 3.0  # seconds; the bot waits for the ledger for two


@dataclass
class Month:
    """The two replicas, all that they talk to, and the Prometheus that watches; `pause` is in seconds, between two events."""

    slack: LocalSlack
    wechat: LocalWeChat
    collector: Elsewhere
    bots: Sequence[Bot]
    database: str
    prometheus: Prometheus
    pause: float

    async def pass_by(self) -> None:
        """Let everything happen, one thing after the other, while people go on sharing."""
        sharing = asyncio.create_task(self._share_on())
        for happens in (
            *(self._fail, self._ask_approvers, self._batch, self._turn_away, self._renew),
            *(self._lose_the_collector, self._lock_the_ledger, self._lose_slack, self._kill),
        ):
            await asyncio.sleep(self.pause)
            await happens()
        await asyncio.sleep(self.pause)
        sharing.cancel()
        with suppress(asyncio.CancelledError):
            await sharing

    async def _grew(self, counter: str) -> None:
        await self.prometheus.until(f"sum(increase({counter}[5s])) > 0")

    async def _type(self, what: str, user: str = REQUESTER) -> None:
        await self.slack.command(user, RELEASES, what)

    async def _share_on(self) -> None:
        for number in count(1):
            await self._type(f"{APPID} prod-{number}")
            await asyncio.sleep(0.15 + 0.05 * (number % 7))

    async def _fail(self) -> None:
        for appid, code in zip(appids(len(_FAILURES)), _FAILURES, strict=True):
            self.wechat.fail("shareenv", Code(code), times=None, appid=appid)
            await self._type(f"{appid} prod-failed")
        self.wechat.fail("shareenv", Status(502), times=None, appid=OWNER[:-1] + "0")
        await self._type(f"{OWNER[:-1]}0 prod-unknown")
        await self._grew('share_env_requests_total{outcome="failed"}')

    async def _ask_approvers(self) -> None:
        await self._type(f"{APPID} core-1")
        await self.slack.until(lambda slack: len(slack.parents(APPROVALS)) == 1)
        await self._decide(APPROVER, "approve")
        await self._grew('share_env_approvals_total{event="agreed"}')
        await self._decide(SECOND_APPROVER, "approve")
        await self._type(f"{APPID} core-2")
        await self.slack.until(lambda slack: len(slack.parents(APPROVALS)) == 2)
        await self._decide(APPROVER, "reject")
        await self._grew('share_env_requests_total{outcome="rejected"}')

    async def _decide(self, approver: str, button: str) -> None:
        ack = await self.slack.click(approver, self.slack.parents(APPROVALS)[-1], button)
        assert ack.error is None
        await self.slack.submit(approver, await opened(self.slack, approver), {})

    async def _batch(self) -> None:
        self.wechat.latency = 0.8
        await self._type(f"{' '.join(appids(80)[len(_FAILURES) :])} prod-batch")
        await self.prometheus.until("sum(share_env_batch_items_waiting) > 0")
        await self._grew('share_env_requests_total{outcome="finished"}')
        self.wechat.latency = 0.1

    async def _turn_away(self) -> None:
        for user in (REQUESTER, "U0STRANGER"):
            await self._type(f"{APPID} secret-1", user)
        await self._type(f"{APPID} production 1")
        await self.slack.command(REQUESTER, RELEASES, "help", command="/another")
        assert self.wechat.platform.callback
        async with self.prometheus.http.post(self.wechat.platform.callback, data=b"?"):
            await self._grew("share_env_posts_refused_total")

    async def _renew(self) -> None:
        for _ in range(4):  # so one of the two replicas renews twice, which is an increase
            calls, before = self.wechat.platform.calls, len(self.wechat.platform.calls)
            self.wechat.advance(_LIFETIME)
            await self.wechat.until(
                lambda _, calls=calls, before=before: any(
                    call.endpoint == "api_authorizer_token" for call in calls[before:]
                )
            )
        await self._grew("share_env_renewals_total")

    async def _lose_the_collector(self) -> None:
        self.collector.answer = lambda _: 503
        await self.prometheus.until("max(share_env_events_unsent_seconds) > 2")
        self.collector.answer = lambda _: 200

    async def _lock_the_ledger(self) -> None:
        await asyncio.to_thread(_lock, self.database)
        await self._grew("share_env_ledger_failures_total")

    async def _lose_slack(self) -> None:
        self.slack.fail("chat.postMessage", Status(503), times=None)
        await self.prometheus.until(f"max(share_env_owed_seconds) > {4 + self.pause}")
        self.slack.clear("chat.postMessage")
        await self.prometheus.until("max(share_env_owed_seconds) == 0")

    async def _kill(self) -> None:
        self.wechat.latency = 3.0
        await asyncio.sleep(
            1
        )  # so that the replica has work under way, which the other one takes over
        killed = self.bots[1]
        await killed.end(SIGKILL)
        self.wechat.latency = 0.1
        await self._grew("share_env_taken_over_total")
        await killed.start()
        await self.prometheus.until("sum(up) == 2")


def _lock(database: str) -> None:
    engine = create_engine(database, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE requests IN ACCESS EXCLUSIVE MODE"))
        connection.execute(text(f"SELECT pg_sleep({_LOCKED})"))


@asynccontextmanager
async def month(
    database: str, folder: Path, ports: tuple[int, int], server: Prometheus, pause: float
) -> AsyncIterator[Month]:
    """Run two replicas on one PostgreSQL; they keep the platform's token chain, and send what they record elsewhere."""
    policy = folder / "policy.toml"
    policy.write_text(_RULES, encoding="utf-8")
    async with (
        LocalSlack(World()) as slack,
        LocalWeChat(latency=0.1) as wechat,
        collecting() as collector,
        AsyncExitStack() as stack,
    ):
        common = {
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "POLICY_FILE": str(policy),
            "DATABASE_URL": database,
            "TOKEN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
            "AUDIT_URL": collector.url,
        }
        bots = []
        for number, port in enumerate(ports):
            environ = slack_environment(slack) | chain_environment(wechat, port) | common
            bots.append(Bot(environ, folder, f"bot-{number}"))
        wechat.platform.callback = f"http://127.0.0.1:{ports[0]}/wechat/events"
        for each in bots:
            stack.push_async_callback(each.end)
            await each.start()
        yield Month(slack, wechat, collector, bots, database, server, pause)
