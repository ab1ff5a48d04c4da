import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from bot.domain.link import Link
from bot.guidance import Trouble, for_code
from bot.playground.faults import Code, Drop, Fault, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from bot.wechat.chain import CLAIM_SECONDS, RENEWAL_TIMEOUT
from bot.wechat.component import MOST_SECONDS, AuthorizerInfo, Component
from bot.wechat.transport import WeChatApi
from tests.checking import checks
from tests.cut_off import CUT_OFF
from tests.gzip_bomb import GZIP_BOMB
from tests.wechat.conftest import OTHER, OWNER, Pauses, answers, http_answer, missing, status_of
from tests.wechat.replicas import endpoints

Call = Callable[[Component], Awaitable[object]]
Maker = Callable[[float], Component]

CALLS: dict[str, tuple[Link, Call]] = {
    "api_component_token": (Link.PLATFORM, lambda at: at.token("ticket")),
    "api_authorizer_token": (Link.OWNER, lambda at: at.authorizer_token("c", OWNER, "r")),
    "api_query_auth": (Link.OWNER, lambda at: at.query_auth("c", "code")),
    "api_get_authorizer_info": (Link.OWNER, lambda at: at.info("c", OWNER)),
    "api_get_authorizer_list": (Link.OWNER, lambda at: at.listed("c", OWNER)),
    "api_start_push_ticket": (Link.TICKET, lambda at: at.start_push()),
}
"""Each call of the platform, and the link of the chain that breaks if it fails."""

SENT: dict[str, tuple[str, dict[str, object]]] = {
    "api_component_token": (
        "",
        {"component_appsecret": "s", "component_verify_ticket": "ticket"},
    ),
    "api_authorizer_token": (
        "?component_access_token=c",
        {"authorizer_appid": OWNER, "authorizer_refresh_token": "r"},
    ),
    "api_query_auth": ("?component_access_token=c", {"authorization_code": "code"}),
    "api_get_authorizer_info": ("?component_access_token=c", {"authorizer_appid": OWNER}),
    "api_get_authorizer_list": ("?component_access_token=c", {"offset": 0, "count": 500}),
    "api_start_push_ticket": ("", {"component_secret": "s"}),
}
"""Each call as WeChat documents it: its query, and its body besides the platform's appid."""

DEAD_TOKEN = (40001, 40014, 42001, 42006)


@pytest.fixture
def make(http: httpx.AsyncClient, wechat: LocalWeChat, pauses: Pauses) -> Maker:
    """A factory of the platform's client, given the seconds for one call."""
    appid, secret = wechat.platform.component_appid, wechat.platform.appsecret
    return lambda seconds: Component(
        WeChatApi(http, wechat.url, time.monotonic), appid, lambda: secret, seconds, pauses
    )


@pytest.fixture
def component(make: Maker) -> Component:
    return make(10.0)


@pytest.fixture
async def token(component: Component, wechat: LocalWeChat) -> str:
    """Return the platform's token."""
    issued = await component.token(wechat.platform.new_ticket())
    assert not isinstance(issued, NoAnswer)
    return issued.token


def test_two_tries_of_a_call_fit_into_a_renewal_and_a_renewal_into_its_lease() -> None:
    assert 2 * MOST_SECONDS + 0.3 < RENEWAL_TIMEOUT < CLAIM_SECONDS


@pytest.mark.parametrize("endpoint", CALLS)
async def test_each_call_is_made_as_documented_and_counted_under_its_name(
    http: httpx.AsyncClient, pauses: Pauses, endpoint: str
) -> None:
    (_, call), (query, arguments), counted = CALLS[endpoint], SENT[endpoint], set[str]()
    async with answers(http_answer(b"")) as server:
        api = WeChatApi(http, server.url, time.monotonic, lambda name, *_: counted.add(name))
        await call(Component(api, "wxc0de00000000c0de", lambda: "s", 3.0, pauses))
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /cgi-bin/component/{endpoint}{query} HTTP/1.1\r\n".encode())
    assert json.loads(body) == {"component_appid": "wxc0de00000000c0de", **arguments}
    assert counted == {endpoint}


