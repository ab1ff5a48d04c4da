import re
from collections.abc import AsyncIterator
from inspect import getsource

import aiohttp
import pytest

from bot.wechat import api
from tests.playground.wechat.conftest import APPID, BODY, ENV, OWNER, RID, Caller
from tests.token_server import TokenWeChat

TCB = tuple(f"/tcb/{name}" for name in re.findall(r'_call\("(\w+)"', getsource(api)))
"""Every call that the bot makes with an owner's token."""
COMPONENT = tuple(
    f"/cgi-bin/component/api_{name}" for name in ("component_token", "authorizer_token")
)


async def test_a_valid_call_shares_the_env_of_the_tokens_owner(
    wechat: TokenWeChat, caller: Caller
) -> None:
    token = wechat.issue(OWNER)
    assert await caller.share(token) == {"errcode": 0, "errmsg": "ok"}
    assert wechat.shared == [(OWNER, ENV, APPID)]
    assert wechat.calls == [(ENV, APPID, token, 0)]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"env": ENV}, 40101),
        ({"appid": APPID}, 40101),
        ({"env": "", "appid": APPID}, 40101),
        ({"env": ENV, "appid": "wx1"}, 40097),
        ({"env": ENV, "appid": APPID.upper()}, 40097),
        ([ENV, APPID], 47001),
    ],
)
async def test_a_wrong_body_has_its_code_and_a_rid(
    wechat: TokenWeChat, caller: Caller, body: object, errcode: int
) -> None:
    answer = await caller.share(wechat.issue(OWNER), body)
    assert answer["errcode"] == errcode
    assert re.search(RID, str(answer["errmsg"]))
    assert wechat.shared == []


@pytest.mark.parametrize("path", TCB)
async def test_each_kind_of_invalid_token_has_its_own_code(
    wechat: TokenWeChat, caller: Caller, path: str
) -> None:
    expired, superseded = wechat.issue(OWNER), wechat.issue(OWNER)
    wechat.expire(expired)
    wechat.supersede(superseded)
    codes = [
        (await caller.post(path, BODY, access_token=token))["errcode"]
        for token in ("", "unknown", expired, superseded)
    ]
    assert codes == [41001, 40014, 42001, 40001]
    assert wechat.shared == []


@pytest.mark.parametrize("path", [*TCB, *COMPONENT])
async def test_get_an_empty_body_bad_json_and_no_length_have_different_errors(
    wechat: TokenWeChat, caller: Caller, path: str
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    token = await caller.renew_component() if path in COMPONENT else wechat.issue(OWNER)
    url = f"{wechat.url}{path}?access_token={token}"
    codes = []
    for method, data in (("GET", None), ("POST", b""), ("POST", b"{"), ("POST", b"[]")):
        async with caller.http.request(method, url, data=data) as response:
            codes.append((await response.json(content_type=None))["errcode"])
    assert codes == [43002, 44002, 47001, 47001]
    before = wechat.transcript()
    async with caller.http.post(url, data=pieces()) as response:
        assert response.status == 412
    assert wechat.transcript() == before


async def test_an_unknown_path_is_an_invalid_url(
    wechat: TokenWeChat, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{wechat.url}/tcb/sharenv") as response:
        assert (await response.json(content_type=None))["errcode"] == 40066


async def test_every_second_answer_has_a_wrong_content_type(
    wechat: TokenWeChat, http: aiohttp.ClientSession
) -> None:
    kinds = []
    for _ in range(4):
        async with http.post(f"{wechat.url}/tcb/shareenv", json=BODY) as response:
            kinds.append(response.content_type)
    assert kinds == ["text/plain", "application/json"] * 2
