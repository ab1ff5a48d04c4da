import asyncio
import json
import logging
import re
import time
from collections.abc import Callable

import httpx
import pytest

from bot.domain.outcome import Readiness, Said
from bot.guidance import Guidance, Trouble, for_code
from bot.playground.faults import Code, Drop, Fault, Status
from bot.runtime.observers import no_op
from bot.wechat.api import (
    NEEDED,
    NoAnswer,
    get_env_info,
    list_functions,
    read_answer,
    read_envs,
    read_readiness,
)
from bot.wechat.client import Envs, WeChat
from bot.wechat.tokens import FixedToken, TokenServer, TokenSource
from bot.wechat.transport import WeChatApi
from tests.conftest import Clock
from tests.cut_off import drip
from tests.token_server import TokenWeChat
from tests.wechat.conftest import OTHER, OWNER

GOOD, BAD, NOT_READY = 300.0, 60.0, 2.0

Maker = Callable[..., Envs]


@pytest.fixture
def make(http: httpx.AsyncClient, wechat: TokenWeChat, clock: Clock) -> Maker:
    def make(
        tokens: TokenSource | None = None,
        timeout: float = 30.0,
        answered: Callable[[Guidance | None], None] = no_op,
    ) -> Envs:
        server = TokenServer(http, wechat.token_url, wechat.authorization, clock, clock)
        client = WeChat(
            WeChatApi(http, wechat.url, time.monotonic),
            tokens or server,
            timeout=timeout,
            clock=clock,
            sleep=asyncio.sleep,
            jitter=lambda: 0.5,
            answered=answered,
        )
        return Envs(client, clock, 300.0)

    return make


def test_the_call_has_its_token_only_in_the_query() -> None:
    call = get_env_info("t0k3n")
    assert (call.path, call.body) == ("/tcb/getenvinfo", b"{}")
    assert "t0k3n" not in repr(call)


@pytest.mark.parametrize(
    ("body", "envs"),
    [
        (b'{"errcode":0,"info_list":[{"env":"a","status":"NORMAL"},{"env":"b"}]}', ("a", "b")),
        (b'{"info_list":[{"env":"a"},{"env":"a"}]}', ("a",)),
        (b'{"info_list":[{"env":"a","status":"HALTED"},{"env":"b","status":"UNAVAILABLE"}]}', ()),
        (b'{"info_list":[{"env":"-a"},{"env":7},{},7,{"env":"<!channel>"}]}', ()),
        (b'{"info_list":[]}', ()),
        (b'{"errcode":"61007","errmsg":"no"}', NoAnswer(for_code(61007), Said(61007, "no", None))),
        (b'{"errcode":0}', ()),
        (b'{"errcode":0,"info_list":null}', ()),
        (b"{}", NoAnswer(Trouble.NOT_JSON.value)),
        (b'{"info_list":{}}', NoAnswer(Trouble.NOT_JSON.value)),
        (b"<html>", NoAnswer(Trouble.NOT_JSON.value)),
    ],
)
def test_an_answer_is_read_as_the_envs_in_service_or_an_error(body: bytes, envs: object) -> None:
    assert read_answer(200, body, read_envs) == envs


async def test_the_owners_envs_are_those_that_are_in_service(
    make: Maker, wechat: TokenWeChat
) -> None:
    wechat.envs[OTHER] = {"theirs-1": "NORMAL", "theirs-2": "HALTED"}
    assert await make().of(OWNER) == (("prod-1", "test-1"), GOOD)
    assert await make().of(OTHER) == (("theirs-1",), GOOD)
    assert await make().of("wx00000000000000ff") == ((), GOOD)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Code(61007), "61007"),
        (Code("85088"), "85088"),
        (Status(502), "gateway-broken"),
        (Drop(), "lost"),
        (Status(200, bytes(2 << 20)), "not-json"),
        (Drop(silence=60), "timeout"),
        (drip(1), "timeout"),
    ],
    ids=str,
)
async def test_a_failed_call_returns_no_env_and_is_logged_in_one_line(
    make: Maker, wechat: TokenWeChat, caplog: pytest.LogCaptureFixture, answer: Fault, reason: str
) -> None:
    wechat.fail("getenvinfo", answer)
    timeout = 1.0 if answer in {Drop(silence=60), drip(1)} else 5.0
    assert await make(timeout=timeout).of(OWNER) == ((), BAD)
    [line] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert line.getMessage() == "WeChat does not list the envs of an owner"
    assert vars(line)["owner"] == OWNER
    assert vars(line)["reason"] == reason
    if isinstance(answer, Code):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{8}){2}", vars(line)["rid"])
    assert "token-" not in caplog.text


