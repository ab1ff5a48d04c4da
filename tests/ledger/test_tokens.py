"""The platform's ticket and tokens in the ledger: claims, precedence, and encryption."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from bot.ledger.ledger import Ledger
from bot.ledger.seal import Seal, Sealed
from bot.ledger.tokens import (
    COMPONENT,
    TICKET,
    TICKET_LIFE,
    OwnerPush,
    StoredToken,
    Tokens,
    at_rest,
)
from bot.ledger.writer import LedgerDownError
from tests.databases import Database
from tests.ledger.conftest import SOON, within

PLATFORM, ANOTHER_PLATFORM = "wxc0de00000000c0de", "wxc0de11111111c0de"
OWNER, ANOTHER_OWNER = "wx0123456789abcdef", "wx5fe6bb43205e9e70"
KEY, OLD_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
LEASE, LIFE = 60.0, 7200.0

Late = Callable[[Tokens, StoredToken], Awaitable[object]]


@pytest.fixture
def tokens(ledger: Ledger) -> Tokens:
    """The tokens of the replica `a`."""
    return ledger.tokens(PLATFORM, Seal())


@pytest.fixture
def others(other: Ledger) -> Tokens:
    """The same tokens of the replica `b`."""
    return other.tokens(PLATFORM, Seal())


async def claimed(tokens: Tokens, name: str = OWNER) -> StoredToken:
    claim = await tokens.claim(name, LEASE)
    assert claim is not None
    return claim


async def found(tokens: Tokens, name: str = OWNER) -> StoredToken:
    kept = await tokens.find(name)
    assert kept is not None
    return kept


async def saved(tokens: Tokens, value: str, refresh: str | None, name: str = OWNER) -> StoredToken:
    """Renew a token, and return it as it is stored."""
    assert await tokens.save(await claimed(tokens, name), value, refresh, LIFE)
    return await found(tokens, name)


def push_of(at: float = 100.0, mark: str = "0" * 16, owner: str = OWNER) -> OwnerPush:
    return OwnerPush(owner, at, mark)


async def granted(tokens: Tokens, token: str, refresh: str, push: OwnerPush | None = None) -> bool:
    """Keep the code of a push about an authorisation, and store the granted tokens."""
    push = push or push_of()
    await tokens.grant(push, "code-1")
    return await tokens.save(await claimed(tokens, push.owner), token, refresh, LIFE)


def secrets(kept: StoredToken) -> tuple[str | None, str | None]:
    return kept.value, kept.refresh_token


def rows(database: Database) -> list[dict[str, Any]]:
    return database.rows("SELECT * FROM tokens ORDER BY platform, name")


def expire_claims(database: Database) -> None:
    """Let all claims expire."""
    database.execute("UPDATE tokens SET lease_until = :past", past=database.now() - 1)


async def test_a_new_ledger_has_no_token(tokens: Tokens) -> None:
    assert await tokens.all() == {}
    assert await tokens.find(OWNER) is None


async def test_a_claim_returns_the_stored_token(tokens: Tokens) -> None:
    nothing = await claimed(tokens)
    assert (nothing.name, *secrets(nothing), nothing.fence) == (OWNER, None, None, 1)
    assert (nothing.issued, nothing.expires, nothing.life) == (None, None, 0)
    assert nothing.left < 0
    assert await tokens.save(nothing, "token-1", "refresh-1", LIFE)
    kept, again = await found(tokens), await claimed(tokens)
    assert (*secrets(again), again.fence) == ("token-1", "refresh-1", 2)
    assert replace(again, left=0, fence=1) == replace(kept, left=0)


async def test_only_one_replica_may_renew_a_token(tokens: Tokens, others: Tokens) -> None:
    await claimed(tokens)
    assert await others.claim(OWNER, LEASE) is None
    assert await tokens.claim(OWNER, LEASE) is None


async def test_each_token_is_claimed_separately(tokens: Tokens, others: Tokens) -> None:
    await claimed(tokens, OWNER)
    for name in (TICKET, COMPONENT, ANOTHER_OWNER):
        await claimed(others, name)


async def test_of_many_concurrent_claims_one_succeeds(database: Database) -> None:
    replicas = [database.ledger(f"replica-{n}").tokens(PLATFORM, Seal()) for n in range(6)]
    for number in range(20):
        claims = [replica.claim(f"owner-{number}", LEASE) for replica in replicas for _ in range(5)]
        won = [claim for claim in await asyncio.gather(*claims) if claim is not None]
        assert [claim.fence for claim in won] == [1]


async def test_a_claim_lasts_for_its_length_by_the_databases_clock(
    database: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = database.now()
    await claimed(tokens)
    (row,) = rows(database)
    assert before + LEASE - 0.01 <= row["lease_until"] <= database.now() + LEASE + 0.01


async def test_a_claim_from_before_the_clock_was_set_back_does_not_block_others(
    database: Database, tokens: Tokens, others: Tokens
) -> None:
    first = await claimed(tokens)
    database.execute("UPDATE tokens SET lease_until = :ahead", ahead=database.now() + 2 * LEASE)
    assert (await claimed(others)).fence == first.fence + 1
    assert await tokens.claim(OWNER, LEASE) is None


async def test_a_replica_that_died_during_a_renewal_blocks_others_for_its_claim_only(
    database: Database, tokens: Tokens, others: Tokens
) -> None:
    first = await claimed(tokens)
    expire_claims(database)
    assert (await claimed(others)).fence == first.fence + 1
    assert await tokens.claim(OWNER, LEASE) is None


async def test_an_expired_claim_is_still_valid_if_no_other_was_made(
    database: Database, tokens: Tokens
) -> None:
    claim = await claimed(tokens)
    expire_claims(database)
    assert await tokens.save(claim, "token-1", "refresh-1", LIFE)


async def released(tokens: Tokens, claim: StoredToken) -> None:
    """Release a claim, and wait until that is done."""
    tokens.release(claim)
    await tokens.find(claim.name)


async def without_code(tokens: Tokens, claim: StoredToken) -> None:
    """Drop the code of a claim, and wait until that is done."""
    tokens.drop_code(claim)
    await tokens.find(claim.name)


LATE: dict[str, Late] = {
    "a save": lambda tokens, claim: tokens.save(claim, "late", "late", LIFE),
    "a failure": lambda tokens, claim: tokens.failed(claim, "61004"),
    "a failure that holds on": lambda tokens, claim: tokens.failed(claim, "61004", free=False),
    "a release": released,
    "a code of no use": without_code,
}


async def test_a_renewed_token_is_stored_and_its_claim_is_released(
    tokens: Tokens, others: Tokens
) -> None:
    await saved(tokens, "token-1", "refresh-1")
    assert secrets(await found(others)) == ("token-1", "refresh-1")
    await saved(others, "token-2", "refresh-2")
    assert secrets(await found(tokens)) == ("token-2", "refresh-2")


async def test_a_renewal_without_a_refresh_token_keeps_the_previous_one(tokens: Tokens) -> None:
    await saved(tokens, "token-1", "refresh-1")
    assert secrets(await saved(tokens, "token-2", None)) == ("token-2", "refresh-1")


async def test_a_token_expires_by_the_databases_clock(
    database: Database, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = database.now()
    kept = await saved(tokens, "token-1", None)
    after = database.now()
    assert kept.issued is not None
    assert kept.expires is not None
    assert before - 0.01 <= kept.issued <= after + 0.01
    assert LIFE - 60 < kept.life < LIFE + 0.01
    assert kept.expires - after - 0.01 <= kept.left <= kept.expires - before + 0.01


@pytest.mark.parametrize("left", [5000.0, 0.0, -5000.0])
async def test_the_remaining_lifetime_of_a_token_is_in_seconds(
    database: Database, tokens: Tokens, left: float
) -> None:
    await saved(tokens, "token-1", None)
    before = database.now()
    database.execute("UPDATE tokens SET expires = :at", at=before + left)
    kept = await found(tokens)
    assert left - (database.now() - before) - 0.01 <= kept.left <= left + 0.01
    assert kept.value == "token-1"  # whether it may still be used is decided elsewhere


async def test_a_failure_is_stored_beside_the_token_and_the_claim_is_released(
    database: Database, tokens: Tokens, others: Tokens
) -> None:
    kept, before = await saved(tokens, "token-1", "refresh-1"), database.now()
    assert await tokens.failed(await claimed(tokens), "61004")
    failed = await found(others)
    assert failed.error == "61004"
    assert failed.error_at is not None
    assert before - 0.01 <= failed.error_at <= database.now() + 0.01
    assert secrets(failed) == ("token-1", "refresh-1")
    assert failed.expires == kept.expires
    await claimed(others)


async def test_a_failure_can_block_others_for_the_rest_of_its_claim(
    tokens: Tokens, others: Tokens
) -> None:
    assert await tokens.failed(await claimed(tokens), "61004", free=False)
    assert (await found(others)).error == "61004"
    assert await others.claim(OWNER, LEASE) is None


async def test_a_successful_renewal_clears_the_trouble(tokens: Tokens) -> None:
    await tokens.failed(await claimed(tokens), "61004")
    kept = await saved(tokens, "token-1", "refresh-1")
    assert (kept.error, kept.error_at) == (None, None)


async def test_releasing_a_claim_changes_nothing_else(
    database: Database, tokens: Tokens, others: Tokens
) -> None:
    await saved(tokens, "token-1", "refresh-1")
    await tokens.failed(await claimed(tokens), "61004")
    (before,) = rows(database)
    await released(tokens, await claimed(tokens))
    (after,) = rows(database)
    assert after == {**before, "fence": before["fence"] + 1}
    await claimed(others)


# The CreateTime of a second push; that of the first is 100.
second_push = pytest.mark.parametrize(
    ("at", "counts"),
    [
        pytest.param(101.0, True, id="newer"),
        pytest.param(100.0, False, id="the same push again"),
        pytest.param(99.0, False, id="older"),
    ],
)


@second_push
async def test_only_a_newer_ticket_counts(
    database: Database, tokens: Tokens, at: float, counts: bool
) -> None:
    assert await tokens.ticket("ticket-1", 100.0)
    before = rows(database)
    assert await tokens.ticket("ticket-2", at) is counts
    assert (await found(tokens, TICKET)).value == ("ticket-2" if counts else "ticket-1")
    assert (rows(database) != before) is counts


async def test_a_ticket_is_valid_for_twelve_hours(tokens: Tokens) -> None:
    await tokens.ticket("ticket-1", 100)
    assert TICKET_LIFE == 12 * 60 * 60
    assert (await found(tokens, TICKET)).life == pytest.approx(TICKET_LIFE, abs=0.5)


async def test_a_new_ticket_clears_the_trouble_and_keeps_the_claim_to_request_one(
    tokens: Tokens, others: Tokens
) -> None:
    claim = await claimed(tokens, TICKET)
    await tokens.failed(claim, "40125", free=False)
    assert await tokens.ticket("ticket-1", 100)
    assert not await tokens.failed(claim, "no-token-answer", free=False)
    assert (await found(tokens, TICKET)).error is None
    assert await others.claim(TICKET, LEASE) is None


async def is_new_grant(tokens: Tokens, push: OwnerPush) -> bool:
    return await tokens.grant(push, "code-1") is not None


RECORD: dict[str, Callable[[Tokens, OwnerPush], Awaitable[bool]]] = {
    "a grant": is_new_grant,
    "a withdrawal": lambda tokens, push: tokens.revoke(push, "61003"),
}
each_push = pytest.mark.parametrize("record", RECORD.values(), ids=RECORD.keys())


@each_push
@second_push
async def test_only_newer_pushes_about_an_owner_count(
    database: Database,
    tokens: Tokens,
    at: float,
    counts: bool,
    record: Callable[[Tokens, OwnerPush], Awaitable[bool]],
) -> None:
    assert await is_new_grant(tokens, push_of(100.0))
    before = rows(database)
    assert await record(tokens, push_of(at)) is counts
    assert (rows(database) != before) is counts
    assert await record(tokens, push_of(at, owner=ANOTHER_OWNER))
    assert await tokens.ticket("ticket-1", at)


@each_push
async def test_different_pushes_of_the_same_second_each_count_once(
    database: Database, tokens: Tokens, record: Callable[[Tokens, OwnerPush], Awaitable[bool]]
) -> None:
    marks = [str(number) * 16 for number in range(5)]
    for number, mark in enumerate(marks):
        assert await record(tokens, push_of(100.0, mark))
        before = rows(database)
        for again in marks[: number + 1]:
            assert not await record(tokens, push_of(100.0, again))
        assert rows(database) == before
    assert await record(tokens, push_of(101.0, marks[0]))
    assert not await record(tokens, push_of(100.0, "f" * 16))


async def test_a_mark_is_not_matched_across_two_others(tokens: Tokens) -> None:
    for mark in ("0123456789abcdef", "89abcdef01234567"):
        assert await is_new_grant(tokens, push_of(100.0, mark))
        assert await is_new_grant(tokens, push_of(100.0, mark[8:] + mark[:4] + mark[4:8][::-1]))


later_push = pytest.mark.parametrize(
    "later", [push_of(101.0), push_of(100.0, "1" * 16)], ids=["a later second", "the same second"]
)


async def test_a_code_is_kept_until_a_token_is_saved(tokens: Tokens, others: Tokens) -> None:
    await saved(tokens, "token-1", "refresh-1")
    before = await tokens.grant(push_of(), "code-1")
    assert before is not None
    assert (*secrets(before), before.code) == ("token-1", "refresh-1", "code-1")
    claim = await claimed(others)
    assert claim.code == "code-1"
    assert await others.failed(claim, "61004")
    assert (await found(tokens)).code == "code-1"
    assert (await saved(tokens, "token-2", None)).code is None


@later_push
async def test_a_later_push_replaces_a_code(
    tokens: Tokens, others: Tokens, later: OwnerPush
) -> None:
    assert await tokens.grant(push_of(), "code-1")
    claim = await claimed(tokens)
    assert await others.grant(later, "code-2")
    assert not await tokens.save(claim, "late", "late", LIFE)
    await without_code(tokens, claim)
    assert (await found(tokens)).code == "code-2"
    assert not await tokens.grant(push_of(), "code-1")
    assert (await found(tokens)).code == "code-2"


@later_push
async def test_a_withdrawal_deletes_a_code(
    database: Database, tokens: Tokens, others: Tokens, later: OwnerPush
) -> None:
    assert await tokens.grant(push_of(), "code-1")
    claim = await claimed(tokens)
    assert await others.revoke(later, "61003")
    before = rows(database)
    assert before[0]["code"] is None
    assert not await tokens.save(claim, "late", "late", LIFE)
    assert not await tokens.grant(push_of(), "code-1")
    assert rows(database) == before


async def test_a_code_of_no_use_is_deleted_and_the_claim_goes_on(
    tokens: Tokens, others: Tokens
) -> None:
    assert await tokens.grant(push_of(), "code-1")
    claim = await claimed(tokens)
    await without_code(tokens, claim)
    assert (await found(tokens)).code is None
    assert await others.claim(OWNER, LEASE) is None
    assert await tokens.save(claim, "token-1", "refresh-1", LIFE)


async def test_a_code_is_kept_in_spite_of_older_and_repeated_pushes(
    tokens: Tokens, others: Tokens
) -> None:
    assert await tokens.grant(push_of(), "code-1")
    claim = await claimed(tokens)
    assert not await others.revoke(push_of(99.0, "1" * 16), "61003")
    assert not await others.grant(push_of(), "code-1")
    assert (await found(tokens)).code == "code-1"
    assert await tokens.save(claim, "token-1", "refresh-1", LIFE)


@pytest.mark.usefixtures("impatient")
async def test_a_code_that_came_while_the_ledger_was_down_is_stored_once_it_is_up(
    database: Database, tokens: Tokens
) -> None:
    with database.locked(), within(SOON), pytest.raises(LedgerDownError):
        await tokens.grant(push_of(), "code-1")
    assert (await found(tokens)).code == "code-1"


async def test_the_same_push_at_many_replicas_counts_once(database: Database) -> None:
    replicas = [database.ledger(f"replica-{n}").tokens(PLATFORM, Seal()) for n in range(6)]
    for at in range(1, 10):
        heard = await asyncio.gather(*(is_new_grant(replica, push_of(at)) for replica in replicas))
        assert sorted(heard) == [False] * 5 + [True]


async def another_renews(database: Database, others: Tokens) -> None:
    expire_claims(database)
    await claimed(others)


async def another_has_renewed(database: Database, others: Tokens) -> None:
    expire_claims(database)
    await saved(others, "token-2", "refresh-2")


async def the_owner_grants(_: Database, others: Tokens) -> None:
    assert await others.grant(push_of(), "code-2")


async def the_owner_has_granted(_: Database, others: Tokens) -> None:
    assert await granted(others, "token-2", "refresh-2")


async def the_owner_withdraws(_: Database, others: Tokens) -> None:
    assert await others.revoke(push_of(), "61003")
    kept = await found(others)
    assert (kept.issued, kept.expires, kept.error) == (None, None, "61003")


@pytest.mark.parametrize(
    ("meanwhile", "then"),
    [
        (another_renews, None),
        (another_has_renewed, ("token-2", "refresh-2")),
        (the_owner_grants, ("token-1", "refresh-1")),
        (the_owner_has_granted, ("token-2", "refresh-2")),
        (the_owner_withdraws, (None, None)),
    ],
)
async def test_a_late_result_changes_nothing(
    database: Database,
    tokens: Tokens,
    others: Tokens,
    meanwhile: Callable[[Database, Tokens], Awaitable[None]],
    then: tuple[str | None, str | None] | None,
) -> None:
    await saved(tokens, "token-1", "refresh-1")
    claim = await claimed(tokens)
    await meanwhile(database, others)
    before = rows(database)
    for late in LATE.values():
        assert not await late(tokens, claim)
        assert rows(database) == before
    again = await tokens.claim(OWNER, LEASE)
    assert (again and secrets(again)) == then


async def test_the_granted_tokens_of_an_unknown_owner_are_stored(
    tokens: Tokens,
) -> None:
    assert await granted(tokens, "token-1", "refresh-1")
    kept = await found(tokens)
    assert secrets(kept) == ("token-1", "refresh-1")
    assert kept.life == pytest.approx(LIFE, abs=0.5)


async def test_a_new_authorisation_clears_an_owners_trouble(tokens: Tokens) -> None:
    assert await tokens.revoke(push_of(), "61003")
    assert await granted(tokens, "token-2", "refresh-2", push_of(101.0))
    kept = await found(tokens)
    assert (*secrets(kept), kept.error, kept.error_at) == ("token-2", "refresh-2", None, None)


@pytest.mark.usefixtures("impatient")
async def test_the_life_of_a_token_that_is_stored_late_began_when_it_was_received(
    sqlite: Database,
) -> None:
    tokens = sqlite.ledger("a").tokens(PLATFORM, Seal())
    claim = await claimed(tokens)
    with sqlite.locked():
        storing = asyncio.ensure_future(tokens.save(claim, "token-2", "refresh-2", LIFE))
        await asyncio.sleep(0)  # its first step, which begins the life, is done
        received = time.monotonic()
        with pytest.raises(LedgerDownError):
            await storing
        waited = time.monotonic() - received
    assert (await found(tokens)).life < LIFE - waited


async def test_a_received_token_is_stored_even_if_its_caller_is_cancelled(
    database: Database, tokens: Tokens
) -> None:
    await saved(tokens, "token-1", "refresh-1")
    claim = await claimed(tokens)
    with database.locked():
        storing = asyncio.ensure_future(tokens.save(claim, "token-2", "refresh-2", LIFE))
        await asyncio.sleep(0)  # the write has begun
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
    assert secrets(await found(tokens)) == ("token-2", "refresh-2")


async def test_received_tokens_are_on_the_disk_once_the_ledger_is_closed(
    sqlite: Database,
) -> None:
    ledger = sqlite.ledger("a")
    await ledger.start()
    tokens = ledger.tokens(PLATFORM, Seal())
    storing = asyncio.ensure_future(
        tokens.save(await claimed(tokens), "token-1", "refresh-1", LIFE)
    )
    await asyncio.sleep(0)  # the write has begun
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    await ledger.close()
    sqlite.let_go()
    after = sqlite.ledger("a").tokens(PLATFORM, Seal())
    assert secrets(await found(after)) == ("token-1", "refresh-1")


@pytest.mark.usefixtures("impatient")
async def test_a_delayed_write_overwrites_nothing_newer(
    database: Database, tokens: Tokens, others: Tokens
) -> None:
    claim = await claimed(tokens)
    expire_claims(database)
    newer = await claimed(others)
    with database.locked(), pytest.raises(LedgerDownError):
        await tokens.save(claim, "token-1", "refresh-1", LIFE)
    assert await others.save(newer, "token-2", "refresh-2", LIFE)
    for _ in range(2):  # the delayed write comes before the first of them
        assert secrets(await found(tokens)) == ("token-2", "refresh-2")


@pytest.mark.usefixtures("impatient")
async def test_every_method_reports_that_the_ledger_is_down(
    database: Database, tokens: Tokens
) -> None:
    claim = await claimed(tokens)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: tokens.claim(OWNER, LEASE),
        lambda: tokens.failed(claim, "61004"),
        lambda: tokens.ticket("ticket-1", 100),
        lambda: tokens.grant(push_of(), "code-1"),
        lambda: tokens.revoke(push_of(), "61003"),
    ]
    with database.locked():
        results = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
    assert [isinstance(each, LedgerDownError) for each in results] == [True] * len(calls)
    assert secrets(await found(tokens)) == (None, None)


async def test_two_platforms_in_one_ledger_do_not_see_each_other(
    database: Database, tokens: Tokens, other: Ledger
) -> None:
    theirs = other.tokens(ANOTHER_PLATFORM, Seal())
    await saved(tokens, "token-1", "refresh-1")
    await tokens.ticket("ticket-1", 100)
    assert await theirs.all() == {}
    assert await theirs.find(OWNER) is None
    await tokens.grant(push_of(), "code-1")
    held, before = await claimed(tokens), rows(database)

    assert await theirs.revoke(push_of(40), "61003")
    claim = await claimed(theirs)
    assert secrets(claim) == (None, None)
    assert await theirs.save(claim, "token-2", "refresh-2", LIFE)
    assert await theirs.ticket("ticket-2", 50)
    assert await theirs.grant(push_of(50), "code-3")
    await theirs.failed(held, "61004")
    theirs.drop_code(held)
    await saved(theirs, "token-3", "refresh-3")
    assert rows(database)[: len(before)] == before
    assert {name: kept.value for name, kept in (await theirs.all()).items()} == {
        OWNER: "token-3",
        TICKET: "ticket-2",
    }
    assert {name: kept.value for name, kept in (await tokens.all()).items()} == {
        OWNER: "token-1",
        TICKET: "ticket-1",
    }


def stored(database: Database) -> bytes:
    """Return the whole content of the database; of SQLite, all bytes of its files with the write-ahead log."""
    if database.is_sqlite:
        path = Path(database.url.removeprefix("sqlite:///"))
        return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
    every = rows(database) + database.rows("SELECT * FROM events")
    return repr(every).encode()


SECRETS = ("s3cret-ticket", "s3cret-platform", "s3cret-token", "s3cret-refresh", "s3cret-code")


@pytest.mark.parametrize(("keys", "shown"), [([], SECRETS), ([KEY], ()), ([KEY, OLD_KEY], ())])
async def test_the_database_has_no_readable_secret_once_there_is_a_key(
    database: Database, ledger: Ledger, keys: list[str], shown: tuple[str, ...]
) -> None:
    ticket, platform, token, refresh, code = SECRETS
    tokens = ledger.tokens(PLATFORM, Seal(keys))
    await tokens.ticket(ticket, 100)
    await saved(tokens, platform, None, COMPONENT)
    await saved(tokens, token, refresh)
    assert await tokens.grant(push_of(owner=ANOTHER_OWNER), code)
    kept = await tokens.all()
    assert {each.value for each in kept.values()} == {ticket, platform, token, None}
    assert kept[ANOTHER_OWNER].code == code
    assert tuple(word for word in SECRETS if word.encode() in stored(database)) == shown
    assert [word for word in (*SECRETS, *keys) if word in f"{kept!r} {tokens!r}"] == []


async def test_a_readable_secret_is_sealed_at_the_next_renewal(ledger: Ledger) -> None:
    await saved(ledger.tokens(PLATFORM, Seal()), "token-1", "refresh-1")
    tokens = ledger.tokens(PLATFORM, Seal([KEY]))
    claim = await claimed(tokens)
    assert secrets(claim) == ("token-1", "refresh-1")
    assert await tokens.save(claim, "token-2", claim.refresh_token, LIFE)
    assert secrets(await found(tokens)) == ("token-2", "refresh-1")
    assert secrets(await found(ledger.tokens(PLATFORM, Seal()))) == (None, None)


async def test_a_token_without_its_key_counts_as_missing_and_can_be_renewed(
    ledger: Ledger,
) -> None:
    older = ledger.tokens(PLATFORM, Seal([OLD_KEY]))
    await saved(older, "token-1", "refresh-1")
    await older.grant(push_of(), "code-1")
    tokens = ledger.tokens(PLATFORM, Seal([KEY]))
    claim = await claimed(tokens)
    assert (*secrets(claim), claim.code) == (None, None, None)
    assert await tokens.save(claim, "token-2", "refresh-2", LIFE)
    assert secrets(await found(tokens)) == ("token-2", "refresh-2")


async def test_the_protection_of_each_token_can_be_looked_up_while_the_bot_runs(
    database: Database, ledger: Ledger
) -> None:
    await ledger.tokens(PLATFORM, Seal()).ticket("ticket-1", 100)
    await saved(ledger.tokens(PLATFORM, Seal([OLD_KEY])), "token-1", "refresh-1")
    tokens = ledger.tokens(PLATFORM, Seal([KEY, OLD_KEY]))
    await saved(tokens, "token-2", None)  # its refresh token is unchanged
    await saved(tokens, "platform-1", None, COMPONENT)
    older = ledger.tokens(PLATFORM, Seal([OLD_KEY]))
    assert await older.grant(push_of(owner=ANOTHER_OWNER), "code-1")
    await ledger.tokens(ANOTHER_PLATFORM, Seal()).ticket("ticket-2", 100)

    def look(*keys: str) -> dict[str, set[Sealed]]:
        seen = at_rest(database.engine, PLATFORM, Seal(keys))
        return {name: sealed for name, (_, sealed) in seen.items()}

    assert look(KEY, OLD_KEY) == {
        TICKET: {Sealed.PLAIN},
        OWNER: {Sealed.NEWEST, Sealed.OLDER},
        COMPONENT: {Sealed.NEWEST},
        ANOTHER_OWNER: {Sealed.OLDER},
    }
    assert look(KEY)[OWNER] == {Sealed.NEWEST, Sealed.LOST}
    assert look()[COMPONENT] == {Sealed.LOST}
    kept, _ = at_rest(database.engine, PLATFORM, Seal([KEY, OLD_KEY]))[OWNER]
    assert replace(kept, left=0) == replace(await found(tokens), left=0)
