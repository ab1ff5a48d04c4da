import re

import aiohttp
import pytest

from bot.playground.faults import Code
from bot.playground.wechat.server import LocalWeChat
from tests.playground.wechat.conftest import OTHER, OWNER, RID, Body, Caller

TWO_HOURS = 7200
FIVE_MINUTES = 300
TWELVE_HOURS = 43200


@pytest.fixture
async def token(caller: Caller) -> str:
    """Return a component_access_token."""
    return await caller.renew_component()


async def test_a_ticket_brings_a_platform_token_which_brings_an_owners_token_that_shares(
    wechat: LocalWeChat, caller: Caller
) -> None:
    first = await caller.call("api_component_token", caller.proof())
    assert first.keys() == {"component_access_token", "expires_in"}
    second = await caller.renew(str(first["component_access_token"]))
    known = wechat.platform.refresh_token(OWNER)
    assert second == {
        "authorizer_access_token": second["authorizer_access_token"],
        "expires_in": TWO_HOURS,
        "authorizer_refresh_token": known,
    }
    assert (await caller.share(str(second["authorizer_access_token"])))["errcode"] == 0
    assert [owner for owner, _, _ in wechat.shared] == [OWNER]
    assert wechat.platform.calls == [
        ("api_component_token", "", 0),
        ("api_authorizer_token", OWNER, 0),
    ]


@pytest.mark.parametrize(
    ("changed", "errcode"),
    [
        ({"component_appid": None}, 41018),
        ({"component_appid": OWNER}, 61011),
        ({"component_appsecret": None}, 41004),
        ({"component_appsecret": "wrong"}, 40125),
        ({"component_verify_ticket": None}, 61011),
        ({"component_verify_ticket": "unknown"}, 61006),
    ],
)
async def test_each_wrong_part_of_the_platforms_proof_has_its_code(
    caller: Caller, changed: Body, errcode: int
) -> None:
    answer = await caller.call("api_component_token", caller.proof() | changed)
    assert answer["errcode"] == errcode
    assert re.search(RID, str(answer["errmsg"]))


@pytest.mark.parametrize(
    ("given", "errcode"),
    [
        ({"component_secret": "made-up-component-secret"}, 0),
        ({"component_appsecret": "made-up-component-secret"}, 41004),
        ({"component_secret": "wrong"}, 40125),
    ],
)
async def test_the_call_that_starts_pushes_has_another_name_for_the_secret(
    caller: Caller, given: Body, errcode: int
) -> None:
    assert (await caller.call("api_start_push_ticket", given))["errcode"] == errcode


async def test_a_ticket_is_valid_for_twelve_hours_in_spite_of_newer_ones(
    wechat: LocalWeChat, caller: Caller
) -> None:
    proof = caller.proof()
    wechat.platform.new_ticket()
    wechat.advance(TWELVE_HOURS - 60)
    assert "errcode" not in await caller.call("api_component_token", proof)
    wechat.advance(60)
    assert (await caller.call("api_component_token", proof))["errcode"] == 61005


