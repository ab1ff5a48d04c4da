import asyncio
import json
import logging
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

import httpx
import pytest

from bot.domain.finding import Problem
from bot.domain.in_general import in_general
from bot.guidance import Guidance, Trouble, for_code
from bot.playground.faults import Code, Drop, Fault, Status
from bot.wechat.api import NoAnswer
from bot.wechat.token_answer import read_token
from bot.wechat.tokens import FixedToken, TokenServer
from tests.conftest import Clock
from tests.cut_off import CUT_OFF, drip
from tests.gzip_bomb import GZIP_BOMB
from tests.token_server import TokenWeChat
from tests.wechat.conftest import OTHER, OWNER, answers, http_answer, mute, status_of

LOST = for_code(61023)


def no_token(trouble: Trouble) -> NoAnswer:
    return NoAnswer(trouble.value)


Maker = Callable[..., TokenServer]


@pytest.fixture
def server(http: httpx.AsyncClient, wechat: TokenWeChat, clock: Clock) -> Maker:
    """A factory of the token source, by default for the stand-in."""

    def make(url: str = "", authorization: str | None = "", timeout: float = 30.0) -> TokenServer:
        authorization = wechat.authorization if authorization == "" else authorization
        return TokenServer(http, url or wechat.token_url, authorization, clock, clock, timeout)

    return make


def token_response(**members: object) -> Status:
    return Status(200, json.dumps(members).encode(), "application/json")


async def test_a_fixed_token_is_for_its_owner_only() -> None:
    fixed = FixedToken(OWNER, "t0k3n", Clock())
    assert await fixed.token(OWNER) == "t0k3n"
    assert await fixed.token(OTHER) == no_token(Trouble.TOKEN_FIXED_OTHER_OWNER)
    assert await fixed.token(OWNER, "t0k3n") == no_token(Trouble.TOKEN_FIXED_DEAD)
    assert "t0k3n" not in repr(fixed)


def test_a_fixed_token_has_trouble_from_a_refusal_to_the_next_answer_that_is_none() -> None:
    fixed, refused = FixedToken(OWNER, "t0k3n", lambda: 5.0), for_code(42001)
    told: list[Guidance | None] = [None, for_code(-1), refused, Trouble.TIMEOUT.value, None]
    seen = []
    for why in told:
        fixed.answered(why)
        seen.append([(state.owner, state.trouble, state.trouble_at) for state in fixed.states()])
    dead = [(OWNER, Trouble.TOKEN_FIXED_DEAD.value, 5.0)]
    assert seen == [[], [], dead, dead, []]


async def test_the_token_server_has_trouble_until_it_gives_a_token_again(
    server: Maker, wechat: TokenWeChat
) -> None:
    source, owners = server(), {OWNER, OTHER}

    def troubles(of: Collection[str] = owners) -> list[Guidance | None]:
        return [state.trouble for state in source.states(of)]

    assert troubles() == []
    wechat.fail("token", Status(401))
    await source.token(OWNER)
    assert troubles() == [Trouble.TOKEN_SERVER_REFUSED.value]
    await source.token(OTHER)
    assert troubles() != []  # the one owner still has none
    assert troubles({OTHER}) == []  # the policy does not name it any more
    await source.token(OWNER)
    assert troubles() == []


async def test_a_dead_token_that_the_server_keeps_giving_is_not_good(server: Maker) -> None:
    source = server()
    dead = await source.token(OWNER)
    assert isinstance(dead, str)
    await source.token(OWNER, dead)
    [state] = source.states({OWNER})
    assert (state.trouble, state.good_until) == (Trouble.TOKEN_SERVER_STALE.value, None)