async def test_a_read_tells_whether_wechat_took_the_token(make: Maker, wechat: TokenWeChat) -> None:
    told: list[Guidance | None] = []
    envs = make(answered=told.append)
    await envs.of(OWNER)
    wechat.fail("getenvinfo", Code(42001))
    await envs.of(OWNER)
    assert told == [None, for_code(42001)]


@pytest.mark.parametrize("refuse", [TokenWeChat.supersede, TokenWeChat.expire])
async def test_a_read_whose_token_is_refused_is_made_once_more_with_another(
    make: Maker, wechat: TokenWeChat, refuse: Callable[[TokenWeChat, str], None]
) -> None:
    wechat.functions["prod-1"] = {NEEDED: "Active"}
    for call in ("getenvinfo", "listfunctions"):
        token, envs = wechat.issue(OWNER), make()
        await envs.of(OWNER)
        refuse(wechat, token)
        before = wechat.transcript().count(call)
        if call == "getenvinfo":
            assert await envs.of(OWNER) == (("prod-1", "test-1"), GOOD)
        else:
            assert await envs.readiness(OWNER, "prod-1") is Readiness.READY
        assert wechat.transcript().count(call) - before == 2


async def test_a_read_is_made_once_more_at_most_whatever_wechat_says_of_the_tokens(
    make: Maker, wechat: TokenWeChat
) -> None:
    class _NewTokens:
        async def token(self, owner: str, refused: str | None = None) -> str | NoAnswer:  # noqa: ARG002  # from the port
            return wechat.issue(owner)

    wechat.fail("getenvinfo", Code(40001), times=None)
    assert await make(_NewTokens()).of(OWNER) == ((), BAD)
    assert wechat.transcript().count("getenvinfo") == 2


async def test_a_read_without_a_newer_token_tells_why_there_is_none(
    make: Maker, wechat: TokenWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    fixed = make(FixedToken(OWNER, wechat.issue(OWNER), Clock()))
    wechat.fail("getenvinfo", Code(40001))
    assert await fixed.of(OWNER) == ((), BAD)
    [line] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert vars(line)["reason"] == Trouble.TOKEN_FIXED_DEAD.value.key


async def test_without_a_valid_token_no_env_is_listed(make: Maker, wechat: TokenWeChat) -> None:
    token = wechat.issue(OWNER)
    fixed = make(FixedToken(OWNER, token, Clock()))
    assert (await fixed.of(OWNER))[0] == ("prod-1", "test-1")
    assert await fixed.of(OTHER) == ((), BAD)
    assert wechat.transcript().count("getenvinfo") == 1  # nothing is sent in place of a token
    wechat.expire(token)
    assert await fixed.of(OWNER) == ((), BAD)
    assert wechat.transcript().endswith(f"getenvinfo of {OWNER}: 42001")


def test_the_call_for_functions_asks_for_a_page_and_has_its_token_only_in_the_query() -> None:
    call = list_functions("t0k3n", "prod-1", 100)
    assert call.path == "/tcb/listfunctions"
    assert json.loads(call.body) == {"env": "prod-1", "limit": 100, "offset": 100}
    assert "t0k3n" not in repr(call)


def of(*functions: tuple[str, object], total: int) -> str:
    """Return an answer that lists these functions with their statuses."""
    listed = [{"name": name, "status": status} for name, status in functions]
    return json.dumps({"errcode": 0, "total_count": total, "functions": listed})


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (of(("a", "Active"), (NEEDED, "Active"), total=2), Readiness.READY),
        (of((NEEDED, "Active"), total=200), Readiness.READY),
        (of((NEEDED, "Updating"), total=1), Readiness.LACKING),
        (of((NEEDED, None), total=1), Readiness.LACKING),
        (of(("a", "Active"), total=1), Readiness.LACKING),
        (of(("a", "Active"), total=2), 1),
        ('{"errcode": 0, "total_count": 0}', Readiness.LACKING),
        ('{"errcode": 0}', Readiness.LACKING),
        ('{"total_count": 2, "functions": [{"name": ["a"]}, null]}', Readiness.LACKING),
        ('{"total_count": 3}', NoAnswer(Trouble.NOT_JSON.value)),
        ('{"total_count": "3", "functions": []}', NoAnswer(Trouble.NOT_JSON.value)),
        ('{"functions": {"a": 1}}', NoAnswer(Trouble.NOT_JSON.value)),
        ("[]", NoAnswer(Trouble.NOT_JSON.value)),
    ],
)
def test_an_env_is_ready_if_the_function_that_others_need_is_active(
    body: str, read: Readiness | int | NoAnswer
) -> None:
    assert read_answer(200, body.encode(), read_readiness) == read


