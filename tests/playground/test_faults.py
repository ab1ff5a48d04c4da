import asyncio

import aiohttp
import pytest

from bot.playground.faults import Code, Fault, Faults, Hang, RateLimited, Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from tests.playground.conftest import Clock
from tests.playground.wechat.test_server import ENV, OWNER, share

ONE, TWO, THREE = Code("one"), Code("two"), Code("three")


@pytest.fixture
def faults(clock: Clock) -> Faults:
    return Faults(("call", "other"), clock)


def met(faults: Faults, times: int = 1, **args: str) -> list[Fault | None]:
    return [faults.meet("call", args) for _ in range(times)]


def test_faults_occur_in_order_and_as_often_as_planned(faults: Faults) -> None:
    faults.plan("call", ONE, TWO, times=2)
    faults.plan("other", THREE)
    assert met(faults, 5) == [ONE, ONE, TWO, TWO, None]


def test_a_repeated_fault_comes_after_all_others_and_lasts_until_it_is_cleared(
    faults: Faults,
) -> None:
    faults.plan("call", THREE, times=None)
    faults.plan("call", ONE, TWO)
    assert met(faults, 4) == [ONE, TWO, THREE, THREE]
    faults.clear("call")
    assert met(faults) == [None]


def test_a_fault_can_last_until_a_given_time(faults: Faults, clock: Clock) -> None:
    faults.plan("call", ONE, times=None, until=clock.now + 60)
    faults.plan("call", TWO, until=clock.now + 60)
    assert met(faults, 2) == [TWO, ONE]
    clock.now += 60
    assert met(faults) == [None]
    assert list(faults) == []


def test_a_fault_for_certain_arguments_applies_to_them_only_and_takes_precedence(
    faults: Faults,
) -> None:
    faults.plan("call", ONE)
    faults.plan("call", TWO, times=None, env="a")
    assert met(faults, 2, env="a", owner="b") == [TWO, TWO]
    assert met(faults, 2, env="c") == [ONE, None]


def test_clearing_faults_for_certain_arguments_keeps_the_others(faults: Faults) -> None:
    faults.plan("call", ONE, env="a")
    faults.plan("call", TWO, env="b")
    faults.plan("other", THREE)
    faults.clear("call", env="a")
    assert [(method, each.fault) for method, each in faults] == [("call", TWO), ("other", THREE)]
    faults.clear()
    assert list(faults) == []


def test_a_method_can_also_be_named_by_its_path_and_unknown_ones_are_refused(
    faults: Faults,
) -> None:
    faults.plan("/path/of/call", ONE)
    assert met(faults) == [ONE]
    with pytest.raises(ValueError, match="there is no method shout"):
        faults.plan("shout", ONE)


@pytest.mark.parametrize("times", [1, None])
async def test_a_call_hangs_until_the_faults_are_cleared_and_is_lost_or_answered(
    wechat: LocalWeChat, http: aiohttp.ClientSession, times: int | None
) -> None:
    token = wechat.issue(OWNER)
    wechat.fail("shareenv", Slow(), times=times, env=ENV)
    slow = asyncio.create_task(share(http, wechat, token))
    await wechat.until(lambda wechat: len(wechat.calls) == 1)
    wechat.clear("getenvinfo")
    wechat.fail("shareenv", Hang(), times=1, env="another")
    body = {"env": "another", "appid": "wx5fe6bb43205e9e70"}
    lost = asyncio.create_task(share(http, wechat, token, body))
    await wechat.until(lambda wechat: len(wechat.calls) == 2)
    assert not slow.done()
    assert not lost.done()
    wechat.clear("shareenv")
    async with asyncio.timeout(30):
        assert (await slow)["errcode"] == 0
        with pytest.raises(aiohttp.ClientError):
            await lost
    assert [env for _, env, _ in wechat.shared] == [ENV]


async def test_wechats_gateway_can_limit_calls_too(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    wechat.fail("shareenv", RateLimited(7))
    async with http.post(f"{wechat.url}/tcb/shareenv", json={}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")


async def test_faults_can_be_planned_for_every_call(
    slack: LocalSlack, wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    paths = ("/tcb/shareenv", "/tcb/getenvinfo", "/tcb/listfunctions", f"/token/{OWNER}")
    chain = [f"/cgi-bin/component/api_{name}" for name in ("query_auth", "get_authorizer_list")]
    for path in (*paths, *chain):
        wechat.fail("token" if path.startswith("/token/") else path, RateLimited(1))
        async with http.post(wechat.url + path, json={}) as response:
            assert response.status == 429, path
    slack.fail("response_url", ONE)
