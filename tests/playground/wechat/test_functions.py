import aiohttp
import pytest

from bot.playground.faults import Code
from bot.playground.loopback import JsonObject
from bot.playground.wechat.server import LocalWeChat

OWNER = "wx0123456789abcdef"


async def ask(
    http: aiohttp.ClientSession, wechat: LocalWeChat, body: JsonObject, token: str | None = None
) -> JsonObject:
    params = {"access_token": wechat.issue(OWNER) if token is None else token}
    url = f"{wechat.url}/tcb/listfunctions"
    async with http.post(url, params=params, json=body) as answer:
        told: JsonObject = await answer.json(content_type=None)
        return told


async def test_an_envs_functions_are_listed_in_pages(
    http: aiohttp.ClientSession, wechat: LocalWeChat
) -> None:
    wechat.functions["prod-1"] = {"a": "Active", "b": "CreateFailed", "c": "Active"}
    pages = [
        await ask(http, wechat, {"env": "prod-1", "limit": 2, "offset": offset})
        for offset in (0, 2, 4)
    ]
    named = [
        [(each["name"], each["status"]) for each in page["functions"] if isinstance(each, dict)]
        for page in pages
        if isinstance(page["functions"], list)
    ]
    assert named == [[("a", "Active"), ("b", "CreateFailed")], [("c", "Active")], []]
    assert {page["total_count"] for page in pages} == {3}


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"env": "prod-1", "limit": 10, "offset": 0}, 0),
        ({"env": "prod-1", "limit": 10}, 40101),
        ({"limit": 10, "offset": 0}, 40101),
        ({"env": "prod-1", "limit": 0, "offset": 0}, 40097),
        ({"env": "theirs", "limit": 10, "offset": 0}, 40097),
    ],
)
async def test_an_incomplete_call_or_one_for_anothers_env_is_refused(
    http: aiohttp.ClientSession, wechat: LocalWeChat, body: JsonObject, errcode: int
) -> None:
    assert (await ask(http, wechat, body))["errcode"] == errcode


async def test_its_token_is_checked_first(http: aiohttp.ClientSession, wechat: LocalWeChat) -> None:
    assert (await ask(http, wechat, {}, "unknown"))["errcode"] == 40014


async def test_an_errcode_is_returned_on_demand(
    http: aiohttp.ClientSession, wechat: LocalWeChat
) -> None:
    wechat.fail("listfunctions", Code(-501001))
    body: JsonObject = {"env": "prod-1", "limit": 10, "offset": 0}
    assert (await ask(http, wechat, body))["errcode"] == -501001
    assert (await ask(http, wechat, body))["errcode"] == 0