async def test_a_ticket_is_exchanged_for_the_platforms_token_and_that_for_an_owners(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    refresh_token = wechat.platform.refresh_token(OWNER)
    issued = await component.authorizer_token(token, OWNER, refresh_token)
    assert not isinstance(issued, NoAnswer)
    assert (issued.life, issued.refresh_token) == (7200.0, refresh_token)
    assert OWNER in issued.token


async def test_a_code_is_exchanged_for_its_owners_tokens_once(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    code = wechat.platform.authorize(OTHER)
    got = await component.query_auth(token, code)
    assert not isinstance(got, NoAnswer)
    assert (got.owner, got.issued.refresh_token) == (OTHER, wechat.platform.refresh_token(OTHER))
    assert missing(await component.query_auth(token, code))[0] == for_code(61009)


UNCHANGED = (40125, 41004, 45009, 47001, 48001, 61003, 61004, 61007, 61009, 61011, 61023, 61028)
ERRORS = [
    *((endpoint, code, code, link) for endpoint, (link, _) in CALLS.items() for code in UNCHANGED),
    *(("api_component_token", code, 61005, Link.TICKET) for code in (61005, 61006)),
    *(("api_authorizer_token", code, 42006, Link.PLATFORM) for code in DEAD_TOKEN),
    # These carry the secret instead of a token.
    ("api_component_token", 40001, 40125, Link.PLATFORM),
    ("api_start_push_ticket", 40001, 40125, Link.TICKET),
    *(
        (endpoint, 40013, 61003 if link is Link.OWNER else 61011, link)
        for endpoint, (link, _) in CALLS.items()
    ),
    ("api_query_auth", 123456, 123456, Link.OWNER),
]
"""Endpoint and errcode, the code of the guidance, and the link that broke."""


async def test_an_error_has_its_guidance_and_link_and_is_never_retried(
    component: Component, wechat: LocalWeChat, pauses: Pauses
) -> None:
    with checks() as check:
        for number, (endpoint, errcode, meant, link) in enumerate(ERRORS, 1):
            with check(f"{endpoint}: {errcode}"):
                wechat.fail(endpoint, Code(errcode))
                got = await CALLS[endpoint][1](component)
                assert missing(got) == (for_code(meant), link)
                assert isinstance(got, NoAnswer)
                assert got.said
                assert (got.said.errcode, bool(got.said.rid)) == (errcode, True)
                assert (len(wechat.platform.calls), pauses) == (number, [])


FAILURES: list[tuple[Fault, Trouble]] = [
    (Code(-1), Trouble.NO_TOKEN_ANSWER),
    (Code(-1000), Trouble.NO_TOKEN_ANSWER),
    (Status(200), Trouble.NO_TOKEN_ANSWER),
    (Status(200, b"{}x"), Trouble.NO_TOKEN_ANSWER),
    (Status(200, b'{"errcode":"none"}'), Trouble.NO_TOKEN_ANSWER),
    (Status(502), Trouble.NO_TOKEN_ANSWER),
    (Status(405), Trouble.GATEWAY_REFUSED),
    (Status(302, headers={"Location": "http://127.0.0.1:1/"}), Trouble.REDIRECTED),
    (Drop(), Trouble.NO_TOKEN_ANSWER),
    (CUT_OFF, Trouble.NO_TOKEN_ANSWER),
    (Status(200, bytes(2_000_000)), Trouble.NO_TOKEN_ANSWER),
    (GZIP_BOMB, Trouble.NO_TOKEN_ANSWER),
]


@pytest.mark.parametrize("endpoint", CALLS)
async def test_an_unusable_answer_is_requested_twice_and_never_reported_as_a_possible_share(
    make: Maker, wechat: LocalWeChat, pauses: Pauses, endpoint: str
) -> None:
    link, call = CALLS[endpoint]
    silence = Drop(silence=60), Trouble.NO_TOKEN_ANSWER
    failures = [*FAILURES, silence] if endpoint == "api_component_token" else FAILURES
    with checks() as check:
        for number, (failure, trouble) in enumerate(failures, 1):
            with check(repr(failure)[:40]):
                asked_anew = (endpoint, failure) == ("api_start_push_ticket", Code(-1))
                told = Trouble.NO_PUSH if asked_anew else trouble
                wechat.fail(endpoint, failure, failure)
                got = await call(make(1.0 if failure == silence[0] else 3.0))
                assert isinstance(got, NoAnswer)
                assert (got.guidance, got.link) == (told.value, link)
                assert got.status == status_of(failure)
                assert not got.guidance.in_doubt
                assert (len(wechat.platform.calls), pauses) == (2 * number, [0.3] * number)


@pytest.mark.parametrize("endpoint", CALLS)
async def test_the_second_try_may_succeed(
    component: Component, wechat: LocalWeChat, endpoint: str
) -> None:
    _, call = CALLS[endpoint]
    wechat.fail(endpoint, Status(502), Code(61004))
    assert missing(await call(component))[0] == for_code(61004)


async def test_a_refused_connection_is_reported_as_a_network_error(
    http: httpx.AsyncClient, pauses: Pauses, unused_tcp_port: int
) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    component = Component(
        WeChatApi(http, url, time.monotonic), "wxc0de00000000c0de", lambda: "s", 1.0, pauses
    )
    got = await component.token("ticket")
    assert got == NoAnswer(Trouble.NOT_SENT_CONNECT.value, link=Link.PLATFORM)


async def test_a_refresh_token_is_looked_up_by_its_owner(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    wechat.platform.calls.clear()
    assert await component.refresh_token(token, OWNER) == wechat.platform.refresh_token(OWNER)
    assert endpoints(wechat) == ["get_authorizer_info"]


@pytest.mark.parametrize(
    "lacking", [Code(48001), Code(-1), Status(200, b'{"authorization_info":{}}')]
)
async def test_if_an_owners_info_has_no_refresh_token_the_list_is_read(
    component: Component, wechat: LocalWeChat, token: str, lacking: Fault
) -> None:
    wechat.fail("api_get_authorizer_info", lacking, times=None)
    assert await component.refresh_token(token, OWNER) == wechat.platform.refresh_token(OWNER)
    assert endpoints(wechat)[-1] == "get_authorizer_list"


async def test_if_the_call_for_the_info_has_no_answer_the_list_is_not_read(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    wechat.fail("api_get_authorizer_info", Drop(), times=None)
    got = await component.refresh_token(token, OWNER)
    assert got == NoAnswer(Trouble.NO_TOKEN_ANSWER.value, link=Link.OWNER)
    assert "get_authorizer_list" not in endpoints(wechat)


async def test_an_owners_granted_sets_are_returned(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    wechat.platform.authorize(OTHER, (17, 18))
    info = await component.info(token, OTHER)
    assert info == AuthorizerInfo(frozenset({17, 18}), wechat.platform.refresh_token(OTHER))


async def test_a_refresh_token_is_found_on_the_second_page_of_the_list(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    others = [f"wx{number:016x}" for number in range(600)]
    for each in others:
        wechat.platform.authorize(each)
    wechat.platform.calls.clear()
    last = others[-1]
    assert await component.listed(token, last) == wechat.platform.refresh_token(last)
    assert len(wechat.platform.calls) == 2
    first = others[0]
    assert await component.listed(token, first) == wechat.platform.refresh_token(first)
    assert len(wechat.platform.calls) == 3


async def test_an_owner_on_no_page_has_not_authorised_the_platform(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    for number in range(500):
        wechat.platform.authorize(f"wx{number:016x}")
    wechat.platform.calls.clear()
    got = await component.listed(token, OTHER)
    assert got == NoAnswer(for_code(61003), link=Link.OWNER)
    assert len(wechat.platform.calls) == 2


async def test_an_owner_listed_without_a_refresh_token_has_lost_it(
    component: Component, wechat: LocalWeChat, token: str
) -> None:
    wechat.platform.without_refresh_token.add(OWNER)
    got = await component.listed(token, OWNER)
    assert got == NoAnswer(for_code(61023), link=Link.OWNER)


@pytest.mark.parametrize("owners", ["[]", "[{}]"])
async def test_an_endless_list_is_abandoned(
    component: Component, wechat: LocalWeChat, owners: str
) -> None:
    page = f'{{"total_count":1000000,"list":{owners}}}'.encode()
    wechat.fail("api_get_authorizer_list", Status(200, page), times=None)
    async with asyncio.timeout(30):
        got = await component.listed("c", OWNER)
    assert got == NoAnswer(for_code(61003), link=Link.OWNER)
    assert len(wechat.platform.calls) == 100


async def test_starting_the_pushes_returns_what_wechat_says_of_them(
    component: Component, wechat: LocalWeChat
) -> None:
    assert [await component.start_push() for _ in range(2)] == ["ok", "in a normal state"]
    assert [call.errcode for call in wechat.platform.calls] == [0, 0]
