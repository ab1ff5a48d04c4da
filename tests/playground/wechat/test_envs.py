import aiohttp
import pytest

from bot.playground.faults import Code
from bot.playground.loopback import JsonObject
from bot.playground.wechat.server import LocalWeChat

OWNER = "wx0123456789abcdef"


async def ask(
    http: aiohttp.ClientSession,
    wechat: LocalWeChat,
    token: str,
    body: str = "{}",
    method: str = "POST",
) -> JsonObject:
    url = f"{wechat.url}/tcb/getenvinfo"
    async with http.request(method, url, params={"access_token": token}, data=body) as answer:
        told: JsonObject = await answer.json(content_type=None)
        return told


async def test_an_owners_envs_are_listed_and_no_others(
    http: aiohttp.ClientSession, wechat: LocalWeChat
) -> None:
    wechat.envs["wxfedcba9876543210"] = {"theirs": "NORMAL"}
    token = wechat.issue(OWNER)
    told = await ask(http, wechat, token)
    listed = told["info_list"]
    assert isinstance(listed, list)
    assert [each["env"] for each in listed if isinstance(each, dict)] == ["prod-1", "test-1"]
    one = await ask(http, wechat, token, '{"env": "test-1"}')
    other = await ask(http, wechat, token, '{"env": "theirs"}')
    assert [str(each.get("info_list")).count("alias") for each in (one, other)] == [1, 0]
    assert other == {"errcode": 0, "errmsg": "ok"}


@pytest.mark.parametrize("how", ["missing", "unknown", "expired", "superseded", "GET", "no JSON"])
async def test_the_call_is_checked_like_a_share(
    http: aiohttp.ClientSession, wechat: LocalWeChat, how: str
) -> None:
    token, body, method = wechat.issue(OWNER), "{}", "POST"
    match how:
        case "missing":
            token = ""
        case "unknown":
            token = "unknown"
        case "expired":
            wechat.expire(token)
        case "superseded":
            wechat.supersede(token)
        case "GET":
            method = "GET"
        case _:
            body = "no"
    told = await ask(http, wechat, token, body, method)
    codes = {
        "missing": 41001,
        "unknown": 40014,
        "expired": 42001,
        "superseded": 40001,
        "GET": 43002,
    }
    assert told["errcode"] == codes.get(how, 47001)


async def test_an_errcode_is_returned_on_demand(
    http: aiohttp.ClientSession, wechat: LocalWeChat
) -> None:
    wechat.fail("getenvinfo", Code(61007))
    token = wechat.issue(OWNER)
    assert (await ask(http, wechat, token))["errcode"] == 61007
    assert (await ask(http, wechat, token))["errcode"] == 0
