"""Batches of two replicas, one of which is killed: each item ends once, and one batch runs after the other."""

from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from bot.workflow.batches import AT_ONCE
from tests.conftest import RELEASES, REQUESTER, address_at
from tests.databases import PostgreSQL
from tests.faults.bots import (
    all_ended,
    assert_answered_once,
    assert_keeps_secrets,
    assert_recorded_once,
    environ,
    lists,
    request_of,
    rows,
    two_bots,
)
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

MANY, FEWER = 120, 60
WITHIN = 40.0  # seconds for a lease to expire, and the remaining work


async def request_batch(slack: LocalSlack, to: str, env: str, count: int) -> str:
    """Request a batch of the replica at this address, and return its id."""
    slack.request_url = to
    appids = " ".join(f"wx{number:016x}" for number in range(1, count + 1))
    id_ = request_of(await slack.command(REQUESTER, RELEASES, f"{appids} {env}"))
    assert id_
    return id_


async def test_a_batch_behind_one_of_a_killed_replica_runs_after_it(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> None:
    database, ports = postgresql.new(), (unused_tcp_port_factory(), unused_tcp_port_factory())
    address, elsewhere = map(address_at, ports)
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat(latency=0.1) as wechat,
        two_bots(environ(slack, wechat, database), tmp_path, ports) as (killed, successor),
    ):
        first = await request_batch(slack, address, "prod-1", MANY)
        await wechat.until(lambda wechat: bool(wechat.calls), WITHIN)
        second = await request_batch(slack, elsewhere, "test-1", FEWER)
        await killed.end(SIGKILL)
        await all_ended(database, WITHIN)
        assert await successor.end(SIGTERM) == 0
        assert successor.logged("delivered") == {first, second}
        assert wechat.most_at_once <= AT_ONCE
        envs = [call.env for call in wechat.calls]
        assert envs == sorted(envs)  # the second batch began after the first
        items = rows(database, "SELECT outcome FROM requests WHERE batch IS NOT NULL")
        assert items == ["shared"] * (MANY + FEWER)
        assert_recorded_once(database, {first, second})
        assert_answered_once(slack, {first, second}, only=True)
        for parent, count in zip(slack.parents(RELEASES), (MANY, FEWER), strict=True):
            *told, reply = slack.thread(RELEASES, parent.ts)
            assert reply.text.startswith(f"✅ *All {count} shared.*"), reply
            appids = [
                row for m in told if lists(m) for row in m.text.split("\n") if row[:2] == "wx"
            ]
            assert len(appids) == len(set(appids)) == count
        for bot in (killed, successor):
            assert "unforeseen" not in bot.log
            assert_keeps_secrets(bot, slack)