async def test_a_token_is_read_again_after_a_minute(
    server: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    tokens = server()
    first = await tokens.token(OWNER)
    wechat.issue(OWNER)
    clock.now += 59.9
    assert await tokens.token(OWNER) == first
    clock.now += 0.1
    second = await tokens.token(OWNER)
    assert first != second
    assert wechat.token_calls == [OWNER, OWNER]


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(7200, 60.0), (100, 60.0), (10, 9.0), (0.5, 0.45), (60, 54.0), (10**400, 60.0)],
    ids=lambda value: str(value)[:8],
)
async def test_a_token_that_expires_sooner_is_read_again_sooner(
    server: Maker, wechat: TokenWeChat, clock: Clock, expires_in: float, seconds: float
) -> None:
    wechat.fail("token", token_response(access_token="t", expires_in=expires_in))
    tokens = server()
    await tokens.token(OWNER)
    clock.now += seconds - 0.01
    await tokens.token(OWNER)
    assert len(wechat.token_calls) == 1
    clock.now += 0.02
    await tokens.token(OWNER)
    assert len(wechat.token_calls) == 2


@pytest.mark.parametrize("expires_in", [0, -1, float("nan"), False])
async def test_an_expired_token_is_used_once(
    server: Maker, wechat: TokenWeChat, expires_in: float
) -> None:
    wechat.fail("token", token_response(access_token="t", expires_in=expires_in))
    tokens = server()
    assert await tokens.token(OWNER) == "t"
    assert await tokens.token(OWNER) != "t"


@pytest.mark.parametrize("away", [Status(502), CUT_OFF], ids=["no answer", "cut off"])
async def test_while_the_server_is_away_the_last_token_is_used_as_long_as_it_is_valid(
    server: Maker, wechat: TokenWeChat, clock: Clock, away: Fault
) -> None:
    wechat.fail("token", token_response(access_token="t", expires_in=600))
    tokens = server()
    assert await tokens.token(OWNER) == "t"
    wechat.fail("token", away, times=None)
    clock.now += 60
    assert [await tokens.token(OWNER) for _ in range(3)] == ["t"] * 3
    assert len(wechat.token_calls) == 2
    [state] = tokens.states([OWNER])
    assert (state.good_until, state.left) == (clock.now + 480, 480)
    clock.now += 60
    assert await tokens.token(OWNER, "an older one") == "t"
    assert await tokens.token(OWNER, "an older one") == "t"
    assert len(wechat.token_calls) == 3
    clock.now += 419.9
    assert await tokens.token(OWNER) == "t"
    clock.now += 0.1
    assert isinstance(await tokens.token(OWNER), NoAnswer)


@pytest.mark.parametrize(
    ("no", "trouble"),
    [
        (Status(403), Trouble.TOKEN_SERVER_REFUSED),
        (Status(404), Trouble.TOKEN_SERVER_ANSWER),
        (Code(61023), Trouble.TOKEN_SERVER_ANSWER),
    ],
    ids=repr,
)
async def test_a_server_that_answers_without_a_token_ends_the_use_of_the_last_one(
    server: Maker, wechat: TokenWeChat, clock: Clock, no: Fault, trouble: Trouble
) -> None:
    tokens = server()
    await tokens.token(OWNER)
    wechat.fail("token", no)
    clock.now += 60
    assert await tokens.token(OWNER) == NoAnswer(trouble.value, status=status_of(no))


async def test_each_owner_has_its_own_token_and_address(server: Maker, wechat: TokenWeChat) -> None:
    tokens = server()
    first, second = await tokens.token(OWNER), await tokens.token(OTHER)
    assert (OWNER in str(first), OTHER in str(second)) == (True, True)
    assert wechat.token_calls == [OWNER, OTHER]


async def test_fifty_concurrent_requests_make_one_call(server: Maker, wechat: TokenWeChat) -> None:
    wechat.latency = 0.02
    tokens = server()
    got = await asyncio.gather(*(tokens.token(OWNER) for _ in range(50)))
    assert len(set(got)) == 1
    assert wechat.token_calls == [OWNER]


async def test_fifty_concurrent_renewals_make_one_call(server: Maker, wechat: TokenWeChat) -> None:
    tokens = server()
    old = str(await tokens.token(OWNER))
    wechat.expire(old)
    wechat.latency = 0.02
    got = await asyncio.gather(*(tokens.token(OWNER, old) for _ in range(50)))
    assert len(set(got)) == 1
    assert isinstance(got[0], str)
    assert got[0] != old
    assert wechat.token_calls == [OWNER, OWNER]


