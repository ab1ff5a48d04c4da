import asyncio
import time
from collections.abc import Callable, Coroutine

import httpx
import pytest

from bot.domain.link import Link
from bot.domain.outcome import Called, Failed, Outcome, Shared
from bot.guidance import Trouble, for_code
from bot.ledger.tokens import TICKET_LIFE
from bot.playground.faults import Code, Drop, Fault, Slow, Status
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.observers import no_op
from bot.wechat.api import NoAnswer
from bot.wechat.chain import CLAIM_SECONDS, PUSH_EVERY
from bot.wechat.client import WeChat
from bot.wechat.push import Ticket
from bot.wechat.transport import WeChatApi
from tests.conftest import Clock
from tests.wechat.conftest import APPID, ENV, OTHER, OWNER, always, missing
from tests.wechat.replicas import LIFE, Replica, Replicas, briefly, endpoints

NO_TICKET = NoAnswer(Trouble.NO_TICKET.value, link=Link.TICKET)
NOT_KEPT = NoAnswer(Trouble.TOKENS_NOT_KEPT.value, link=Link.OWNER)

Expire = Callable[..., None]
Share = Callable[[], Coroutine[None, None, Outcome]]


@pytest.fixture
def expire(replicas: Replicas, clock: Clock) -> Expire:
    """A function that lets the tokens of these names expire, for the ledger and the replicas."""

    def expire(*names: str) -> None:
        replicas.run_out(*names)
        clock.now += 60

    return expire


@pytest.fixture
def share(http: httpx.AsyncClient, wechat: LocalWeChat, replica: Replica, clock: Clock) -> Share:
    """A function that shares the owner's env with the replica's token."""
    client = WeChat(
        WeChatApi(http, wechat.url, time.monotonic),
        replica.chain,
        timeout=30,
        clock=clock,
        sleep=briefly,
        jitter=lambda: 0.5,
    )

    async def share() -> Called:
        called = await client.share(OWNER, ENV, APPID, no_op, always)
        assert called is not None
        return called

    return share


async def test_a_ticket_becomes_a_token_that_shares_and_is_used_again(
    share: Share, wechat: LocalWeChat
) -> None:
    assert await share() == Shared(1)
    assert await share() == Shared(1)
    assert wechat.shared == [(OWNER, ENV, APPID)] * 2
    assert endpoints(wechat) == ["component_token", "get_authorizer_info", "authorizer_token"]


async def test_token_and_refresh_token_are_stored_before_the_token_is_used(
    share: Share, replica: Replica, wechat: LocalWeChat
) -> None:
    wechat.platform.rotate_refresh_tokens = True
    wechat.fail("shareenv", Drop(silence=60))
    sharing = asyncio.create_task(share())
    await wechat.until(lambda wechat: bool(wechat.calls))
    kept = await replica.kept(OWNER)
    assert kept.value == wechat.calls[0].token
    assert kept.refresh_token == wechat.platform.refresh_token(OWNER)
    sharing.cancel()


async def test_a_token_that_the_ledger_cannot_store_is_not_handed_out_and_not_lost(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, expire: Expire
) -> None:
    old = await replica.token()
    wechat.platform.rotate_refresh_tokens = True
    expire(OWNER)
    with replicas.full():
        assert await replica.chain.token(OWNER) == NOT_KEPT
    calls = len(wechat.platform.calls)
    assert await replica.token() != old
    kept = await replica.kept(OWNER)
    assert kept.refresh_token == wechat.platform.refresh_token(OWNER)
    assert len(wechat.platform.calls) == calls


