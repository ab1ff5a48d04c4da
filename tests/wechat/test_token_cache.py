import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields

import pytest

from bot.domain.link import Link
from bot.guidance import for_code
from bot.ledger.tokens import StoredToken
from bot.ledger.writer import LedgerDownError
from bot.wechat.api import NoAnswer
from bot.wechat.chain import CLAIM_SECONDS, TokenCache
from bot.wechat.component import Issued
from tests.conftest import Clock
from tests.wechat.conftest import OWNER
from tests.wechat.replicas import LIFE, Replica, Replicas, briefly

REFUSED = NoAnswer(for_code(61003), link=Link.OWNER)


class Maker:
    """Makes a new token at each call, and awaits `meanwhile` before it returns."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.claims: list[StoredToken] = []
        self._meanwhile = meanwhile

    async def __call__(self, claim: StoredToken) -> Issued | NoAnswer:
        """Return a new token."""
        self.claims.append(claim)
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        number = len(self.claims)
        return Issued(f"made-{number}", LIFE, f"refresh-{number}")


@pytest.fixture
def cache(replica: Replica, clock: Clock) -> TokenCache:
    return TokenCache(replica.tokens, clock, briefly)


async def renewed(cache: TokenCache, make: Maker, refused: str | None = None) -> str | NoAnswer:
    return await cache.renew(OWNER, make, refused)


async def test_a_new_token_is_in_the_ledger_before_it_is_returned(
    cache: TokenCache, replica: Replica
) -> None:
    assert await renewed(cache, Maker()) == "made-1"
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token, round(found.life)) == ("made-1", "refresh-1", 7200)


async def test_a_token_is_cached_for_a_minute(cache: TokenCache, clock: Clock) -> None:
    assert cache.cached(OWNER) is None
    await renewed(cache, Maker())
    clock.now += 59.9
    assert cache.cached(OWNER) == "made-1"
    assert cache.cached(OWNER, refused="an older one") == "made-1"
    assert cache.cached(OWNER, refused="made-1") is None
    clock.now += 0.2
    assert cache.cached(OWNER) is None
    assert await cache.load(OWNER) == "made-1"
    assert cache.cached(OWNER) == "made-1"


async def test_a_token_that_expires_soon_is_cached_for_less_and_then_no_longer_valid(
    cache: TokenCache, replicas: Replicas, clock: Clock
) -> None:
    await renewed(cache, Maker())
    replicas.later(LIFE - 30, OWNER)
    assert await cache.load(OWNER) == "made-1"
    clock.now += 19
    assert cache.cached(OWNER) == "made-1"
    clock.now += 2
    assert cache.cached(OWNER) is None
    replicas.later(21, OWNER)
    assert await cache.load(OWNER) is None


async def test_a_dropped_token_is_read_again(cache: TokenCache) -> None:
    await renewed(cache, Maker())
    cache.invalidate(OWNER)
    cache.invalidate("nobody")
    assert cache.cached(OWNER) is None
    assert await cache.load(OWNER) == "made-1"


async def test_there_is_no_valid_token_if_there_is_none_or_only_the_refused_one(
    cache: TokenCache,
) -> None:
    assert await cache.load(OWNER) is None
    await renewed(cache, Maker())
    assert await cache.load(OWNER, refused="made-1") is None
    assert await cache.load(OWNER, refused="an older one") == "made-1"


async def test_while_the_ledger_is_down_the_last_token_is_valid_for_its_lifetime(
    cache: TokenCache, replicas: Replicas, clock: Clock
) -> None:
    with replicas.down(), pytest.raises(LedgerDownError):
        await cache.load(OWNER)
    await renewed(cache, Maker())
    with replicas.down():
        clock.now += LIFE - 11
        assert await cache.load(OWNER) == "made-1"
        with pytest.raises(LedgerDownError):
            await cache.load(OWNER, refused="made-1")
        clock.now += 2
        with pytest.raises(LedgerDownError):
            await cache.load(OWNER)


async def test_a_token_that_another_replica_stored_meanwhile_is_returned_and_none_is_made(
    cache: TokenCache, replica: Replica, clock: Clock
) -> None:
    await renewed(TokenCache(replica.tokens, clock, asyncio.sleep), Maker())
    make = Maker()
    assert await renewed(cache, make) == "made-1"
    assert make.claims == []
    assert await replica.tokens.claim(OWNER, CLAIM_SECONDS)  # the lease is free


async def test_only_the_refused_token_is_replaced(cache: TokenCache) -> None:
    make = Maker()
    assert await renewed(cache, make) == "made-1"
    assert await renewed(cache, make, "an older one") == "made-1"
    assert await renewed(cache, make, "made-1") == "made-2"
    assert len(make.claims) == 2
    assert make.claims[1].refresh_token == "refresh-1"


async def test_the_reason_of_a_failure_is_stored_and_the_next_caller_may_try(
    cache: TokenCache, replica: Replica
) -> None:
    async def refuse(_: StoredToken) -> Issued | NoAnswer:
        return REFUSED

    assert await cache.renew(OWNER, refuse) == REFUSED
    found = await replica.kept(OWNER)
    assert (found.error, found.value) == ("61003", None)
    assert await renewed(cache, Maker()) == "made-1"
    assert (await replica.kept(OWNER)).error is None


async def test_a_replica_that_finds_the_lease_taken_waits_for_the_new_token(
    cache: TokenCache, replica: Replica
) -> None:
    claim = await replica.tokens.claim(OWNER, CLAIM_SECONDS)
    assert claim
    make = Maker()
    waiting = asyncio.create_task(renewed(cache, make))
    await replica.kept(OWNER)
    assert not waiting.done()
    await replica.tokens.save(claim, "theirs", "refresh", LIFE)
    assert await waiting == "theirs"
    assert make.claims == []


@pytest.mark.parametrize("mine", [Issued("mine", LIFE, "mine too"), REFUSED], ids=["token", "none"])
async def test_a_replica_that_lost_its_lease_returns_the_other_replicas_token(
    cache: TokenCache, replica: Replica, replicas: Replicas, mine: Issued | NoAnswer
) -> None:
    async def make(_: StoredToken) -> Issued | NoAnswer:
        replicas.change(OWNER, "lease_until = 0")
        claim = await replica.tokens.claim(OWNER, CLAIM_SECONDS)
        assert claim
        assert await replica.tokens.save(claim, "theirs", "theirs too", LIFE)
        return mine

    assert await cache.renew(OWNER, make) == "theirs"
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token, found.error) == ("theirs", "theirs too", None)


async def test_no_repr_shows_a_secret(cache: TokenCache, replica: Replica) -> None:
    await renewed(cache, Maker())
    held = [getattr(cache, each.name) for each in fields(cache)]
    shown = [repr(cache), repr(held), repr(await replica.kept(OWNER)), repr(replica.tokens)]
    assert [each for each in shown if "made-1" in each or "refresh-1" in each] == []


async def test_a_cancelled_renewal_releases_its_lease_at_once(
    on_both: Replicas, clock: Clock
) -> None:
    one, other = on_both.make(), on_both.make()
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    renewing = asyncio.create_task(
        renewed(TokenCache(one.tokens, clock, asyncio.sleep), Maker(forever))
    )
    await begun.wait()
    assert await other.tokens.claim(OWNER, CLAIM_SECONDS) is None
    renewing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewing
    await one.kept(OWNER)  # which comes after the pending writes
    assert await other.tokens.claim(OWNER, CLAIM_SECONDS)
