import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.playground.wechat.server import LocalWeChat

OWNER = "wx0123456789abcdef"
APPID = "wx5fe6bb43205e9e70"
ENV = "mytestenv-4gl1pvzp25d960df"
BODY: dict[str, object] = {"env": ENV, "appid": APPID}
RID = r"rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$"


async def share(
    http: aiohttp.ClientSession, wechat: LocalWeChat, token: str, body: object = None
) -> dict[str, object]:
    url = f"{wechat.url}/tcb/shareenv"
    sent = BODY if body is None else body
    async with http.post(url, params={"access_token": token}, json=sent) as response:
        assert response.status == 200
        decoded: dict[str, object] = await response.json(content_type=None)
        return decoded


async def token_of(http: aiohttp.ClientSession, wechat: LocalWeChat) -> str:
    url = wechat.token_url.replace("{appid}", OWNER)
    async with http.get(url, headers={"Authorization": wechat.authorization}) as response:
        body = await response.json()
        assert body["expires_in"] == 7200
        return str(body["authorizer_access_token"])


async def test_a_valid_call_shares_the_env_of_the_tokens_owner(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    token = wechat.issue(OWNER)
    assert await share(http, wechat, token) == {"errcode": 0, "errmsg": "ok"}
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
    wechat: LocalWeChat, http: aiohttp.ClientSession, body: object, errcode: int
) -> None:
    answer = await share(http, wechat, wechat.issue(OWNER), body)
    assert answer["errcode"] == errcode
    assert re.search(RID, str(answer["errmsg"]))
    assert wechat.shared == []


async def test_each_kind_of_invalid_token_has_its_own_code(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    expired, superseded = wechat.issue(OWNER), wechat.issue(OWNER)
    wechat.expire(expired)
    wechat.supersede(superseded)
    codes = [
        (await share(http, wechat, token))["errcode"]
        for token in ("", "unknown", expired, superseded)
    ]
    assert codes == [41001, 40014, 42001, 40001]
    assert wechat.shared == []


async def test_get_an_empty_body_and_bad_json_have_different_errors(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    url = f"{wechat.url}/tcb/shareenv?access_token={wechat.issue(OWNER)}"
    codes = []
    for method, data in (("GET", None), ("POST", b""), ("POST", b"{")):
        async with http.request(method, url, data=data) as response:
            codes.append((await response.json(content_type=None))["errcode"])
    assert codes == [43002, 44002, 47001]


async def test_a_body_without_its_length_is_refused_by_the_gateway(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    url = f"{wechat.url}/tcb/shareenv?access_token={wechat.issue(OWNER)}"
    async with http.post(url, data=pieces()) as response:
        assert response.status == 412
    assert wechat.calls == []


async def test_an_unknown_path_is_an_invalid_url(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{wechat.url}/tcb/sharenv") as response:
        assert (await response.json(content_type=None))["errcode"] == 40066


async def test_every_second_answer_has_a_wrong_content_type(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    kinds = []
    for _ in range(4):
        async with http.post(f"{wechat.url}/tcb/shareenv", json=BODY) as response:
            kinds.append(response.content_type)
    assert kinds == ["text/plain", "application/json"] * 2


async def test_the_token_server_returns_the_current_token_until_it_expires(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    first = await token_of(http, wechat)
    assert await token_of(http, wechat) == first
    wechat.expire(first)
    second = await token_of(http, wechat)
    wechat.supersede(second)
    third = await token_of(http, wechat)
    assert len({first, second, third}) == 3
    assert (await share(http, wechat, third))["errcode"] == 0
    assert wechat.token_calls == [OWNER] * 4


async def test_the_token_server_requires_its_authorization(
    wechat: LocalWeChat, http: aiohttp.ClientSession
) -> None:
    async with http.get(wechat.token_url.replace("{appid}", OWNER)) as response:
        assert response.status == 401