async def test_a_rotated_refresh_token_is_used_next(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    wechat.platform.rotate_refresh_tokens = True
    tokens = {await replica.token()}
    for _ in range(3):
        expire(OWNER)
        wechat.advance(LIFE)  # the previous refresh token is dead by now
        tokens.add(await replica.token())
    assert len(tokens) == 4
    assert endpoints(wechat).count("get_authorizer_info") == 1  # at the beginning
    assert (await replica.kept(OWNER)).refresh_token == wechat.platform.refresh_token(OWNER)


async def test_a_refresh_token_is_kept_if_wechat_does_not_repeat_it(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    await replica.token()
    expire(OWNER)
    answer = b'{"authorizer_access_token":"t","expires_in":7200}'
    wechat.fail("api_authorizer_token", Status(200, answer))
    assert await replica.token() == "t"
    assert (await replica.kept(OWNER)).refresh_token == wechat.platform.refresh_token(OWNER)


async def test_a_lost_refresh_token_is_requested_for_its_owner(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    await replica.token()
    wechat.platform.calls.clear()
    wechat.platform.lose(OWNER)
    expire(OWNER)
    await replica.token()
    assert [(call.endpoint[4:], call.errcode) for call in wechat.platform.calls] == [
        ("authorizer_token", 61023),
        ("get_authorizer_info", 0),
        ("authorizer_token", 0),
    ]
    assert (await replica.kept(OWNER)).refresh_token == wechat.platform.refresh_token(OWNER)


async def test_a_lost_refresh_token_is_also_found_in_the_list(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    wechat.platform.authorize(OTHER)
    await replica.token(OTHER)
    wechat.platform.calls.clear()
    wechat.platform.lose(OTHER)
    wechat.fail("api_get_authorizer_info", Code(48001), times=None)
    expire(OTHER)
    await replica.token(OTHER)
    assert [(call.endpoint[4:], call.errcode) for call in wechat.platform.calls] == [
        ("authorizer_token", 61023),
        ("get_authorizer_info", 48001),
        ("get_authorizer_list", 0),
        ("authorizer_token", 0),
    ]
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)


async def test_without_any_good_refresh_token_none_is_tried(
    replica: Replica, wechat: LocalWeChat
) -> None:
    wechat.platform.without_refresh_token.add(OWNER)
    claim = await replica.tokens.claim(OWNER, CLAIM_SECONDS)
    assert claim
    await replica.tokens.save(claim, "old", "dead", 0.0)
    assert await replica.chain.token(OWNER) == NoAnswer(for_code(61023), link=Link.OWNER)
    assert endpoints(wechat) == [
        *("component_token", "authorizer_token", "get_authorizer_info", "get_authorizer_list"),
    ]


async def test_an_owner_that_is_not_listed_has_not_authorised_the_platform(
    replica: Replica, wechat: LocalWeChat
) -> None:
    assert await replica.chain.token(OTHER) == NoAnswer(for_code(61003), link=Link.OWNER)
    assert endpoints(wechat) == ["component_token", "get_authorizer_info", "get_authorizer_list"]


@pytest.mark.parametrize("not_authorised", [40013, 61003])
async def test_an_owner_that_withdrew_has_not_authorised_the_platform_in_every_form_of_answer(
    replica: Replica, wechat: LocalWeChat, expire: Expire, not_authorised: int
) -> None:
    wechat.platform.not_authorised = not_authorised
    await replica.token()
    wechat.platform.revoke(OWNER)
    expire(OWNER)
    got = await replica.chain.token(OWNER)
    assert isinstance(got, NoAnswer)
    assert (got.guidance, got.link) == (for_code(61003), Link.OWNER)
    assert got.said
    assert got.said.errcode == not_authorised


@pytest.mark.parametrize("stored", ["", "dead"])
async def test_without_a_good_refresh_token_in_the_ledger_that_of_the_settings_is_used(
    replicas: Replicas, wechat: LocalWeChat, stored: str
) -> None:
    replica = replicas.make(seeds={OWNER: wechat.platform.refresh_token(OWNER)})
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.platform.without_refresh_token.add(OWNER)
    if stored:
        claim = await replica.tokens.claim(OWNER, CLAIM_SECONDS)
        assert claim
        await replica.tokens.save(claim, "old", stored, 0.0)
    await replica.token()
    tried = ["authorizer_token"] * (2 if stored else 1)
    assert endpoints(wechat) == ["component_token", *tried]


async def test_a_dead_refresh_token_of_the_settings_is_replaced_from_the_list(
    replicas: Replicas, wechat: LocalWeChat, clock: Clock
) -> None:
    replica = replicas.make(seeds={OWNER: "dead"})
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.platform.without_refresh_token.add(OWNER)
    got = await replica.chain.token(OWNER)
    assert got == NoAnswer(for_code(61023), link=Link.OWNER)
    assert endpoints(wechat)[1:] == [
        *("authorizer_token", "get_authorizer_info", "get_authorizer_list"),
    ]
    wechat.platform.authorize(OTHER)
    wechat.fail("api_get_authorizer_list", Status(200, listing(wechat)))
    clock.now += 5
    await replica.token()


def listing(wechat: LocalWeChat) -> bytes:
    refresh_token = wechat.platform.refresh_token(OWNER)
    return f'{{"total_count":1,"list":[{{"authorizer_appid":"{OWNER}","refresh_token":"{refresh_token}"}}]}}'.encode()


async def test_a_missing_ticket_is_requested_once_in_ten_minutes_by_all_replicas_together(
    replicas: Replicas, wechat: LocalWeChat, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = replicas.make(), replicas.make()
    assert PUSH_EVERY == 600
    for replica in (first, second, first, second):
        assert await replica.chain.token(OWNER) == NO_TICKET
        clock.now += 60
    restarted = await replicas.restarted()
    assert await restarted.chain.token(OWNER) == NO_TICKET
    assert endpoints(wechat) == ["start_push_ticket"]
    (asked,) = (each for each in caplog.records if each.message.startswith("no ticket: WeChat"))
    assert (vars(asked)["answer"], vars(asked)["why"]) == ("ok", "they had stopped")
    replicas.change("ticket", "lease_until = lease_until - 600")
    clock.now += 60
    assert await restarted.chain.token(OWNER) == NO_TICKET
    assert endpoints(wechat) == ["start_push_ticket"] * 2


async def test_a_ticket_that_arrives_while_a_renewal_misses_it_is_used_by_the_next(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = replicas.make()
    wechat.fail("api_start_push_ticket", Slow())
    renewal = asyncio.create_task(replica.chain.token(OWNER))
    await wechat.until(lambda wechat: endpoints(wechat) == ["start_push_ticket"])
    await replica.handler.handle(Ticket(1.0, wechat.platform.new_ticket()))
    wechat.clear()
    assert await renewal == NO_TICKET
    await replica.token()


async def test_the_reason_why_wechat_pushes_no_ticket_is_shown_for_ten_minutes(
    replicas: Replicas, wechat: LocalWeChat, clock: Clock
) -> None:
    wechat.fail("api_start_push_ticket", Code(61004), times=None)
    for replica in (replicas.make(), replicas.make()):
        assert missing(await replica.chain.token(OWNER)) == (for_code(61004), Link.TICKET)
        clock.now += 60
    assert endpoints(wechat) == ["start_push_ticket"]


@pytest.mark.parametrize(("hours", "good"), [(1, True), (11.9, True), (12, False)])
async def test_a_ticket_survives_a_restart_for_its_twelve_hours(
    replicas: Replicas, replica: Replica, wechat: LocalWeChat, hours: float, *, good: bool
) -> None:
    assert replica in replicas.made
    replicas.later(hours * 3600, "ticket")
    restarted = await replicas.restarted()
    got = await restarted.chain.token(OWNER)
    assert isinstance(got, str) == good
    assert ("start_push_ticket" in endpoints(wechat)) == (not good)


async def test_a_ticket_that_wechat_rejects_is_requested_anew(
    replica: Replica, wechat: LocalWeChat, clock: Clock
) -> None:
    wechat.advance(12 * 3600)
    for _ in range(2):
        assert missing(await replica.chain.token(OWNER)) == (for_code(61005), Link.TICKET)
        clock.now += 5
    assert endpoints(wechat) == ["component_token", "start_push_ticket", "component_token"]
    await replica.tokens.ticket(wechat.platform.new_ticket(), 2.0)
    replica.chain.invalidate("ticket")
    await replica.token()


@pytest.mark.parametrize("errcode", [40001, 40014, 42001, 42006])
async def test_a_share_with_a_dead_token_is_repeated_with_a_new_one(
    share: Share,
    replica: Replica,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    errcode: int,
) -> None:
    old = await replica.token()
    wechat.platform.calls.clear()
    wechat.fail("shareenv", Code(errcode))
    assert await share() == Shared(2)
    assert [call.token == old for call in wechat.calls] == [True, False]
    assert endpoints(wechat) == ["authorizer_token"]
    assert "token not renewed" not in caplog.text


async def test_only_the_current_token_is_renewed(replica: Replica, wechat: LocalWeChat) -> None:
    first = await replica.token()
    second = await replica.chain.token(OWNER, first)
    calls = len(wechat.platform.calls)
    assert second not in {first, None}
    assert await replica.chain.token(OWNER, first) == second
    assert await replica.chain.token(OWNER, "never heard of") == second
    assert len(wechat.platform.calls) == calls
    third = await replica.chain.token(OWNER, str(second))
    assert third not in {first, second}
    assert len(wechat.platform.calls) == calls + 1


async def test_a_platform_token_that_expires_during_a_renewal_is_renewed_and_the_renewal_goes_on(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    await replica.token()
    wechat.platform.calls.clear()
    wechat.advance(LIFE)  # for the ledger, the platform's token is still valid
    expire(OWNER)
    await replica.token()
    assert [(call.endpoint[4:], call.errcode) for call in wechat.platform.calls] == [
        ("authorizer_token", 42001),
        ("component_token", 0),
        ("authorizer_token", 0),
    ]


async def test_a_platform_token_that_is_always_rejected_is_renewed_once_only(
    replica: Replica, wechat: LocalWeChat, expire: Expire
) -> None:
    await replica.token()
    wechat.platform.calls.clear()
    wechat.fail("api_authorizer_token", Code(42006), times=None)
    expire(OWNER)
    assert missing(await replica.chain.token(OWNER)) == (for_code(42006), Link.PLATFORM)
    assert endpoints(wechat) == ["authorizer_token", "component_token", "authorizer_token"]


async def test_with_a_wrong_secret_a_hundred_requests_make_one_call_in_five_seconds(
    replicas: Replicas, wechat: LocalWeChat, clock: Clock
) -> None:
    replica = replicas.make(appsecret="wrong")
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    for _ in range(3):
        for _ in range(100):
            assert missing(await replica.chain.token(OWNER)) == (for_code(40125), Link.PLATFORM)
        clock.now += 5
    assert endpoints(wechat) == ["component_token"] * 3


REFUSALS = [
    ("api_component_token", 61004, Link.PLATFORM),
    ("api_component_token", 61006, Link.TICKET),
    ("api_authorizer_token", 61003, Link.OWNER),
    ("api_get_authorizer_list", 48001, Link.OWNER),
]
"""One of each link and call; `test_component.py` has all codes."""


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: f"{each[0]}-{each[1]}")
async def test_the_requester_learns_which_link_broke_and_why(
    share: Share, replica: Replica, wechat: LocalWeChat, refusal: tuple[str, int, Link]
) -> None:
    endpoint, errcode, link = refusal
    wechat.fail(endpoint, Code(errcode), times=None)
    if endpoint == "api_get_authorizer_list":  # called only if the other call fails
        wechat.fail("api_get_authorizer_info", Code(errcode), times=None)
    outcome = await share()
    assert isinstance(outcome, Failed)
    assert (outcome.guidance, outcome.link, outcome.tries) == (for_code(errcode), link, 0)
    assert outcome.said
    assert outcome.said.rid
    assert wechat.calls == []
    name = "component" if endpoint == "api_component_token" else OWNER
    assert (await replica.kept(name)).error == for_code(errcode).key


@pytest.mark.parametrize("endpoint", ["api_component_token", "api_authorizer_token"])
@pytest.mark.parametrize("failure", [Code(-1), Drop()], ids=repr)
async def test_a_renewal_without_an_answer_is_never_reported_as_a_share_that_may_have_happened(
    share: Share, wechat: LocalWeChat, endpoint: str, failure: Fault
) -> None:
    wechat.fail(endpoint, failure, times=None)
    outcome = await share()
    assert isinstance(outcome, Failed)
    assert outcome.guidance == Trouble.NO_TOKEN_ANSWER.value
    assert not outcome.guidance.in_doubt


async def test_each_renewal_is_reported_with_its_link_and_result(
    replicas: Replicas, replica: Replica, wechat: LocalWeChat
) -> None:
    await replica.token()
    assert replica.renewals == [("platform", "renewed"), ("owner", "renewed")]
    without_ticket = replicas.make()
    replicas.run_out("component", OWNER)
    replicas.later(TICKET_LIFE, "ticket")
    assert isinstance(await without_ticket.chain.token(OWNER), NoAnswer)
    assert without_ticket.renewals == [("platform", "no-ticket"), ("owner", "no-ticket")]
    await replica.tokens.ticket(wechat.platform.new_ticket(), 2.0)
    wechat.fail("api_component_token", Code(61004))
    late = replicas.make()
    assert isinstance(await late.chain.token(OWNER), NoAnswer)
    assert late.renewals == [("platform", "61004"), ("owner", "61004")]
