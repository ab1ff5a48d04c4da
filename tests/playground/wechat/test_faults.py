import asyncio
from dataclasses import replace

import aiohttp
import pytest

from bot.playground.faults import Code, Drop, Fault, Slow, Status
from tests.cut_off import CUT_OFF, drip
from tests.gzip_bomb import GZIP_BOMB
from tests.playground.wechat.conftest import APPID, BODY, ENV, OWNER, Caller
from tests.token_server import TokenWeChat


async def test_queued_answers_are_given_in_order_and_then_the_usual_ones(
    wechat: TokenWeChat, caller: Caller
) -> None:
    token = wechat.issue(OWNER)
    wechat.fail("shareenv", Code(-1), Code("61007"), Code(0))
    answers = [await caller.share(token) for _ in range(4)]
    assert [each["errcode"] for each in answers] == [-1, "61007", 0, 0]
    assert [call.errcode for call in wechat.calls] == [-1, 61007, 0, 0]
    assert len(wechat.shared) == 2


async def test_a_gateways_answer_is_returned_unchanged(
    wechat: TokenWeChat, http: aiohttp.ClientSession
) -> None:
    wechat.fail(
        "shareenv", Status(502), Status(302, headers={"Location": "http://127.0.0.1:1/elsewhere"})
    )
    url = f"{wechat.url}/tcb/shareenv"
    async with http.post(url, json=BODY) as response:
        assert (response.status, response.content_type) == (502, "text/html")
    async with http.post(url, json=BODY, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Location"] == "http://127.0.0.1:1/elsewhere"
    assert [call.errcode for call in wechat.calls] == [None, None]


@pytest.mark.parametrize(
    ("fault", "shared"),
    [
        (Drop(), False),
        (Drop(after_effect=True), True),
        (Drop(silence=0.01), False),
        (CUT_OFF, True),
        (Drop(reset=True), False),
        (Drop(after_effect=True, reset=True), True),
        (replace(CUT_OFF, reset=True), True),
        (Drop(sent=b"HTTP/1.1 100 Continue\r\n\r\n"), False),
    ],
    ids=repr,
)
async def test_a_lost_answer_does_not_reveal_whether_the_env_was_shared(
    wechat: TokenWeChat, caller: Caller, fault: Fault, shared: bool
) -> None:
    token = wechat.issue(OWNER)
    wechat.fail("shareenv", fault)
    with pytest.raises(aiohttp.ClientError):
        await caller.share(token)
    assert bool(wechat.shared) is shared


async def test_a_reset_comes_at_once_and_as_a_reset(wechat: TokenWeChat, caller: Caller) -> None:
    wechat.fail("shareenv", Drop(after_effect=True, reset=True))
    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await caller.share(wechat.issue(OWNER))


async def test_faults_for_one_owner_apply_to_the_calls_for_its_token_only(
    wechat: TokenWeChat, caller: Caller, http: aiohttp.ClientSession
) -> None:
    wechat.fail("token", Status(503), owner="wxfedcba9876543210")
    assert await caller.token_of_server()
    wechat.fail("token", Status(503), owner=OWNER)
    async with http.get(wechat.token_url.replace("{appid}", OWNER)) as response:
        assert response.status == 503


async def test_a_slow_answer_is_the_usual_one(wechat: TokenWeChat, caller: Caller) -> None:
    wechat.fail("shareenv", Slow(0.01, after_effect=True))
    assert (await caller.share(wechat.issue(OWNER)))["errcode"] == 0


async def test_a_body_can_come_byte_by_byte(
    wechat: TokenWeChat, http: aiohttp.ClientSession
) -> None:
    wechat.fail("shareenv", drip(0.0001))
    async with http.post(f"{wechat.url}/tcb/shareenv", json=BODY) as response:
        first = await response.content.readany()
        assert (len(first) < 99, len(first) + len(await response.read())) == (True, 99)


async def test_a_body_can_be_huge_or_grow(wechat: TokenWeChat, http: aiohttp.ClientSession) -> None:
    wechat.fail("shareenv", Status(200, bytes(200_000)), GZIP_BOMB)
    url = f"{wechat.url}/tcb/shareenv"
    async with http.post(url, json=BODY) as response:
        assert len(await response.read()) == 200_000
    async with http.post(url, json=BODY) as response:
        assert int(response.headers["Content-Length"]) < 200_000
        assert len(await response.read()) == 16 << 20


async def test_the_token_server_fails_on_demand(
    wechat: TokenWeChat, caller: Caller, http: aiohttp.ClientSession
) -> None:
    twice = (Drop(), Drop())  # aiohttp repeats a GET once by itself
    wechat.fail("token", Status(503), Code(61023), *twice)
    url = wechat.token_url.replace("{appid}", OWNER)
    headers = {"Authorization": wechat.authorization}
    async with http.get(url, headers=headers) as response:
        assert response.status == 503
    async with http.get(url, headers=headers) as response:
        assert (await response.json(content_type=None))["errcode"] == 61023
    with pytest.raises(aiohttp.ClientError):
        await http.get(url, headers=headers)
    assert await caller.token_of_server()


async def test_a_timeout_of_until_has_the_calls_without_their_tokens(
    wechat: TokenWeChat, caller: Caller
) -> None:
    token = wechat.issue(OWNER)
    await caller.share(token)
    with pytest.raises(TimeoutError, match=f"shareenv {ENV} {APPID}: 0") as caught:
        await wechat.until(lambda wechat: len(wechat.calls) == 2, timeout=0.01)
    assert token not in str(caught.value)


async def test_rids_differ_from_call_to_call(caller: Caller) -> None:
    answers = [await caller.share("unknown") for _ in range(3)]
    assert len({each["errmsg"] for each in answers}) == 3


@pytest.mark.parametrize("times", [1, None])
async def test_a_call_hangs_until_the_faults_are_cleared_and_is_lost_or_answered(
    wechat: TokenWeChat, caller: Caller, times: int | None
) -> None:
    token = wechat.issue(OWNER)
    wechat.fail("shareenv", Slow(), times=times, env=ENV)
    slow = asyncio.create_task(caller.share(token))
    await wechat.until(lambda wechat: len(wechat.calls) == 1)
    wechat.clear("getenvinfo")
    wechat.fail("shareenv", Drop(silence=None), times=1, env="another")
    body = {"env": "another", "appid": "wx5fe6bb43205e9e70"}
    lost = asyncio.create_task(caller.share(token, body))
    await wechat.until(lambda wechat: len(wechat.calls) == 2)
    assert not slow.done()
    assert not lost.done()
    wechat.clear("shareenv")
    async with asyncio.timeout(30):
        assert (await slow)["errcode"] == 0
        with pytest.raises(aiohttp.ClientError):
            await lost
    assert [env for _, env, _ in wechat.shared] == [ENV]
