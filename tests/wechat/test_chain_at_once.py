"""The token chain under concurrent requests, with several replicas, and while the ledger is down."""

import asyncio
from collections import Counter

import pytest

from bot.domain.link import Link
from bot.guidance import Trouble
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from tests.conftest import Clock, soon
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import LIFE, Replica, Replicas, endpoints

MANY = 1000
ONE_RENEWAL = {"component_token": 1, "authorizer_token": 1}


async def two(replicas: Replicas, wechat: LocalWeChat) -> tuple[Replica, Replica, str]:
    """Return two replicas that know the owner's token, and the token."""
    first, second = replicas.make(clock=Clock()), replicas.make(clock=Clock())
    await first.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    token = await first.token()
    assert await second.token() == token
    wechat.platform.calls.clear()
    return first, second, token


def claims(replicas: Replicas) -> int:
    """Return how often a lease was requested."""
    statements = [statement for statement, _ in replicas.database.statements]
    return sum("lease_until <=" in each for each in statements)


async def claimed(replicas: Replicas, times: int) -> None:
    """Wait until a lease was requested this many more times."""
    end = claims(replicas) + times
    await soon(lambda: claims(replicas) >= end)


async def test_a_thousand_requests_at_expiry_make_one_renewal_of_each_token(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, clock: Clock
) -> None:
    old = await replica.token()
    wechat.platform.calls.clear()
    replicas.run_out("component", OWNER)
    clock.now += 60
    got = await asyncio.gather(*(replica.chain.token(OWNER) for _ in range(MANY)))
    assert Counter(endpoints(wechat)) == ONE_RENEWAL
    (new,) = set(got)
    assert (isinstance(new, str), new == old) == (True, False)
    assert (await replica.kept(OWNER)).value == new


async def test_concurrent_renewals_for_fifty_owners_make_one_platform_token(
    replica: Replica, wechat: LocalWeChat
) -> None:
    owners = [f"wx{number:016x}" for number in range(50)]
    for each in owners:
        wechat.platform.authorize(each)
    await asyncio.gather(*(replica.token(each) for each in owners))
    assert Counter(endpoints(wechat)) == {
        "component_token": 1,
        "authorizer_token": 50,
        "get_authorizer_info": 50,
    }


async def test_two_replicas_at_expiry_make_one_renewal_of_each_token(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    first, second, old = await two(on_both, wechat)
    wechat.latency = 0.02  # so that each finds the other's lease
    on_both.run_out("component", OWNER)
    both = [each for _ in range(50) for each in (first, second)]
    for each in (first, second):
        each.chain.invalidate(OWNER)
    got = await asyncio.gather(*(each.chain.token(OWNER) for each in both))
    assert Counter(endpoints(wechat)) == ONE_RENEWAL
    (new,) = set(got)
    assert (isinstance(new, str), new == old) == (True, False)


async def test_a_second_replica_uses_the_old_token_in_its_last_five_minutes(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    first, second, old = await two(on_both, wechat)
    new = await first.chain.token(OWNER, old)
    assert await second.token() == old  # as valid as the new one for five minutes
    wechat.advance(299)
    assert await second.token() == old
    wechat.advance(1)
    assert await second.chain.token(OWNER, old) == new
    assert await second.token() == new
    assert endpoints(wechat) == ["authorizer_token"]


async def test_a_second_replica_reads_the_new_token_within_a_minute(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    first, clock = replicas.make(clock=Clock()), Clock()
    second = replicas.make(clock=clock)
    await first.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    old = await first.token()
    assert await second.token() == old
    new = await first.chain.token(OWNER, old)
    clock.now += 60
    assert await second.token() == new


async def test_while_the_ledger_is_down_the_last_token_is_used_and_nothing_is_renewed(
    replica: Replica,
    replicas: Replicas,
    wechat: LocalWeChat,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token = await replica.token()
    calls = len(wechat.platform.calls)
    not_kept = NoAnswer(Trouble.TOKENS_NOT_KEPT.value, link=Link.OWNER)
    with replicas.down():
        clock.now += 61
        assert await replica.token() == token
        assert await replica.chain.token(OWNER, token) == not_kept
        assert await replica.chain.token(OTHER) == not_kept
        clock.now += LIFE
        assert await replica.chain.token(OWNER) == not_kept
    assert caplog.text.count("the ledger can neither read nor store tokens") == 3
    assert len(wechat.platform.calls) == calls
    assert await replica.token() == token


async def test_a_renewal_in_progress_is_finished_before_the_stop(
    replica: Replica, wechat: LocalWeChat
) -> None:
    wechat.latency = 0.05
    asking = asyncio.create_task(replica.chain.token(OWNER))
    await wechat.until(lambda _: "component_token" in endpoints(wechat))
    asking.cancel()
    await replica.chain.close(10)
    assert (await replica.kept(OWNER)).refresh_token == wechat.platform.refresh_token(OWNER)
