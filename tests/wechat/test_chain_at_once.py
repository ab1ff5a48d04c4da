"""The token chain under concurrent requests, with several replicas, and while the ledger is down."""

import asyncio
from collections import Counter

import pytest

from bot.domain.link import Link
from bot.guidance import Trouble
from bot.playground.faults import Slow
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from bot.wechat.chain import CLAIM_SECONDS
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


async def test_requests_and_refusals_at_once_end_with_one_new_token(
    replica: Replica, wechat: LocalWeChat, clock: Clock
) -> None:
    refused = await replica.token()
    wechat.platform.calls.clear()
    clock.now += 60  # so that the first ones read it again and consider it valid
    asked = [replica.chain.token(OWNER) for _ in range(100)]
    renewals = [replica.chain.token(OWNER, refused) for _ in range(100)]
    got = await asyncio.gather(
        *(each for pair in zip(asked, renewals, strict=True) for each in pair)
    )
    assert Counter(endpoints(wechat)) == {"authorizer_token": 1}
    renewed = set(got[1::2])
    assert renewed == {(await replica.kept(OWNER)).value}
    assert refused not in renewed


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


async def test_two_replicas_whose_token_is_refused_make_one_renewal(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    first, second, old = await two(on_both, wechat)
    wechat.latency = 0.02
    got = await asyncio.gather(
        *(each.chain.token(OWNER, old) for _ in range(50) for each in (first, second))
    )
    assert Counter(endpoints(wechat)) == {"authorizer_token": 1}
    assert len(set(got) - {old}) == 1


async def test_two_replicas_that_start_together_make_one_chain(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    wechat.latency = 0.02
    first, second = on_both.make(), on_both.make()
    await first.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    both = await asyncio.gather(first.token(), second.token())
    assert set(both) == {await first.token()}
    assert Counter(endpoints(wechat)) == {**ONE_RENEWAL, "get_authorizer_info": 1}


async def test_a_replica_that_dies_during_a_renewal_delays_the_others_no_longer_than_its_lease(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    dead, alive, old = await two(on_both, wechat)
    assert CLAIM_SECONDS <= 15
    claim = await dead.tokens.claim(OWNER, CLAIM_SECONDS)
    assert claim
    on_both.run_out(OWNER)
    alive.chain.invalidate(OWNER)
    waiting = asyncio.create_task(alive.token())
    await claimed(on_both, 3)
    assert (waiting.done(), endpoints(wechat)) == (False, [])
    on_both.change(OWNER, f"lease_until = lease_until - {CLAIM_SECONDS}")
    new = await waiting
    assert new != old
    assert endpoints(wechat) == ["authorizer_token"]
    # If it was only frozen, its late result does not count.
    assert not await dead.tokens.save(claim, "too late", "too late", LIFE)
    assert (await alive.kept(OWNER)).value == new


async def test_a_replica_that_dies_with_a_rotated_refresh_token_loses_nothing(
    on_both: Replicas, wechat: LocalWeChat
) -> None:
    dead, alive, old = await two(on_both, wechat)
    wechat.platform.rotate_refresh_tokens = True
    wechat.fail("api_authorizer_token", Slow(60, after_effect=True))
    on_both.run_out(OWNER)
    for each in (dead, alive):
        each.chain.invalidate(OWNER)
    dying = asyncio.create_task(dead.chain.token(OWNER))
    await wechat.until(lambda wechat: bool(wechat.platform.calls))
    await dead.chain.close(0)
    with pytest.raises(asyncio.CancelledError):
        await dying
    wechat.advance(300)  # the ledger's refresh token is dead by now
    on_both.change(OWNER, "lease_until = 0")
    assert await alive.token() != old
    assert (await alive.kept(OWNER)).refresh_token == wechat.platform.refresh_token(OWNER)


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
