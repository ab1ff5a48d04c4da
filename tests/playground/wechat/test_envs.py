import pytest

from bot.playground.wechat.server import LocalWeChat
from tests.playground.wechat.conftest import OTHER, OWNER, Body, Caller


async def envs(caller: Caller, token: str, body: Body) -> Body:
    return await caller.post("/tcb/getenvinfo", body, access_token=token)


async def functions(caller: Caller, body: Body) -> Body:
    token = caller.wechat.issue(OWNER)
    return await caller.post("/tcb/listfunctions", body, access_token=token)


async def test_an_owners_envs_are_listed_and_no_others(wechat: LocalWeChat, caller: Caller) -> None:
    wechat.envs[OTHER] = {"theirs": "NORMAL"}
    token = wechat.issue(OWNER)
    listed = (await envs(caller, token, {}))["info_list"]
    assert isinstance(listed, list)
    assert [each["env"] for each in listed] == ["prod-1", "test-1"]
    wechat.envs[OWNER].clear()
    assert await envs(caller, token, {}) == {"errcode": 0, "errmsg": "ok"}


async def test_an_envs_functions_are_listed_in_pages(wechat: LocalWeChat, caller: Caller) -> None:
    wechat.functions["prod-1"] = {"a": "Active", "b": "CreateFailed", "c": "Active"}
    named = []
    for offset in (0, 2, 4):
        page = await functions(caller, {"env": "prod-1", "limit": 2, "offset": offset})
        assert page["total_count"] == 3
        assert isinstance(page["functions"], list)
        named.append([(each["name"], each["status"]) for each in page["functions"]])
    assert named == [[("a", "Active"), ("b", "CreateFailed")], [("c", "Active")], []]


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
async def test_an_incomplete_call_for_functions_or_one_for_anothers_env_is_refused(
    caller: Caller, body: Body, errcode: int
) -> None:
    assert (await functions(caller, body))["errcode"] == errcode