async def test_a_slow_call_for_one_owner_does_not_delay_the_others(
    server: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("token", Drop(silence=60))
    tokens = server()
    slow = asyncio.create_task(tokens.token(OWNER))
    await wechat.until(lambda wechat: wechat.token_calls == [OWNER])
    assert OTHER in str(await tokens.token(OTHER))
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_fifty_requests_wait_for_a_hanging_server_together(server: Maker) -> None:
    async with mute() as hanging:
        tokens = server(hanging.url, timeout=1.0)
        async with asyncio.timeout(30):
            got = await asyncio.gather(*(tokens.token(OWNER) for _ in range(50)))
    assert set(got) == {no_token(Trouble.TOKEN_SERVER_SLOW)}


async def test_a_renewal_returns_a_newer_token_that_was_already_read(
    server: Maker, wechat: TokenWeChat
) -> None:
    tokens = server()
    kept = await tokens.token(OWNER)
    assert await tokens.token(OWNER, "an older one") == kept
    assert wechat.token_calls == [OWNER]


async def test_a_renewal_without_a_cached_token_calls_the_server(
    server: Maker, wechat: TokenWeChat
) -> None:
    assert OWNER in str(await server().token(OWNER, "an older one"))
    assert wechat.token_calls == [OWNER]


async def test_a_renewal_does_not_return_a_token_whose_call_began_before_the_refusal(
    server: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    tokens = server()
    old = str(await tokens.token(OWNER))
    clock.now += 60
    wechat.latency = 0.05
    reading = asyncio.create_task(tokens.token(OWNER))
    await wechat.until(lambda wechat: len(wechat.token_calls) == 2)
    newer = await tokens.token(OWNER, old)
    assert await reading == old
    assert newer == no_token(Trouble.TOKEN_SERVER_STALE)
    assert len(wechat.token_calls) == 3


async def test_a_stop_cancels_calls_in_progress(server: Maker) -> None:
    async with mute() as hanging:
        tokens = server(hanging.url)
        reading = asyncio.create_task(tokens.token(OWNER))
        await asyncio.wait_for(hanging.arrived.acquire(), 30)
        await tokens.close()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(hanging.closed.acquire(), 30)


async def test_a_server_that_returns_the_refused_token_is_reported(
    server: Maker, wechat: TokenWeChat
) -> None:
    tokens = server()
    refused = str(await tokens.token(OWNER))
    assert await tokens.token(OWNER, refused) == no_token(Trouble.TOKEN_SERVER_STALE)
    wechat.expire(refused)
    newer = await tokens.token(OWNER, refused)
    assert isinstance(newer, str)
    assert newer != refused


async def test_after_an_error_the_next_request_calls_the_server_again(
    server: Maker, wechat: TokenWeChat
) -> None:
    tokens = server()
    refused = str(await tokens.token(OWNER))
    wechat.expire(refused)
    wechat.fail("token", Status(500))
    no = NoAnswer(Trouble.TOKEN_SERVER_ANSWER.value, status=500)
    assert await tokens.token(OWNER, refused) == no
    newer = str(await tokens.token(OWNER))
    assert OWNER in newer
    assert newer != refused


@pytest.mark.parametrize(
    ("authorization", "line"),
    [("Bearer made-up", b"authorization: Bearer made-up"), ("odd one", b"authorization: odd one")],
)
async def test_the_authorisation_is_sent_unchanged(
    server: Maker, authorization: str, line: bytes
) -> None:
    async with answers(http_answer(b'{"access_token":"t"}')) as served:
        tokens = server(f"{served.url}/t?a={{appid}}&k=1#d", authorization=authorization)
        assert await tokens.token(OWNER) == "t"
    assert line in served.requests[0].splitlines()
    assert served.requests[0].startswith(f"GET /t?a={OWNER}&k=1 HTTP/1.1\r\n".encode())


async def test_without_an_authorisation_no_such_header_is_sent(server: Maker) -> None:
    async with answers(http_answer(b'{"access_token":"t"}')) as served:
        assert await server(served.url, authorization=None).token(OWNER) == "t"
    assert b"authorization" not in served.requests[0].lower()


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Status(401), Trouble.TOKEN_SERVER_REFUSED),
        (Status(403, b'{"access_token":"t"}'), Trouble.TOKEN_SERVER_REFUSED),
        (Status(404), Trouble.TOKEN_SERVER_ANSWER),
        (Status(500), Trouble.TOKEN_SERVER_ANSWER),
        (Status(201, b'{"access_token":"t"}'), Trouble.TOKEN_SERVER_ANSWER),
        (Status(200), Trouble.TOKEN_SERVER_ANSWER),
        (Status(200, b""), Trouble.TOKEN_SERVER_ANSWER),
        (token_response(token="t"), Trouble.TOKEN_SERVER_ANSWER),
        (Code(61023), Trouble.TOKEN_SERVER_ANSWER),
        (Status(302, headers={"Location": "http://127.0.0.1:1/"}), Trouble.TOKEN_SERVER_ANSWER),
        (Status(200, bytes(1_000_000)), Trouble.TOKEN_SERVER_ANSWER),
        (GZIP_BOMB, Trouble.TOKEN_SERVER_ANSWER),
        (CUT_OFF, Trouble.TOKEN_SERVER_DOWN),
        (Drop(silence=60), Trouble.TOKEN_SERVER_SLOW),
        (drip(0.1), Trouble.TOKEN_SERVER_SLOW),
    ],
    ids=lambda value: repr(value)[:50] if isinstance(value, Fault) else "",
)
async def test_each_way_to_fail_has_its_trouble(
    server: Maker, wechat: TokenWeChat, fault: Fault, trouble: Trouble
) -> None:
    wechat.fail("token", fault)
    timeout = 1.0 if trouble is Trouble.TOKEN_SERVER_SLOW else 5
    no = NoAnswer(trouble.value, status=status_of(fault))
    assert await server(timeout=timeout).token(OWNER) == no
    assert len(wechat.token_calls) == 1


