import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from bot.playground.faults import Code, Drop, Fault, Slow, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.push import Authorized, HandledPush, Ticket, Unauthorized
from bot.wechat.push_handler import EXCHANGE_TIMEOUT, PushHandler, pauses
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import Replica, Replicas, endpoints

NOT_USED = "authorisation not used"


class Time:
    """A clock, in Unix seconds, that only its sleeps move; `slept` are their lengths, and the one after `most` never ends."""

    def __init__(self, most: int = 1000) -> None:
        self.began = self.now = time.time()
        self.slept: list[float] = []
        self.sleeps_forever = asyncio.Event()
        self._most = most

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if len(self.slept) == self._most:
            self.sleeps_forever.set()
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.now += seconds


def handler_with(
    clock: Time, replica: Replica, sleep: Callable[[float], Awaitable[None]] | None = None
) -> PushHandler:
    """Return a push handler for this replica with this clock, and its sleep unless another is given."""
    wake = lambda: replica.woken.append(None)  # noqa: E731
    return PushHandler(replica.chain, replica.tokens, wake, clock, sleep or clock.sleep)


def granted(wechat: LocalWeChat, created: float, until: float, owner: str = OTHER) -> Authorized:
    return Authorized(created, owner, wechat.platform.authorize(owner), until)


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [each for each in caplog.records if each.getMessage() == NOT_USED]
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
    on_both: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture, later: float
) -> None:
    one, other = on_both.make(), on_both.make()
    await one.tokens.ticket(wechat.platform.new_ticket(), 1.0)
    async with in_flight(one, wechat, granted(wechat, 10.0, time.time() + 600)) as handling:
        await other.handler.handle(Unauthorized(10.0 + later, OTHER))
        assert not handling.done()
        gone = on_both.row(OTHER)
    assert on_both.row(OTHER) == gone
    assert (gone["value"], gone["refresh_token"], gone["error"]) == (None, None, "61003")
    assert reasons(caplog) == ["a later push replaces it"]
    assert exchanges_of(wechat) == 1


async def test_an_older_withdrawal_that_arrives_late_does_not_affect_an_exchange(
    replica: Replica, wechat: LocalWeChat
) -> None:
    async with in_flight(replica, wechat, granted(wechat, 10.0, time.time() + 600)):
        await replica.handler.handle(Unauthorized(9.0, OTHER))
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)


TEMPORARY: dict[str, Fault] = {
    "a bad gateway": Status(502),
    "a dropped connection": Drop(),
    "a busy WeChat": Code(-1),
    "an address that is not listed": Code(61004),
    "a used-up quota": Code(45009),
}


@pytest.mark.parametrize("answer", TEMPORARY.values(), ids=TEMPORARY.keys())
async def test_an_exchange_is_retried_with_growing_pauses_until_it_works(
    replica: Replica, wechat: LocalWeChat, answer: Fault
) -> None:
    clock = Time()
    handler = handler_with(clock, replica)
    wechat.platform.without_refresh_token.add(OTHER)  # so that only the code helps
    push = granted(wechat, 10.0, clock.began + 600)
    wechat.fail("api_query_auth", answer, times=None)
    handling = asyncio.create_task(handler.handle(push))
    await wechat.until(lambda _: len(clock.slept) == 3)
    assert (await replica.kept(OTHER)).value is None
    assert len(replica.woken) == 1  # so that the upkeep may find the refresh token in the list
    wechat.clear("api_query_auth")
    await handling
    assert clock.slept[:3] == [5.0, 10.0, 20.0]
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)
    assert OTHER in await replica.token(OTHER)
    assert len(replica.woken) == 2


@pytest.mark.parametrize("errcode", [61009, 61010, 61003])
async def test_an_error_about_the_code_itself_ends_the_retries(
    replica: Replica, wechat: LocalWeChat, errcode: int
) -> None:
    clock = Time()
    handler = handler_with(clock, replica)
    wechat.fail("api_query_auth", Status(502), Status(502), Code(errcode))
    await handler.handle(granted(wechat, 10.0, clock.began + 600))
    assert exchanges_of(wechat) == 3
    assert len(clock.slept) == 1


