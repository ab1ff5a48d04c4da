"""Two replicas with one token chain: one renewal at a time, even if the renewing replica dies."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import NullPool, create_engine

from bot.ledger.seal import Seal
from bot.ledger.tokens import StoredToken, at_rest
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER, World
from tests.conftest import RELEASES, soon
from tests.databases import PostgreSQL
from tests.faults.bots import Bot, Load, all_ended, assert_answered_once, assert_recorded_once

pytestmark = pytest.mark.slow

RENEWED_WITHIN = 15.0  # seconds after the renewing replica died
TAKEN_OVER_WITHIN = 20.0  # seconds after the requests' replica died
KEY = Fernet.generate_key().decode()

Ports = Callable[[], int]


@dataclass
class Replicas:
    """Two bots on one database, with one Slack and one WeChat."""

    slack: LocalSlack
    wechat: LocalWeChat
    database: str
    one: Bot
    other: Bot
    load: Load

    def calls(self, endpoint: str) -> int:
        """Return how often WeChat has answered an endpoint successfully."""
        calls = self.wechat.platform.calls
        return sum((call.endpoint, call.errcode) == (endpoint, 0) for call in calls)

    @property
    def renewals(self) -> int:
        """Return how often WeChat has renewed the owner's token."""
        return self.calls("api_authorizer_token")

    async def request_shares(self, commands: int) -> None:
        """Type commands, which Slack distributes to the replicas in turn, and wait for their answers."""
        await asyncio.gather(*(self.load.type_command() for _ in range(commands)))
        await self.load.all_answered(30)

    async def request_share(self) -> Bot:
        """Type one command, and return the replica that accepted it."""
        before = set(self.load.accepted)
        assert await self.load.type_command()
        (id_,) = self.load.accepted - before
        one, other = self.one, self.other
        # The ack comes first.
        await soon(lambda: id_ in one.logged("accepted") | other.logged("accepted"))
        return one if id_ in one.logged("accepted") else other

    def stored_token(self) -> StoredToken:
        """Return the owner's token in the ledger."""
        engine = create_engine(self.database, poolclass=NullPool)
        found = at_rest(engine, self.wechat.platform.component_appid, Seal([KEY]))
        return found[OWNER][0]

    async def assert_all_shared(self) -> None:
        """Check that every command was answered once, after exactly one share."""
        accepted = self.load.accepted
        assert_answered_once(self.slack, accepted)
        # People see the last answer a moment before its end is recorded.
        await all_ended(self.database, 10)
        assert_recorded_once(self.database, accepted)
        told = [
            [message.text for message in (parent, *self.slack.thread(RELEASES, parent.ts))]
            for parent in self.slack.parents(RELEASES)
        ]
        assert [texts for texts in told if not texts[0].startswith("✅")] == []
        assert len({env for _, env, _ in self.wechat.shared}) == len(accepted)
        assert self.load.unanswered == self.load.in_doubt == self.load.refused == []


@pytest.fixture
async def replicas(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Ports
) -> AsyncIterator[Replicas]:
    """Run two replicas with an intact chain, both of which have used the owner's token."""
    async with run_replicas(postgresql.new(), tmp_path, unused_tcp_port_factory) as replicas:
        await replicas.wechat.until(lambda _: replicas.renewals == 1)
        await replicas.request_shares(4)
        yield replicas


@asynccontextmanager
async def run_replicas(database: str, folder: Path, port: Ports) -> AsyncIterator[Replicas]:
    async with (
        LocalSlack(World()) as slack,
        LocalWeChat(latency=0.05) as wechat,
        AsyncExitStack() as stack,
    ):
        wechat.platform.rotate_refresh_tokens = True
        # WeChat pushes to the replica whose environment was made last.
        chains = {name: chain_environment(wechat, port()) for name in ("other", "one")}
        bots = []
        for name in ("one", "other"):
            environ = {
                **slack_environment(slack),
                **chains[name],
                "WECHAT_AUTHORIZER_APPID": OWNER,
                "SHARE_ENV_ALLOWED_USERS": "U0REQUESTER",
                "DATABASE_URL": database,
                "TOKEN_ENCRYPTION_KEY": KEY,
            }
            bots.append(Bot(environ, folder, name))
            stack.push_async_callback(bots[-1].end)
            await bots[-1].start()
        one, other = bots
        yield Replicas(slack, wechat, database, one, other, Load(slack))


@pytest.mark.parametrize("signal_", [SIGKILL, SIGSTOP], ids=["killed", "frozen"])
async def test_a_renewal_whose_replica_is_lost_is_made_by_the_other_and_nothing_else_is_lost(
    replicas: Replicas, signal_: Signals
) -> None:
    wechat, platform, load = replicas.wechat, replicas.wechat.platform, replicas.load
    before = platform.refresh_token(OWNER)
    wechat.expire(wechat.calls[-1].token)
    # WeChat has issued a token and a new refresh token, but no replica received them.
    wechat.fail("api_authorizer_token", Slow(60, after_effect=True))
    lost = await replicas.request_share()
    await wechat.until(lambda _: replicas.renewals == 2)
    lost.send(signal_)
    unreceived = platform.refresh_token(OWNER)
    assert replicas.stored_token().refresh_token == before != unreceived

    left = replicas.other if lost is replicas.one else replicas.one
    assert await replicas.request_share() is left
    await wechat.until(lambda _: replicas.renewals == 3, RENEWED_WITHIN)
    await load.all_answered(TAKEN_OVER_WITHIN)

    if signal_ is SIGSTOP:
        lost.send(SIGCONT)
    else:
        await lost.end()
        await lost.start()
    await replicas.request_shares(10)
    assert replicas.renewals == 3
    assert replicas.stored_token().refresh_token == platform.refresh_token(OWNER)

    # The ledger's refresh token is valid for the next renewal, so the list is not needed.
    asked = replicas.calls("api_get_authorizer_info")
    wechat.expire(wechat.calls[-1].token)
    await replicas.request_shares(10)
    assert replicas.renewals == 4
    assert replicas.calls("api_get_authorizer_info") == asked == 1
    assert replicas.stored_token().refresh_token == platform.refresh_token(OWNER)
    await replicas.assert_all_shared()