async def test_a_server_that_closes_the_connection_is_down(
    server: Maker, wechat: TokenWeChat
) -> None:
    wechat.fail("token", Drop(), Drop())  # the library repeats a GET once, which is harmless
    assert await server().token(OWNER) == no_token(Trouble.TOKEN_SERVER_DOWN)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:{refused}/{{appid}}", "https://127.0.0.1:{refused}/{{appid}}"),
        *("https://127.0.0.1:{without_tls}/", "http://nowhere.invalid"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_down(
    server: Maker, wechat: TokenWeChat, unused_tcp_port: int, url: str
) -> None:
    at = url.format(refused=unused_tcp_port, without_tls=urlsplit(wechat.url).port)
    assert await server(at).token(OWNER) == no_token(Trouble.TOKEN_SERVER_DOWN)


async def test_no_log_line_shows_a_token_or_a_key_of_the_token_server(
    server: Maker, wechat: TokenWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("", "httpx"):
        caplog.set_level(logging.DEBUG, logger)
    tokens = server(f"{wechat.token_url}?key=k3y")
    got = await tokens.token(OWNER)
    wechat.expire(str(got))
    renewed = await tokens.token(OWNER, str(got))
    for secret in (str(got), str(renewed), wechat.authorization, "k3y"):
        assert not [record for record in caplog.records if secret in repr(vars(record))]
        assert secret not in repr(tokens)
    assert f"GET {wechat.token_url.format(appid=OWNER)} " in caplog.text  # by httpx


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"authorizer_access_token":"t","expires_in":7200}', ("t", 7200.0)),
        (b'{"access_token":"t","expires_in":7200.5}', ("t", 7200.0)),
        (b'{"access_token":"t","expires_in":30}', ("t", 30.0)),
        (b'{"access_token":"t"}', ("t", 60.0)),
        (b'{"access_token":"t","expires_in":1e999}', ("t", 7200.0)),
        (b'{"access_token":"t","expires_in":%s}' % (b"9" * 4000), ("t", 7200.0)),
        (b'{"authorizer_access_token":"a","access_token":"b"}', ("a", 60.0)),
        (b'{"authorizer_access_token":"","access_token":"b"}', ("b", 60.0)),
        (b'{"authorizer_access_token":null,"access_token":"b"}', ("b", 60.0)),
        (b'\xef\xbb\xbf{"access_token":" 72_a-b=\\n"}', ("72_a-b=", 60.0)),
        (b'{"access_token":"t","expires_in":"7200"}', ("t", 60.0)),
        (b'{"access_token":"t","expires_in":null}', ("t", 60.0)),
        (b'{"access_token":17}', None),
        (b'{"access_token":["t"]}', None),
        (b'{"access_token":" "}', None),
        (b'{"access_token":"two words"}', None),
        (b'{"access_token":"a\\u0000b"}', None),
        (b'{"access_token":"\\ud800"}', None),
        ('{"access_token":"秘密"}'.encode(), None),
        (b'{"access_token":"t","expires_in":-%s}' % (b"9" * 400), ("t", 0.0)),
        (b'{"errcode":61023}', None),
        (b"{}", None),
        (b"[]", None),
        (b'"t"', None),
        (b"t", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"[" * 50_000, None),
        (b"<html></html>", None),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else "",
)
def test_a_token_is_found_in_the_answers_of_various_token_servers(
    body: bytes, found: tuple[str, float] | None
) -> None:
    read = read_token(body, OWNER)
    assert (None if isinstance(read, Problem) else read) == found


