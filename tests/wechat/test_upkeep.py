import asyncio
import time
from dataclasses import replace
from itertools import count

import pytest

from bot.domain.link import Link, LinkState
from bot.guidance import Trouble, for_code
from bot.ledger.seal import Seal, Sealed
from bot.ledger.tokens import StoredToken
from bot.ledger.writer import LedgerDownError
from bot.playground.faults import Code, Slow
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.upkeep import Upkeep, link_states, rounds_skipped
from tests.conftest import soon
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import LIFE, Replica, Replicas, cancelled, endpoints, keeping, serving


async def two_owners(replicas: Replicas, wechat: LocalWeChat, jitter: float) -> Replica:
    """Return a replica with a fresh token for each of two owners."""
    replica = replicas.make(owners=(OWNER, OTHER), jitter=lambda: jitter)
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.platform.authorize(OTHER)
    await replica.token(OWNER)
    await replica.token(OTHER)
    wechat.platform.calls.clear()
    return replica


@pytest.mark.parametrize(
    ("jitter", "due_at"), [(0.0, 0.10), (0.5, 0.11), (1.0, 0.12)], ids=["least", "mid", "most"]
)
async def test_a_token_is_renewed_at_90_per_cent_of_its_lifetime_or_a_little_earlier(
    replicas: Replicas, wechat: LocalWeChat, jitter: float, due_at: float
) -> None:
    replica = await two_owners(replicas, wechat, jitter)
    replicas.later(LIFE * (1 - due_at) - 10, OWNER)  # ten seconds before its time
    replicas.later(LIFE * (1 - due_at) + 1, OTHER)
    async with keeping(replica):
        # All due renewals are determined before the first call.
        await wechat.until(lambda wechat: bool(wechat.platform.calls))
    await replica.chain.close(5)
    assert wechat.platform.calls == [("api_authorizer_token", OTHER, 0)]


