import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.link import Link
from bot.guidance import for_code
from bot.ledger import LedgerDownError
from bot.ledger.tokens import Kept, News
from bot.wechat.component_api import Issued
from bot.wechat.kept import LEASE, KeptTokens
from bot.wechat.tokens import NoToken
from tests.wechat.conftest import OWNER, Clock
from tests.wechat.replicas import LIFE, Replica, Replicas, briefly

REFUSED = NoToken(for_code(61003), link=Link.OWNER)


class Maker:
    """Makes tokens, each another one; `meanwhile` happens while one is made."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.claims: list[Kept] = []
        self._meanwhile = meanwhile

    async def __call__(self, claim: Kept) -> Issued | NoToken:
        """Make one."""
        self.claims.append(claim)
        if self._meanwhile:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        number = len(self.claims)
        return Issued(f"made-{number}", LIFE, f"refresh-{number}")


@pytest.fixture
def kept(replica: Replica, clock: Clock) -> KeptTokens:
    return KeptTokens(replica.tokens, clock, briefly)


async def renewed(kept: KeptTokens, make: Maker, refused: str | None = None) -> str | NoToken:
    return await kept.renewed(OWNER, Link.OWNER, make, refused)


async def test_what_was_made_is_in_the_ledger_when_it_is_given(
    kept: KeptTokens, replica: Replica
) -> None:
    assert await renewed(kept, Maker()) == "made-1"
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token, round(found.life)) == ("made-1", "refresh-1", 7200)


async def test_a_token_is_remembered_for_a_minute(kept: KeptTokens, clock: Clock) -> None:
    assert kept.remembered(OWNER) is None
    await renewed(kept, Maker())
    clock.now += 59.9
    assert kept.remembered(OWNER) == "made-1"
    assert kept.remembered(OWNER, refused="an older one") == "made-1"
    assert kept.remembered(OWNER, refused="made-1") is None
    clock.now += 0.2
    assert kept.remembered(OWNER) is None
    assert await kept.good(OWNER) == "made-1"
    assert kept.remembered(OWNER) == "made-1"


async def test_a_token_near_its_end_is_remembered_for_less_and_then_is_no_good(
    kept: KeptTokens, replicas: Replicas, clock: Clock
) -> None:
    await renewed(kept, Maker())
    replicas.later(LIFE - 30, OWNER)
    assert await kept.good(OWNER) == "made-1"
    clock.now += 19
    assert kept.remembered(OWNER) == "made-1"
    clock.now += 2
    assert kept.remembered(OWNER) is None
    replicas.later(21, OWNER)
    assert await kept.good(OWNER) is None


async def test_what_is_forgotten_is_read_again(kept: KeptTokens) -> None:
    await renewed(kept, Maker())
    kept.forget(OWNER)
    kept.forget("nobody")
    assert kept.remembered(OWNER) is None
    assert await kept.good(OWNER) == "made-1"


async def test_nothing_is_good_where_there_is_nothing_or_the_refused_one(kept: KeptTokens) -> None:
    assert await kept.good(OWNER) is None
    await renewed(kept, Maker())
    assert await kept.good(OWNER, refused="made-1") is None
    assert await kept.good(OWNER, refused="an older one") == "made-1"


async def test_while_the_ledger_is_down_the_token_read_last_is_good_as_long_as_it_lives(
    kept: KeptTokens, replicas: Replicas, clock: Clock
) -> None:
    with replicas.down(), pytest.raises(LedgerDownError):
        await kept.good(OWNER)
    await renewed(kept, Maker())
    with replicas.down():
        clock.now += LIFE - 11
        assert await kept.good(OWNER) == "made-1"
        with pytest.raises(LedgerDownError):
            await kept.good(OWNER, refused="made-1")
        clock.now += 2
        with pytest.raises(LedgerDownError):
            await kept.good(OWNER)


async def test_nothing_is_made_while_the_ledger_is_down(
    kept: KeptTokens, replicas: Replicas
) -> None:
    make = Maker()
    with replicas.down(), pytest.raises(LedgerDownError):
        await renewed(kept, make)
    assert make.claims == []


async def test_what_the_ledger_does_not_take_is_not_given_and_not_lost(
    kept: KeptTokens, replica: Replica, replicas: Replicas
) -> None:
    with replicas.full():
        with pytest.raises(LedgerDownError):
            await renewed(kept, Maker())
        assert kept.remembered(OWNER) is None
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token) == ("made-1", "refresh-1")
    assert await kept.good(OWNER) == "made-1"


async def test_what_was_brought_in_the_meantime_is_given_and_nothing_is_made(
    kept: KeptTokens, replica: Replica, clock: Clock
) -> None:
    await renewed(KeptTokens(replica.tokens, clock), Maker())
    make = Maker()
    assert await renewed(kept, make) == "made-1"
    assert make.claims == []
    assert await replica.tokens.claim(OWNER, LEASE)  # the lease is free


async def test_only_the_refused_token_is_replaced(kept: KeptTokens) -> None:
    make = Maker()
    assert await renewed(kept, make) == "made-1"
    assert await renewed(kept, make, "an older one") == "made-1"
    assert await renewed(kept, make, "made-1") == "made-2"
    assert len(make.claims) == 2
    assert make.claims[1].refresh_token == "refresh-1"


async def test_why_nothing_was_made_is_kept_and_the_next_may_try(
    kept: KeptTokens, replica: Replica
) -> None:
    async def refuse(_: Kept) -> Issued | NoToken:
        return REFUSED

    assert await kept.renewed(OWNER, Link.OWNER, refuse) == REFUSED
    found = await replica.kept(OWNER)
    assert (found.error, found.value) == ("61003", None)
    assert await renewed(kept, Maker()) == "made-1"
    assert (await replica.kept(OWNER)).error is None


async def test_whoever_finds_the_lease_taken_waits_for_what_it_brings(
    kept: KeptTokens, replica: Replica
) -> None:
    claim = await replica.tokens.claim(OWNER, LEASE)
    assert claim
    make = Maker()
    waiting = asyncio.create_task(renewed(kept, make))
    await replica.kept(OWNER)
    assert not waiting.done()
    await replica.tokens.save(claim, "theirs", "refresh", LIFE)
    assert await waiting == "theirs"
    assert make.claims == []


async def test_whoever_was_taken_for_dead_gives_what_the_others_brought(
    kept: KeptTokens, replica: Replica, replicas: Replicas
) -> None:
    async def somebody_else_renews() -> None:
        replicas.change(OWNER, "lease_until = 0")
        claim = await replica.tokens.claim(OWNER, LEASE)
        assert claim
        assert await replica.tokens.save(claim, "theirs", "theirs too", LIFE)

    make = Maker(somebody_else_renews)
    assert await renewed(kept, make) == "theirs"
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token) == ("theirs", "theirs too")
    assert len(make.claims) == 1


async def test_an_authorisation_during_a_renewal_is_what_counts(
    kept: KeptTokens, replica: Replica
) -> None:
    news = News(OWNER, 10.0, "0" * 16)
    await replica.tokens.hear(news)
    make = Maker(lambda: replica.tokens.replace(news, "pushed", "pushed too", LIFE))
    assert await renewed(kept, make) == "pushed"
    found = await replica.kept(OWNER)
    assert (found.value, found.refresh_token) == ("pushed", "pushed too")


async def test_after_a_withdrawal_during_a_renewal_nothing_old_is_kept(
    kept: KeptTokens, replica: Replica
) -> None:
    await renewed(kept, Maker())
    make = Maker(lambda: replica.tokens.forget(News(OWNER, 10.0, "0" * 16), "61003"))
    assert await renewed(kept, make, "made-1") == "made-2"
    first, second = make.claims
    assert (first.refresh_token, second.refresh_token) == ("refresh-1", None)


async def test_a_secret_is_in_no_repr(kept: KeptTokens, replica: Replica) -> None:
    await renewed(kept, Maker())
    shown = [repr(kept), repr(vars(kept)), repr(await replica.kept(OWNER)), repr(replica.tokens)]
    assert [each for each in shown if "made-1" in each or "refresh-1" in each] == []


async def test_whoever_is_cut_short_in_a_renewal_leaves_it_to_the_others_at_once(
    on_both: Replicas, clock: Clock
) -> None:
    one, other = on_both.make(), on_both.make()
    begun = asyncio.Event()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    renewing = asyncio.create_task(renewed(KeptTokens(one.tokens, clock), Maker(forever)))
    await begun.wait()
    assert await other.tokens.claim(OWNER, LEASE) is None
    renewing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewing
    await one.kept(OWNER)  # which comes after what was left to do
    assert await other.tokens.claim(OWNER, LEASE)
