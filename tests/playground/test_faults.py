import aiohttp
import pytest

from bot.playground.faults import Code, Fault, Faults, RateLimited
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from tests.playground.wechat.conftest import OWNER

ONE, TWO, THREE = Code("one"), Code("two"), Code("three")


@pytest.fixture
def faults() -> Faults:
    return Faults(("call", "other"))


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
    assert met(faults, env="a") == [None]
    assert met(faults, env="b") == [TWO]
    assert faults.meet("other", {}) == THREE
    faults.plan("call", ONE)
    faults.clear()
    assert met(faults) == [None]


def test_a_method_can_also_be_named_by_its_path_and_unknown_ones_are_refused(
    faults: Faults,
) -> None:
    faults.plan("/path/of/call", ONE)
    assert met(faults) == [ONE]
    with pytest.raises(ValueError, match="there is no method shout"):
        faults.plan("shout", ONE)


async def test_faults_can_be_planned_for_every_call(
    slack: LocalSlack, wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    paths = ("/tcb/shareenv", "/tcb/getenvinfo", "/tcb/listfunctions", f"/token/{OWNER}")
    chain = [f"/cgi-bin/component/api_{name}" for name in ("query_auth", "get_authorizer_list")]
    for path in (*paths, *chain):
        wechat.fail("token" if path.startswith("/token/") else path, RateLimited(1))
        async with http.post(wechat.url + path, json={}) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "1"), path
    slack.fail("response_url", ONE)