def test_an_error_of_wechat_or_a_gateway_is_not_a_list() -> None:
    refused = read_answer(
        200, b'{"errcode": 85088, "errmsg": "no qbase privilege"}', read_readiness
    )
    assert refused == NoAnswer(for_code(85088), Said(85088, "no qbase privilege", None))
    broken = NoAnswer(Trouble.GATEWAY_BROKEN.value, status=502)
    assert read_answer(502, b"<html>", read_readiness) == broken


async def test_a_ready_env_is_cached_for_five_minutes_and_one_that_is_not_for_two_seconds(
    make: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    envs = make()
    wechat.functions["prod-1"] = {}
    assert await envs.readiness(OWNER, "prod-1") is Readiness.LACKING
    wechat.functions["prod-1"] = {NEEDED: "Active"}
    assert await envs.readiness(OWNER, "prod-1") is Readiness.LACKING
    clock.now += NOT_READY
    assert await envs.readiness(OWNER, "prod-1") is Readiness.READY
    assert await envs.readiness(OWNER, "test-1") is not Readiness.UNKNOWN
    wechat.functions["prod-1"] = {}
    clock.now += GOOD / 2 - 1
    assert await envs.readiness(OWNER, "prod-1") is Readiness.READY
    clock.now += GOOD / 2 + 1
    assert await envs.readiness(OWNER, "prod-1") is Readiness.LACKING
    await envs.close()


@pytest.mark.parametrize(
    ("most", "found", "calls"),
    [(100, Readiness.READY, 2), (30, Readiness.READY, 4), (2, Readiness.UNKNOWN, 5)],
)
async def test_a_function_on_a_later_page_is_not_missing_however_short_the_pages_are(
    make: Maker, wechat: TokenWeChat, most: int, found: Readiness, calls: int
) -> None:
    functions = {f"f{number}": "Active" for number in range(119)}
    wechat.functions["prod-1"] = functions | {NEEDED: "Active"}
    wechat.most_listed = most
    assert await make().readiness(OWNER, "prod-1") is found
    assert wechat.transcript().count("listfunctions") == calls


async def test_a_function_on_none_of_the_pages_is_missing(make: Maker, wechat: TokenWeChat) -> None:
    wechat.functions["prod-1"] = {f"f{number}": "Active" for number in range(120)}
    assert await make().readiness(OWNER, "prod-1") is Readiness.LACKING


async def test_a_failed_check_of_an_env_is_not_repeated_within_a_minute(
    make: Maker, wechat: TokenWeChat, clock: Clock
) -> None:
    envs = make()
    wechat.functions["prod-1"] = {NEEDED: "Active"}
    wechat.fail("listfunctions", Code(48001))
    assert await envs.readiness(OWNER, "prod-1") is Readiness.UNKNOWN
    assert await envs.readiness(OWNER, "prod-1") is Readiness.UNKNOWN
    assert wechat.transcript().count("listfunctions") == 1
    clock.now += BAD
    assert await envs.readiness(OWNER, "prod-1") is Readiness.READY


async def test_concurrent_checks_of_an_env_make_one_call(make: Maker, wechat: TokenWeChat) -> None:
    envs = make()
    asking = (envs.readiness(OWNER, "prod-1") for _ in range(20))
    assert len(set(await asyncio.gather(*asking))) == 1
    assert wechat.transcript().count("listfunctions") == 1
