import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace

import pytest

from bot.guidance import for_code
from bot.playground.faults import Code, Drop, Fault, Slow, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.push import Authorized, Ticket, Unauthorized
from tests.conftest import soon
from tests.wechat.conftest import OTHER, OWNER, missing
from tests.wechat.replicas import Replica, Replicas, endpoints, keeping


def granted(wechat: LocalWeChat, created: float = 10.0, owner: str = OTHER) -> Authorized:
    return Authorized(created, owner, wechat.platform.authorize(owner))


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [each for each in caplog.records if each.getMessage() == "authorisation not used"]
    return [str(vars(line)["reason"]) for line in lines]


def exchanges_of(wechat: LocalWeChat) -> int:
    return endpoints(wechat).count("query_auth")


@asynccontextmanager
async def in_flight(
    replica: Replica, wechat: LocalWeChat, push: Authorized
) -> AsyncIterator[asyncio.Task[None]]:
    """Handle an authorisation whose exchange WeChat has made but not yet answered."""
    await replica.token()
    wechat.fail("api_query_auth", Slow(after_effect=True))
    handling = asyncio.create_task(replica.handler.handle(push))
    await wechat.until(lambda _: exchanges_of(wechat) == 1)
    yield handling
    wechat.clear("api_query_auth")
    await handling


@pytest.mark.parametrize("later", [0.0, 1.0], ids=["the same second", "a second later"])
async def test_a_withdrawal_is_not_undone_by_an_exchange_that_was_in_flight(
    on_both: Replicas, wechat: LocalWeChat, later: float
) -> None:
    one, other = on_both.make(), on_both.make()
    await one.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    async with in_flight(one, wechat, granted(wechat)) as handling:
        wechat.platform.revoke(OTHER)
        await other.handler.handle(Unauthorized(10.0 + later, OTHER))
        assert not handling.done()
    gone = on_both.row(OTHER)
    assert (gone["value"], gone["refresh_token"], gone["code"]) == (None, None, None)
    assert gone["error"] == "61003"
    assert exchanges_of(wechat) == 1


async def test_an_older_withdrawal_that_arrives_late_does_not_affect_an_exchange(
    replica: Replica, wechat: LocalWeChat
) -> None:
    async with in_flight(replica, wechat, granted(wechat)):
        await replica.handler.handle(Unauthorized(9.0, OTHER))
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)


FAILURES: dict[str, tuple[Fault, str]] = {
    "a bad gateway": (Status(502), "no-token-answer"),
    "a dropped connection": (Drop(), "no-token-answer"),
    "a busy WeChat": (Code(-1), "no-token-answer"),
    "an address that is not listed": (Code(61004), "61004"),
    "a used-up quota": (Code(45009), "45009"),
    "a code that is not known": (Code(61010), "61009"),
}


@pytest.mark.parametrize(("answer", "reason"), FAILURES.values(), ids=FAILURES.keys())
async def test_an_owners_token_is_obtained_all_the_same_where_the_code_cannot_be_used(
    replica: Replica,
    replicas: Replicas,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    answer: Fault,
    reason: str,
) -> None:
    await replica.token()
    wechat.fail("api_query_auth", answer, times=None)
    wechat.platform.calls.clear()
    await replica.handler.handle(granted(wechat))
    assert reasons(caplog) == [reason]
    assert OTHER in str((await replica.kept(OTHER)).value)
    others = [call.endpoint for call in wechat.platform.calls if call.endpoint != "api_query_auth"]
    assert others == ["api_get_authorizer_info", "api_authorizer_token"]
    assert replicas.row(OTHER)["code"] is None  # it is needed no more


@pytest.mark.parametrize("why", ["WeChat", "the ledger", "no ticket"])
async def test_a_code_that_could_not_be_used_is_tried_again_by_the_next_renewal(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, why: str
) -> None:
    wechat.platform.without_refresh_token.add(OTHER)  # as long as its code was not used
    with replicas.down() if why == "the ledger" else nullcontext():
        if why == "WeChat":
            wechat.fail("api_query_auth", Code(61004), times=2)
        elif why == "no ticket":
            replicas.change("ticket", "value = NULL")
        await replica.handler.handle(granted(wechat))
    if why == "WeChat":
        assert missing(await replica.chain.token(OTHER))[0] == for_code(61004)
        replica.chain.invalidate(OTHER)
    elif why == "no ticket":
        await replica.handler.handle(Ticket(20.0, wechat.platform.new_ticket()))
    assert OTHER in await replica.token(OTHER)
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)
    assert replicas.row(OTHER)["code"] is None


@pytest.mark.parametrize("errcode", [61003, 61009, 61010])
async def test_a_code_that_wechat_refuses_is_not_tried_again(
    replica: Replica, wechat: LocalWeChat, errcode: int
) -> None:
    wechat.platform.without_refresh_token.add(OTHER)
    wechat.fail("api_query_auth", Code(errcode), times=None)
    await replica.handler.handle(granted(wechat))
    assert missing(await replica.chain.token(OTHER))[0] == for_code(61023)
    assert exchanges_of(wechat) == 1
    assert (await replica.kept(OTHER)).code is None