@pytest.mark.parametrize(
    ("body", "found", "fix"),
    [
        ("", "nothing came", "address that answers JSON"),
        (" <!doctype html>", "a web page came", "address that answers JSON"),
        ("80_a-token", "text came that is no JSON", "authorizer_access_token"),
        ('"80_a-token"', "a JSON string came", "authorizer_access_token"),
        ("[80]", "JSON that is no object came", "authorizer_access_token"),
        ("{}", "JSON came with no keys, and without a token", "authorizer_access_token"),
        (
            '{"token": "80_a"}',
            "JSON came with token, and without a token",
            "authorizer_access_token",
        ),
        (
            '{"errcode": 61023, "errmsg": "80_a"}',
            f"WeChat's error 61023 came: {LOST.title}",
            in_general(LOST.steps[0]),
        ),
        (
            '{"access_token": 17}',
            "access_token came, but holds no token",
            "authorizer_access_token",
        ),
        (
            '{"component_access_token": "80_a", "expires_in": 7200}',
            "component_access_token came, which is the platform's token and not the owner's",
            "the owner's authorizer_access_token",
        ),
        (
            f'{{"authorizer_appid": "{OTHER}", "authorizer_access_token": "80_a"}}',
            f"a token came of {OTHER}, not of {OWNER}",
            "Check {appid} in WECHAT_TOKEN_SERVER_URL",
        ),
    ],
)
async def test_what_came_in_place_of_a_token_is_named_and_logged_once(
    server: Maker,
    wechat: TokenWeChat,
    caplog: pytest.LogCaptureFixture,
    body: str,
    found: str,
    fix: str,
) -> None:
    wechat.fail("token", *[Status(200, body.encode())] * 2)
    tokens = server()
    no, again = [await tokens.token(OWNER) for _ in range(2)]
    assert isinstance(no, NoAnswer)
    assert no == again
    assert no.guidance is Trouble.TOKEN_SERVER_ANSWER.value
    assert no.problem.found == f"The central token server gave no usable token; {found}"
    (said,) = [
        vars(each) for each in caplog.records if each.msg == "no token from the token server"
    ]
    assert (said["whose"], said["reason"]) == (OWNER, no.problem.found)
    assert fix in said["fix"] == no.problem.fix
    assert "80_a" not in repr(said)


async def test_each_call_is_reported_with_its_result_and_a_cached_token_is_not(
    http: httpx.AsyncClient, wechat: TokenWeChat, clock: Clock
) -> None:
    reports: list[tuple[str, str]] = []
    server = TokenServer(
        http,
        wechat.token_url,
        wechat.authorization,
        clock,
        clock,
        renewed=lambda link, result: reports.append((link, result)),
    )
    token = await server.token(OWNER)
    assert isinstance(token, str)
    assert await server.token(OWNER) == token
    assert reports == [("token server", "renewed")]
    wechat.fail("token", Status(503))
    clock.now += 61
    await server.token(OWNER)
    assert reports[1:] == [("token server", "token-server-answer")]