async def test_requests_during_a_renewal_use_the_token_that_is_still_valid(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    old = await replica.token()
    replicas.later(LIFE * 0.95, OWNER)
    wechat.fail("api_authorizer_token", Slow(after_effect=True))
    async with keeping(replica):
        await wechat.until(lambda wechat: bool(wechat.platform.calls))
        assert await replica.token() == old
        assert (await replica.kept(OWNER)).value == old
        wechat.clear("api_authorizer_token")
    await replica.chain.close(5)
    assert (await replica.kept(OWNER)).value != old


async def test_at_the_start_the_platform_gets_its_token_first_and_then_the_owners_five_at_once(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    owners = tuple(f"wx{number:016x}" for number in range(12))
    for each in owners:
        wechat.platform.authorize(each)
    replica = replicas.make(owners=owners)
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.fail("api_authorizer_token", Slow(after_effect=True), times=None)

    def renewed() -> int:
        calls = wechat.platform.calls
        return len({call.owner for call in calls if call.endpoint == "api_authorizer_token"})

    async with keeping(replica):
        await wechat.until(lambda _: renewed() == 5)
        assert len(set(await replica.tokens.all()) & set(owners)) == 5
        wechat.clear("api_authorizer_token")
        await wechat.until(lambda _: renewed() == 12)
        await soon(lambda: all(state.good_until for state in replica.upkeep.states()))
    await replica.chain.close(5)
    assert endpoints(wechat)[0] == "component_token"
    assert endpoints(wechat).count("component_token") == 1


async def test_a_new_owner_gets_a_token_at_once_and_a_removed_one_gets_no_more(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    owners = [OWNER]
    made = replicas.make()
    upkeep = Upkeep(
        made.chain, made.tokens, lambda: owners, lambda: 0.5, time.monotonic, every=3600
    )
    replica = replace(made, upkeep=upkeep)
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.platform.authorize(OTHER)
    async with keeping(replica):
        await wechat.until(lambda _: endpoints(wechat).count("authorizer_token") == 1)
        await replica.chain.close(5)
        replicas.later(LIFE, OWNER)
        wechat.platform.calls.clear()
        owners[:] = [OTHER]
        upkeep.wake()
        await wechat.until(lambda _: endpoints(wechat).count("authorizer_token") == 1)
    await replica.chain.close(5)
    assert {call.owner for call in wechat.platform.calls if call.owner} == {OTHER}
    assert [state.owner for state in upkeep.states() if state.owner] == [OTHER]


async def test_without_a_ticket_one_is_requested_and_all_renewals_wait_for_it(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = replicas.make()
    async with serving(wechat, replica) as url, keeping(replica):
        wechat.platform.callback = url  # so that the requested ticket arrives
        await wechat.until(lambda _: endpoints(wechat)[-1:] == ["authorizer_token"])
    assert endpoints(wechat)[:2] == ["start_push_ticket", "component_token"]
    assert endpoints(wechat)[2:] == ["get_authorizer_info", "authorizer_token"]


async def test_without_the_platforms_token_no_owners_token_is_requested(
    replicas: Replicas, caplog: pytest.LogCaptureFixture
) -> None:
    def not_renewed() -> list[str]:
        lines = [line for line in caplog.records if line.getMessage() == "token not renewed"]
        return [str(vars(line)["whose"]) for line in lines]

    replica = replicas.make()
    async with keeping(replica):
        await soon(not_renewed)
        await replica.tokens.all()
        await replica.chain.close(5)
    assert not_renewed() == ["component"]


async def restless(replicas: Replicas, wechat: LocalWeChat) -> Replica:
    """Return a replica with a ticket whose upkeep looks all the time, and whose chain caches no failure."""
    seconds = count(step=60)
    replica = replicas.make(clock=lambda: float(next(seconds)))
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    upkeep = Upkeep(
        replica.chain, replica.tokens, lambda: [OWNER], lambda: 0.5, time.monotonic, every=0.0
    )
    replicas.database.statements.clear()
    return replace(replica, upkeep=upkeep)


def looks(replicas: Replicas) -> int:
    """Return how often the upkeep has read all tokens, which it does twice in a round."""
    statements = [each for each, _ in replicas.database.statements]
    return sum(each.startswith("SELECT") and "name =" not in each for each in statements)


async def test_repeated_failures_are_retried_with_growing_pauses_until_something_changes(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    wechat.fail("api_component_token", Code(61004), times=None)
    replica = await restless(replicas, wechat)
    async with keeping(replica):
        while looks(replicas) < 25:  # noqa: ASYNC110  # the fifth try would be made at the 27th
            await asyncio.sleep(0)
        assert endpoints(wechat) == ["component_token"] * 4  # at the 1st, 2nd, 5th and 12th
        replica.upkeep.wake()
        await wechat.until(lambda _: len(endpoints(wechat)) == 6)
        assert looks(replicas) < 30


async def test_failures_before_a_success_do_not_count(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    wechat.fail("api_component_token", *[Code(61004)] * 3)
    async with keeping(await restless(replicas, wechat)):
        await wechat.until(lambda _: "authorizer_token" in endpoints(wechat))
        wechat.fail("api_component_token", Code(61004), times=None)
        replicas.database.statements.clear()
        replicas.run_out("component")
        await wechat.until(lambda _: endpoints(wechat).count("component_token") == 6)
        assert looks(replicas) < 14  # else 14 rounds, of two looks each, would be skipped


def test_after_repeated_failures_half_an_hour_is_skipped_at_most() -> None:
    assert [*map(rounds_skipped, range(1, 9))] == [0, 2, 6, 14, 30, 62, 64, 64]


async def test_one_owners_failure_does_not_affect_the_other_owners(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    replicas.later(LIFE * 0.95, OWNER, OTHER)
    wechat.platform.revoke(OWNER)
    async with keeping(replica):
        await wechat.until(
            lambda wechat: ("api_authorizer_token", OTHER, 0) in wechat.platform.calls
        )
    await replica.chain.close(5)
    assert ("api_authorizer_token", OWNER, 40013) in wechat.platform.calls


async def test_a_token_that_cannot_be_renewed_yet_stays_due(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    old = await replica.token()
    replicas.later(LIFE * 0.95, OWNER)
    wechat.fail("api_authorizer_token", Code(61004))
    async with keeping(replica):
        await soon(lambda: any(state.trouble for state in replica.upkeep.states()))
    await replica.chain.close(5)
    assert await replica.token() == old
    state = replica.upkeep.states()[2]
    assert state.good_until is not None
    assert state.trouble == for_code(61004)


async def test_upkeep_continues_after_the_ledger_was_down(
    replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    replicas.later(LIFE * 0.95, OWNER)
    with replicas.down():
        keep = asyncio.create_task(replica.upkeep.run())
        await soon(lambda: caplog.records)
        for _ in range(20):
            with pytest.raises(LedgerDownError):
                await replica.tokens.all()
    assert [each.getMessage() for each in caplog.records] == ["the ledger is down"]  # it waits
    replica.upkeep.wake()
    await wechat.until(lambda wechat: bool(wechat.platform.calls))
    await cancelled(keep)


async def test_tokens_that_no_key_decrypts_are_logged_once_with_the_fix(
    replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    lost = Seal([f"{'Z' * 42}A="]).encrypt("a refresh token")
    replicas.change(OTHER, f"refresh_token = '{lost}'")
    async with keeping(replica):
        await soon(lambda: caplog.records)
        before = looks(replicas)
        replica.upkeep.wake()
        await soon(lambda: looks(replicas) > before + 1)
    told = [vars(each) for each in caplog.records if "decrypted" in each.msg]
    assert [(each["whose"], each["reason"]) for each in told] == [(OTHER, Sealed.LOST.value)]
    assert told[0]["fix"].startswith("Put the key back")


async def test_upkeep_continues_after_an_unforeseen_error(
    replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    dice = iter([None, 0.5])

    def broken_at_first() -> float:
        return next(dice, 0.5) + 0.0  # type: ignore[operator]  # which fails at the None

    await two_owners(replicas, wechat, 0.5)
    replica = replicas.make(jitter=broken_at_first)
    replicas.later(LIFE * 0.95, OWNER)
    keep = asyncio.create_task(replica.upkeep.run())
    await soon(lambda: caplog.records)
    assert {each.getMessage() for each in caplog.records} == {"unforeseen error"}
    replica.upkeep.wake()
    await wechat.until(lambda wechat: bool(wechat.platform.calls))
    await cancelled(keep)


def stored(
    name: str, left: float, error: str | None = None, value: str | None = "s3cret"
) -> StoredToken:
    error_at = 500.0 if error else None
    return StoredToken(
        name=name,
        value=value,
        refresh_token="s3cret",
        fence=3,
        left=left,
        life=LIFE,
        issued=100.0,
        expires=100.0 + LIFE,
        error=error,
        error_at=error_at,
    )


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (None, LinkState(Link.OWNER, OWNER, good_until=None, renewed=None)),
        (
            stored(OWNER, 60),
            LinkState(Link.OWNER, OWNER, good_until=7300.0, renewed=100.0, left=60.0),
        ),
        (stored(OWNER, 0), LinkState(Link.OWNER, OWNER, good_until=None, renewed=100.0)),
        (stored(OWNER, -60), LinkState(Link.OWNER, OWNER, good_until=None, renewed=100.0)),
        (
            stored(OWNER, 60, None, None),
            LinkState(Link.OWNER, OWNER, good_until=None, renewed=100.0),
        ),
        (
            stored(OWNER, 60, "61004"),
            LinkState(
                Link.OWNER,
                OWNER,
                good_until=7300.0,
                renewed=100.0,
                trouble=for_code(61004),
                trouble_at=500.0,
                left=60.0,
            ),
        ),
        (
            stored(OWNER, -60, "no-ticket"),
            LinkState(
                Link.OWNER,
                OWNER,
                good_until=None,
                renewed=100.0,
                trouble=Trouble.NO_TICKET.value,
                trouble_at=500.0,
            ),
        ),
    ],
)
def test_the_state_of_a_link_is_derived_from_its_stored_token(
    found: StoredToken | None, state: LinkState
) -> None:
    states = link_states({OWNER: found} if found else {}, [OWNER])
    assert states[2] == state
    assert "s3cret" not in repr(states)


def test_the_links_are_listed_in_the_order_of_the_chain_and_only_for_the_owners_in_the_settings() -> (
    None
):
    found = {name: stored(name, 60) for name in (OTHER, "component", "ticket", "wxsomebodyelse")}
    states = link_states(found, [OWNER, OTHER])
    assert [(state.link, state.owner) for state in states] == [
        (Link.TICKET, None),
        (Link.PLATFORM, None),
        (Link.OWNER, OWNER),
        (Link.OWNER, OTHER),
    ]


def test_a_token_that_has_expired_since_it_was_read_is_not_good() -> None:
    found = {OWNER: stored(OWNER, 60)}
    good, expired = (link_states(found, [OWNER], age)[2] for age in (59.0, 60.0))
    assert (good.good_until, good.left) == (7300.0, 1.0)
    assert (expired.good_until, expired.left) == (None, 0.0)


async def test_upkeep_reports_the_states_as_of_its_last_look_and_its_own_renewals_at_once(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = await two_owners(replicas, wechat, 0.5)
    states = replica.upkeep.states
    assert states() == ()  # it has not looked yet
    replicas.run_out(OWNER, OTHER)
    wechat.fail("api_authorizer_token", Slow(after_effect=True), times=None)
    replica.upkeep.every = 3600.0
    async with keeping(replica):
        await soon(states)
        assert [bool(each.good_until) for each in states()] == [True, True, False, False]
        wechat.clear("api_authorizer_token")
        await soon(lambda: all(each.good_until for each in states()))