async def test_an_owner_whose_code_and_details_wechat_refuses_is_found_in_its_list(
    replica: Replica, wechat: LocalWeChat
) -> None:
    wechat.fail("api_query_auth", Code(61010), times=None)
    wechat.fail("api_get_authorizer_info", Code(61009), times=None)
    await replica.handler.handle(granted(wechat))
    assert OTHER in await replica.token(OTHER)
    assert endpoints(wechat)[-2:] == ["get_authorizer_list", "authorizer_token"]


async def test_a_code_that_belongs_to_another_owner_is_not_used(
    replica: Replica, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    await replica.handler.handle(replace(granted(wechat), owner=OWNER))
    assert reasons(caplog) == ["the code belongs to another owner"]
    assert await replica.tokens.find(OTHER) is None
    kept = await replica.kept(OWNER)  # as WeChat tells it
    assert OWNER in str(kept.value)
    assert kept.code is None


async def test_pushes_during_an_outage_of_the_ledger_change_nothing_for_long(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    authorised = granted(wechat)
    with replicas.down():
        await replica.handler.handle(Ticket(10.0, wechat.platform.new_ticket()))
        await replica.handler.handle(authorised)
    assert len(replica.woken) == 2
    assert OTHER in await replica.token(OTHER)  # with the earlier ticket, and the code
    assert endpoints(wechat) == ["component_token", "query_auth"]

    wechat.platform.revoke(OTHER)
    with replicas.down():
        await replica.handler.handle(Unauthorized(11.0, OTHER))
    assert len(replica.woken) == 3
    refused = await replica.token(OTHER)  # as WeChat answers to a share with it
    got = await replica.chain.token(OTHER, refused)
    assert missing(got)[0] == for_code(61003)

    lines = [each for each in caplog.records if each.getMessage() == "a push could not be stored"]
    assert [vars(each)["push"] for each in lines] == ["ticket", "authorized", "unauthorized"]
    assert all(each.exc_info is None for each in lines)


async def test_a_withdrawal_before_an_authorisation_that_the_ledger_missed_does_not_outlast_it(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    with replicas.down():
        await replica.handler.handle(granted(wechat))
    await replica.handler.handle(Unauthorized(9.0, OTHER))  # it arrives late
    assert OTHER in await replica.token(OTHER)


@pytest.mark.parametrize("owner", [OWNER, OTHER], ids=["in the policy", "not in the policy yet"])
async def test_a_code_that_a_wrong_app_secret_left_unused_is_used_after_a_restart_with_the_right_one(
    replicas: Replicas, wechat: LocalWeChat, owner: str
) -> None:
    wechat.platform.without_refresh_token.add(owner)  # as long as its code was not used
    wrong = replicas.make(appsecret="made-up-wrong")  # for the local WeChat
    await wrong.handler.handle(Ticket(1.0, wechat.platform.new_ticket()))
    await wrong.handler.handle(granted(wechat, owner=owner))
    assert exchanges_of(wechat) == 0
    after = await replicas.restarted()
    async with keeping(after):
        stored = await after.until_stored(owner)
    assert stored.refresh_token == wechat.platform.refresh_token(owner)
    assert stored.code is None
    assert exchanges_of(wechat) == 1


async def test_a_code_of_an_owner_with_a_valid_token_is_tried_again_before_that_expires(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    """It expires sooner, and the earlier refresh token no longer counts."""
    replica = replicas.make(owners=(OWNER, OTHER))
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    await replica.handler.handle(granted(wechat))
    before = await replica.token(OTHER)
    wechat.platform.without_refresh_token.add(OTHER)  # as long as its new code was not used
    wechat.fail("api_query_auth", Status(502), times=None)
    await replica.handler.handle(granted(wechat, 11.0))
    assert await replica.token(OTHER) == before
    wechat.clear("api_query_auth")
    async with keeping(replica):
        await soon(lambda: replicas.row(OTHER)["code"] is None)
    assert await replica.token(OTHER) != before
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)


async def test_a_code_is_not_tried_again_once_the_owner_withdrew(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await replica.token()
    wechat.platform.without_refresh_token.add(OTHER)
    wechat.fail("api_query_auth", Code(61004), times=None)
    await replica.handler.handle(granted(wechat))
    assert (await replica.kept(OTHER)).code
    before = exchanges_of(wechat)
    await replica.handler.handle(Unauthorized(11.0, OTHER))
    assert missing(await replica.chain.token(OTHER))[0] == for_code(61023)
    assert exchanges_of(wechat) == before


async def test_an_owner_is_found_with_the_next_ticket_after_an_outage_of_wechat(
    replicas: Replicas, wechat: LocalWeChat
) -> None:
    replica = replicas.make(owners=(OTHER,))
    await replica.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    wechat.platform.without_refresh_token.add(OTHER)  # as long as its code was not used
    failing = ("api_query_auth", "api_get_authorizer_info", "api_get_authorizer_list")
    for endpoint in failing:
        wechat.fail(endpoint, Status(502), times=None)
    await replica.handler.handle(granted(wechat))
    async with keeping(replica):
        await soon(lambda: ("owner", "no-token-answer") in replica.renewals)
        for endpoint in failing:
            wechat.clear(endpoint)
        await replica.handler.handle(Ticket(20.0, wechat.platform.new_ticket()))
        stored = await replica.until_stored(OTHER)
    assert stored.refresh_token == wechat.platform.refresh_token(OTHER)