async def test_a_code_that_belongs_to_another_owner_is_not_tried_again(
    replica: Replica, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Time()
    push = granted(wechat, 10.0, clock.began + 600)
    await handler_with(clock, replica).handle(replace(push, owner=OWNER))
    assert (exchanges_of(wechat), clock.slept) == (1, [])
    assert reasons(caplog) == ["the code belongs to another owner"]
    assert (await replica.kept(OWNER)).value is None


@pytest.mark.parametrize(
    ("lives", "longest"),
    [(600.0, 600.0), (float("inf"), EXCHANGE_TIMEOUT), (9 * EXCHANGE_TIMEOUT, EXCHANGE_TIMEOUT)],
)
async def test_a_code_is_retried_for_its_lifetime_or_an_hour_at_most(
    replica: Replica,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    lives: float,
    longest: float,
) -> None:
    clock = Time()
    handler = handler_with(clock, replica)
    wechat.fail("api_query_auth", Code(61004), times=None)
    await handler.handle(granted(wechat, 10.0, clock.began + lives))
    assert longest / 2 < sum(clock.slept) < longest
    assert max(clock.slept) <= 300
    assert reasons(caplog)[-1] == "the code has expired"
    assert exchanges_of(wechat) == len(clock.slept) + 1


async def test_an_expired_code_is_tried_once(replica: Replica, wechat: LocalWeChat) -> None:
    clock = Time()
    handler = handler_with(clock, replica)
    wechat.fail("api_query_auth", Code(61004), times=None)
    await handler.handle(granted(wechat, 10.0, clock.began - 1))
    assert (exchanges_of(wechat), clock.slept) == (1, [])


@pytest.mark.parametrize("later", [0.0, 1.0], ids=["the same second", "a second later"])
async def test_a_newer_push_about_the_owner_ends_the_retries(
    replicas: Replicas,
    wechat: LocalWeChat,
    replica: Replica,
    caplog: pytest.LogCaptureFixture,
    later: float,
) -> None:
    clock, other = Time(), replicas.make()

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept) == 2:
            await other.handler.handle(Unauthorized(10.0 + later, OTHER))

    handler = handler_with(clock, replica, sleep)
    wechat.fail("api_query_auth", Code(61004), times=None)
    await handler.handle(granted(wechat, 10.0, clock.began + 600))
    assert reasons(caplog)[-1] == "a later push replaces it"
    assert exchanges_of(wechat) == 2
    gone = replicas.row(OTHER)
    assert (gone["value"], gone["error"]) == (None, "61003")


async def test_a_code_is_exchanged_after_an_outage_of_wechat_and_one_of_the_ledger(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    clock = Time()
    wechat.fail("api_query_auth", *[Status(502)] * 2)
    with ExitStack() as stack:

        async def sleep(seconds: float) -> None:
            await clock.sleep(seconds)
            if len(clock.slept) == 1:
                stack.enter_context(replicas.down())
            elif len(clock.slept) == 3:
                stack.close()

        push = granted(wechat, 10.0, clock.began + 600)
        await handler_with(clock, replica, sleep).handle(push)
    assert clock.slept == [5.0, 10.0, 20.0]
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)
    assert len(replica.woken) == 2


def handler_during_an_outage(
    clock: Time, replica: Replica, stack: ExitStack, then: Sequence[HandledPush] = ()
) -> PushHandler:
    """Return a push handler whose fourth pause ends when the ledger, which is down, is up; `then` arrives before it."""

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept) == 4:
            stack.close()
            for push in then:
                await replica.handler.handle(push)

    return handler_with(clock, replica, sleep)