async def test_a_component_token_dies_after_two_hours_or_five_minutes_after_the_next(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    newer = await caller.renew_component()
    wechat.advance(FIVE_MINUTES - 60)
    assert "errcode" not in await caller.renew(token)
    wechat.advance(60)
    assert (await caller.renew(token))["errcode"] == 40001
    assert "errcode" not in await caller.renew(newer)
    wechat.advance(TWO_HOURS - FIVE_MINUTES)
    assert (await caller.renew(newer))["errcode"] == 42001


async def test_an_access_token_dies_after_two_hours_or_five_minutes_after_the_next(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    issued = wechat.issue(OWNER)
    older, newer = [str((await caller.renew(token))["authorizer_access_token"]) for _ in range(2)]
    assert (await caller.share(older))["errcode"] == 0
    wechat.advance(FIVE_MINUTES)
    assert [(await caller.share(each))["errcode"] for each in (issued, older, newer)] == [
        40001,
        40001,
        0,
    ]
    wechat.advance(TWO_HOURS - FIVE_MINUTES)
    assert (await caller.share(newer))["errcode"] == 42001


async def test_new_tokens_are_valid_for_the_stated_time(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    wechat.platform.expires_in = 60
    answer = await caller.renew(token)
    assert answer["expires_in"] == 60
    wechat.advance(60)
    assert (await caller.share(str(answer["authorizer_access_token"])))["errcode"] == 42001


@pytest.mark.parametrize(
    "endpoint", ["api_authorizer_token", "api_query_auth", "api_get_authorizer_list"]
)
async def test_a_component_token_must_be_there_and_known(
    wechat: LocalWeChat, caller: Caller, endpoint: str
) -> None:
    codes = [
        (await caller.call(endpoint, {}, token))["errcode"]
        for token in ("", "unknown", wechat.issue(OWNER))
    ]
    assert codes == [41001, 40001, 40001]


async def test_the_component_token_may_have_the_newer_documents_name(
    wechat: LocalWeChat, http: aiohttp.ClientSession, token: str
) -> None:
    url = f"{wechat.url}/cgi-bin/component/api_get_authorizer_list?access_token={token}"
    body = {"component_appid": wechat.platform.component_appid, "offset": 0, "count": 500}
    async with http.post(url, json=body) as response:
        assert (await response.json(content_type=None))["total_count"] == 1


@pytest.mark.parametrize("not_authorised", [40013, 61003])
async def test_each_wrong_part_of_an_owners_proof_has_its_code(
    wechat: LocalWeChat, caller: Caller, token: str, not_authorised: int
) -> None:
    wechat.platform.not_authorised = not_authorised
    codes = [
        (await caller.renew(token, "unknown", owner))["errcode"] for owner in ("", OTHER, OWNER)
    ]
    assert codes == [41002, not_authorised, 61023]


async def test_an_owners_refresh_token_is_refused_for_another_owner(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    wechat.platform.authorize(OTHER)
    others = wechat.platform.refresh_token(OTHER)
    assert (await caller.renew(token, others, OWNER))["errcode"] == 61023
    assert "errcode" not in await caller.renew(token, others, OTHER)


async def test_a_refresh_token_stays_the_same_or_is_rotated_with_an_overlap(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    first = wechat.platform.refresh_token(OWNER)
    assert (await caller.renew(token, first))["authorizer_refresh_token"] == first
    wechat.platform.rotate_refresh_tokens = True
    second = str((await caller.renew(token, first))["authorizer_refresh_token"])
    wechat.advance(FIVE_MINUTES - 60)
    third = str((await caller.renew(token, first))["authorizer_refresh_token"])
    assert len({first, second, third}) == 3
    wechat.advance(60)
    assert (await caller.renew(token, first))["errcode"] == 61023
    assert "errcode" not in await caller.renew(token, third)


async def test_a_lost_refresh_token_is_found_again_in_the_list(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    known = wechat.platform.refresh_token(OWNER)
    wechat.platform.lose(OWNER)
    assert (await caller.renew(token, known))["errcode"] == 61023
    answer = await caller.listing(token, 0, 500)
    current = wechat.platform.refresh_token(OWNER)
    assert current != known
    assert answer == {
        "total_count": 1,
        "list": [
            {
                "authorizer_appid": OWNER,
                "refresh_token": current,
                "auth_time": wechat.platform.authorized[OWNER],
            }
        ],
    }
    assert "errcode" not in await caller.renew(token, current)


async def test_the_list_has_pages_of_at_most_five_hundred(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    owners = [OWNER, *(f"wx{number:016x}" for number in range(600))]
    for owner in owners:
        wechat.platform.authorize(owner)
    listed: list[str] = []
    for offset in (0, 500):
        page = await caller.listing(token, offset, 500)
        assert page["total_count"] == 601
        assert isinstance(page["list"], list)
        listed += [each["authorizer_appid"] for each in page["list"]]
    assert listed == owners
    assert await caller.listing(token, 1000, 500) == {"total_count": 601}
    codes = [
        (await caller.listing(token, offset, count))["errcode"]
        for offset, count in ((0, 501), (0, 0), (-1, 1), (0, None), ("0", 1))
    ]
    assert codes == [40097, 40097, 40097, 40101, 40101]


async def test_the_list_can_lack_a_refresh_token_until_a_code_is_exchanged(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    code = wechat.platform.authorize(OWNER)
    wechat.platform.without_refresh_token.add(OWNER)
    auth_time = wechat.platform.authorized[OWNER]
    lacking = {"authorizer_appid": OWNER, "auth_time": auth_time}
    assert (await caller.listing(token, 0, 1))["list"] == [lacking]
    await caller.exchange(token, code)
    whole = {**lacking, "refresh_token": wechat.platform.refresh_token(OWNER)}
    assert (await caller.listing(token, 0, 1))["list"] == [whole]


async def test_an_authorization_code_is_exchanged_once_for_an_owners_tokens(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    code = wechat.platform.authorize(OTHER)
    answer = await caller.exchange(token, code)
    assert answer.keys() == {"authorization_info"}
    info = answer["authorization_info"]
    assert isinstance(info, dict)
    assert info == {
        "authorizer_appid": OTHER,
        "authorizer_access_token": info["authorizer_access_token"],
        "expires_in": TWO_HOURS,
        "authorizer_refresh_token": wechat.platform.refresh_token(OTHER),
        "func_info": [{"funcscope_category": {"id": 18}}, {"funcscope_category": {"id": 49}}],
    }
    assert (await caller.share(info["authorizer_access_token"]))["errcode"] == 0
    assert (await caller.exchange(token, code))["errcode"] == 61009
    assert [each.owner for each in wechat.platform.calls] == ["", OTHER, OTHER]


async def test_an_unknown_an_expired_and_a_revoked_owners_code_have_different_errors(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    old = wechat.platform.authorize(OWNER)
    wechat.advance(3600)
    revoked = wechat.platform.authorize(OTHER)
    wechat.platform.revoke(OTHER)
    codes = [
        (await caller.exchange(token, code))["errcode"] for code in (None, "unknown", old, revoked)
    ]
    assert codes == [61009, 61009, 61010, 61003]


async def test_all_tokens_of_an_owner_expire_when_it_withdraws(
    wechat: LocalWeChat, caller: Caller, token: str
) -> None:
    known = wechat.platform.refresh_token(OWNER)
    access_token = str((await caller.renew(token))["authorizer_access_token"])
    wechat.platform.revoke(OWNER)
    assert wechat.platform.authorized == {}
    assert (await caller.renew(token, known))["errcode"] == 40013
    assert (await caller.share(access_token))["errcode"] == 61003
    assert await caller.listing(token, 0, 500) == {"total_count": 0}
    wechat.platform.authorize(OWNER)
    assert (await caller.renew(token, known))["errcode"] == 61023
    assert (await caller.share(access_token))["errcode"] == 61003
    assert "errcode" not in await caller.renew(token)


async def test_an_unknown_endpoint_is_an_invalid_url(wechat: LocalWeChat, caller: Caller) -> None:
    assert (await caller.call("api_componenttoken", {}))["errcode"] == 40066
    with pytest.raises(ValueError, match="no method api_componenttoken"):
        wechat.fail("api_componenttoken", Code(-1))


async def test_every_second_successful_answer_has_a_wrong_content_type(
    wechat: LocalWeChat, http: aiohttp.ClientSession, token: str
) -> None:
    url = f"{wechat.url}/cgi-bin/component/api_get_authorizer_list"
    body = {"component_appid": wechat.platform.component_appid, "offset": 0, "count": 1}
    kinds = set()
    for _ in range(2):
        query = {"component_access_token": token}
        async with http.post(url, params=query, json=body) as response:
            kinds.add(response.content_type)
    assert kinds == {"text/plain", "application/json"}