async def test_pushes_during_an_outage_of_the_ledger_are_applied_once_it_is_up(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    wechat.platform.without_refresh_token.add(OTHER)  # so that only the code helps
    for push in (
        Ticket(10.0, wechat.platform.new_ticket()),
        granted(wechat, 10.0, time.time() + 600),
        Unauthorized(11.0, OTHER),
    ):
        caplog.clear()
        clock = Time()
        with ExitStack() as stack:
            stack.enter_context(replicas.down())
            await handler_during_an_outage(clock, replica, stack).handle(push)
        assert clock.slept == [5.0, 10.0, 20.0, 40.0]
        told = [
            each for each in caplog.records if each.getMessage() == "a push could not be stored"
        ]
        assert [vars(each)["push"] for each in told] == [type(push).__name__.lower()] * 4
        assert all(each.exc_info is None for each in told)
        if isinstance(push, Authorized):
            assert OTHER in await replica.token(OTHER)
    assert (await replica.kept(OTHER)).error == "61003"
    assert len(replica.woken) == 3


@pytest.mark.parametrize(("lives", "answer"), [(20.0, Code(61010)), (600.0, Status(502))])
async def test_an_owner_counts_as_authorised_after_an_outage_of_the_ledger_though_the_code_does_not_help(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, lives: float, answer: Fault
) -> None:
    clock = Time()
    wechat.fail("api_query_auth", answer, times=None)
    push = granted(wechat, 10.0, clock.began + lives)
    with ExitStack() as stack:
        stack.enter_context(replicas.down())
        await handler_during_an_outage(clock, replica, stack).handle(push)
    assert len(replica.woken) == 1  # so that the upkeep may find the refresh token in the list
    await replica.handler.handle(Unauthorized(9.0, OTHER))  # an earlier push that arrives late
    assert OTHER in await replica.token(OTHER)


async def test_a_push_during_an_outage_of_the_ledger_changes_nothing_if_a_later_one_arrived_since(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    await replica.token()
    unused, later = granted(wechat, 10.0, math.inf), granted(wechat, 11.0, math.inf)
    for push in (unused, Unauthorized(10.0, OTHER)):
        with ExitStack() as stack:
            stack.enter_context(replicas.down())
            await handler_during_an_outage(Time(), replica, stack, [later]).handle(push)
    assert OTHER in await replica.token(OTHER)
    assert exchanges_of(wechat) == 1
    assert "authorisation withdrawn" not in caplog.text


async def test_a_stop_does_not_wait_for_the_ledger(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    clock = Time(most=0)
    handler = handler_with(clock, replica)
    with replicas.down():
        handling = asyncio.create_task(handler.handle(granted(wechat, 10.0, math.inf)))
        await clock.sleeps_forever.wait()
        handler.stop()
        async with asyncio.timeout(9):
            await handling


async def test_tokens_that_the_ledger_cannot_store_at_once_are_stored_later(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    await replica.token()
    with replicas.full():
        await replica.handler.handle(granted(wechat, 10.0, time.time() + 600))
    assert (await replica.kept(OTHER)).refresh_token == wechat.platform.refresh_token(OTHER)
    assert exchanges_of(wechat) == 1


async def test_a_stop_does_not_wait_for_the_next_try(
    replica: Replica, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Time(most=0)
    handler = handler_with(clock, replica)
    wechat.fail("api_query_auth", Code(61004), times=None)
    handling = asyncio.create_task(handler.handle(granted(wechat, 10.0, clock.began + 600)))
    await clock.sleeps_forever.wait()
    handler.stop()
    async with asyncio.timeout(9):
        await handling
    assert exchanges_of(wechat) == 1
    assert reasons(caplog) == ["61004"]


async def test_after_a_restart_an_owner_whose_code_was_lost_is_found_in_wechats_list(
    replicas: Replicas, wechat: LocalWeChat, replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    wechat.fail("api_query_auth", Status(502), times=None)
    push = granted(wechat, 10.0, time.time() + 600, OWNER)
    handling = asyncio.create_task(replica.handler.handle(push))
    await wechat.until(lambda _: exchanges_of(wechat) > 1)
    assert (await replica.kept(OWNER)).refresh_token is None
    after = await replicas.restarted()
    await handling
    keeping = asyncio.create_task(after.upkeep.run())
    await wechat.until(lambda _: "authorizer_token" in endpoints(wechat))
    stored = await after.until_stored(OWNER)
    keeping.cancel()
    assert stored.refresh_token == wechat.platform.refresh_token(OWNER)
    assert endpoints(wechat)[-2:] == ["get_authorizer_info", "authorizer_token"]


def test_pauses_grow_to_five_minutes_and_fit_into_the_remaining_time() -> None:
    assert list(pauses(100)) == [5.0, 10.0, 20.0, 40.0]
    assert list(pauses(0)) == list(pauses(-1)) == []
    hour = list(pauses(EXCHANGE_TIMEOUT))
    assert hour == sorted(hour)
    assert (hour[-1], len(hour)) == (300.0, 16)
    assert sum(hour) < EXCHANGE_TIMEOUT
