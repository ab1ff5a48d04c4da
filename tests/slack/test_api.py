import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages.blocks import DataTable, Part, message
from bot.playground.faults import Code, Drop, Fault, RateLimited, Slow, Status
from bot.playground.loopback import Handler, cut, free_port
from bot.playground.slack.server import LocalSlack
from bot.runtime.observers import SLACK_RESULTS
from bot.slack.api import (
    ANSWER_LIMIT,
    ELSEWHERE,
    NOT_SENT,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    is_slacks,
    object_in,
    retry_after,
)
from tests.conftest import RELEASES, REQUESTER, Sleep, serving, use_up, web_client

HELLO: dict[str, object] = {"channel": RELEASES, "text": "hello"}
Ask = Callable[[SlackApi, str], Awaitable[Result]]


def reads(api: SlackApi, _origin: str) -> Awaitable[Result]:
    return api.read("users.info", 10.0, user=REQUESTER)


def writes(api: SlackApi, _origin: str) -> Awaitable[Result]:
    return api.write("chat.postMessage", 10.0, **HELLO)


def responds(api: SlackApi, origin: str) -> Awaitable[Result]:
    return api.respond(f"{origin}/commands/1", 10.0, message("hello"))


EVERY_WAY = pytest.mark.parametrize("ask", [reads, writes, responds])


def always(
    status: int = 200,
    body: bytes = b"",
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> Handler:
    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={"Content-Type": content_type, **(headers or {})}
        )

    return handler


async def asked(http: aiohttp.ClientSession, sleep: Sleep, handler: Handler, ask: Ask) -> Result:
    async with serving(handler) as origin:
        return await ask(SlackApi(web_client("xoxb-1", f"{origin}/api/", http), sleep), origin)


def test_an_object_is_read_from_a_text_and_from_bytes() -> None:
    assert object_in('{"a": "\\ud83d\\ude00"}') == object_in('{"a": "😀"}'.encode()) == {"a": "😀"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\ud800", "\ufffd"),
        (r"\uDFFF", "\ufffd"),
        (r"a\ud83db\ude00c", "a\ufffdb\ufffdc"),
        (r"\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\\ud800 \ud800 \"\\", '\\ud800 \ufffd "\\'),
        (r"\\\ud800\n\u0041", "\\\ufffd\nA"),
        (r"\ud800\ud83d\\ude00", "\ufffd\ufffd\\ude00"),
    ],
)
def test_half_of_a_surrogate_pair_is_read_as_a_replacement_character(text: str, value: str) -> None:
    whole = f'{{"{text}": {{"a": ["{text}", 1]}}}}'
    assert object_in(whole) == object_in(whole.encode()) == {value: {"a": [value, 1]}}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", "null", "nul", "[" * 100_000, b"\xff", b'{"a": "\xff"}'),
        *('{"a": NaN}', '{"a": "\\ud800", "b": NaN}', '{"a": true}'.encode("utf-16")),
        *('{"a": "\\ud800', '["\\ud800"]', '{"a": "\ud800"}', '{"\\ud800": ' * 100_000),
        b'{"a": "\\ud800\xff"}',
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_holds_no_object_or_what_slack_cannot_send_is_none(text: str | bytes) -> None:
    assert object_in(text) is None


async def test_an_answer_is_what_slack_says(slack: LocalSlack, api: SlackApi) -> None:
    result = await api.write("chat.postMessage", 0.0, **HELLO)
    assert isinstance(result, Answered)
    assert result.data["ts"] == slack.parents(RELEASES)[0].ts


async def test_arguments_of_a_read_are_sent_as_a_query_in_slacks_spelling(
    slack: LocalSlack, api: SlackApi
) -> None:
    await api.write("chat.postMessage", 0.0, **HELLO)
    result = await api.read(
        "conversations.history", channel=RELEASES, limit=5, include_all_metadata=True
    )
    assert isinstance(result, Answered)
    assert slack.calls[-1].args == {
        "channel": RELEASES,
        "limit": "5",
        "include_all_metadata": "true",
    }


async def test_a_read_has_no_body(http: aiohttp.ClientSession, sleep: Sleep) -> None:
    async def echo(request: web.BaseRequest) -> web.Response:
        return web.json_response({"ok": True, "body": (await request.read()).decode()})

    assert await asked(http, sleep, echo, reads) == Answered({"ok": True, "body": ""})


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        pytest.param(Code("not_in_channel"), Refused("not_in_channel"), id="an ordinary refusal"),
        pytest.param(Code("fatal_error"), Doubtful("fatal_error"), id="fatal_error"),
        pytest.param(Code("internal_error"), Doubtful("internal_error"), id="internal_error"),
        pytest.param(Status(500), Doubtful("HTTP 500"), id="an HTML page with 500"),
        pytest.param(Status(503), Doubtful("HTTP 503"), id="an HTML page with 503"),
        pytest.param(Drop(), Doubtful("ServerDisconnectedError"), id="a dropped connection"),
    ],
)
async def test_a_refusal_is_distinguished_from_a_doubtful_answer(
    slack: LocalSlack, api: SlackApi, fault: Fault, result: Result
) -> None:
    slack.fail("chat.postMessage", fault)
    assert await api.write("chat.postMessage", 0.0, **HELLO) == result
    assert len(slack.calls) == 1


@EVERY_WAY
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(always(500, b"<html></html>", "text/html"), id="HTML"),
        pytest.param(always(503, b'{"ok": false}'), id="JSON"),
        pytest.param(always(503, b'{"ok": false, "error": "no_text"}'), id="JSON with an error"),
        pytest.param(always(503, b'{"ok": true}'), id="JSON that says ok"),
        pytest.param(always(502, b"bad gateway", "text/plain"), id="plain text"),
        pytest.param(always(500, b'{"ok": fal'), id="broken JSON"),
        pytest.param(always(500), id="nothing"),
    ],
)
async def test_a_server_error_is_doubtful_whatever_its_body(
    http: aiohttp.ClientSession, sleep: Sleep, handler: Handler, ask: Ask
) -> None:
    result = await asked(http, sleep, handler, ask)
    assert isinstance(result, Doubtful)
    assert sleep.naps == []


async def test_a_reason_has_no_characters_that_the_ledger_cannot_store(
    http: aiohttp.ClientSession, sleep: Sleep
) -> None:
    broken = always(503, rb'{"ok": false, "error": "a\u0000b"}')
    assert await asked(http, sleep, broken, reads) == Doubtful("ab")


@pytest.mark.parametrize("ask", [reads, writes])
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(always(200, b"<html>sign in</html>", "text/html"), id="a page"),
        pytest.param(always(200, b"sign in", "text/plain"), id="plain text"),
        pytest.param(always(200, b"[1]"), id="a list"),
        pytest.param(always(200, b'{"ok": tr'), id="broken JSON"),
        pytest.param(always(200, b'{"ok": "\xff"}'), id="no UTF-8"),
        pytest.param(always(200, b"\x1f\x8b", "application/gzip"), id="gzip"),
        pytest.param(always(200), id="nothing"),
        pytest.param(always(200, b'{"ok": false}'), id="a refusal without an error"),
    ],
)
async def test_an_answer_that_is_not_slacks_never_counts_as_success(
    http: aiohttp.ClientSession, sleep: Sleep, handler: Handler, ask: Ask
) -> None:
    assert isinstance(await asked(http, sleep, handler, ask), Doubtful)


@EVERY_WAY
async def test_a_dropped_connection_is_doubtful(
    http: aiohttp.ClientSession, sleep: Sleep, ask: Ask
) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return cut(request)

    assert isinstance(await asked(http, sleep, handler, ask), Doubtful)


@EVERY_WAY
async def test_a_timeout_is_doubtful(sleep: Sleep, ask: Ask) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        while not request.transport.is_closing():
            await sleep(0)
        return web.Response()

    limit = aiohttp.ClientTimeout(total=0.05)
    async with aiohttp.ClientSession(timeout=limit) as hasty:
        assert isinstance(await asked(hasty, Sleep(), handler, ask), Doubtful)


@EVERY_WAY
async def test_a_refused_connection_means_that_the_call_was_not_sent(
    http: aiohttp.ClientSession, sleep: Sleep, ask: Ask
) -> None:
    origin = f"http://127.0.0.1:{free_port()}"
    api = SlackApi(web_client("xoxb-1", f"{origin}/api/", http), sleep)
    assert await ask(api, origin) == Refused(NOT_SENT)


async def test_a_rate_limit_is_waited_for_as_long_as_slack_asks(
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postMessage", RateLimited(3), RateLimited(7))
    assert isinstance(await api.write("chat.postMessage", 10.0, **HELLO), Answered)
    assert sleep.naps == [3.0, 7.0]
    assert len(slack.parents(RELEASES)) == 1


@pytest.mark.parametrize(
    ("patience", "naps"),
    [
        pytest.param(0.0, [], id="none"),
        pytest.param(5.0, [], id="less than asked for"),
        pytest.param(9.0, [6.0], id="enough for the first only"),
    ],
)
async def test_a_rate_limit_is_waited_for_within_the_given_time_only(
    slack: LocalSlack, api: SlackApi, sleep: Sleep, patience: float, naps: list[float]
) -> None:
    slack.fail("users.info", RateLimited(6), RateLimited(6))
    result = await api.read("users.info", patience, user=REQUESTER)
    assert isinstance(result, Refused)
    assert (result.error, retry_after(result)) == ("ratelimited", 6.0)
    assert sleep.naps == naps


@pytest.mark.parametrize("header", ["inf", "1800000000", "1e300"])
async def test_a_requested_wait_counts_as_an_hour_at_most(
    http: aiohttp.ClientSession, sleep: Sleep, header: str
) -> None:
    result = await asked(http, sleep, always(429, b"", headers={"Retry-After": header}), reads)
    assert retry_after(result) == 3600.0


@EVERY_WAY
@pytest.mark.parametrize(
    ("header", "naps"),
    [
        pytest.param("4", [4.0, 4.0], id="seconds"),
        pytest.param(None, [1.0] * 10, id="none"),
        pytest.param("soon", [1.0] * 10, id="a word"),
        pytest.param("0", [1.0] * 10, id="zero"),
        pytest.param("-5", [1.0] * 10, id="below zero"),
        pytest.param("nan", [1.0] * 10, id="not a number"),
        pytest.param("inf", [], id="endless"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", [1.0] * 10, id="a date"),
    ],
)
async def test_with_any_retry_after_the_call_ends(
    http: aiohttp.ClientSession, sleep: Sleep, header: str | None, naps: list[float], ask: Ask
) -> None:
    handler = always(429, b"slow down", "text/html", {"Retry-After": header} if header else None)
    result = await asked(http, sleep, handler, ask)
    assert isinstance(result, Refused)
    assert result.error == "ratelimited"
    assert sleep.naps == naps


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, b'{"ok": false, "error": "rate_limited"}', id="with 200"),
        pytest.param(429, b'{"ok": fal', id="in broken JSON"),
        pytest.param(429, b'{"ok": false, "error": "ratelimited"}', id="in JSON"),
    ],
)
async def test_a_rate_limit_is_recognised_in_any_form(
    http: aiohttp.ClientSession, sleep: Sleep, status: int, body: bytes
) -> None:
    result = await asked(http, sleep, always(status, body, headers={"Retry-After": "8"}), reads)
    assert retry_after(result) == 8.0
    assert sleep.naps == [8.0]


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        pytest.param(200, b"ok", Answered({}), id="200"),
        pytest.param(200, b"", Answered({}), id="200 without a body"),
        pytest.param(200, b'{"ok": true}', Answered({"ok": True}), id="200 in JSON"),
        pytest.param(200, b'{"ok": false, "error": "x"}', Refused("x"), id="no in JSON"),
        pytest.param(200, b"<html>Log in</html>", Doubtful("not Slack's answer"), id="a page"),
        pytest.param(200, b"[]", Doubtful("not Slack's answer"), id="no object"),
        pytest.param(404, b"used_url", Refused("used_url"), id="404"),
        pytest.param(404, b"", Refused("HTTP 404"), id="404 without a body"),
        pytest.param(403, b"<html>Blocked</html>", Refused("HTTP 403"), id="403 with a page"),
        pytest.param(400, b'{"ok":false,"error":"no_text"}', Refused("no_text"), id="400 in JSON"),
        pytest.param(200, b"no_text\n", Refused("no_text"), id="200 with a bare error"),
        pytest.param(200, b"fatal_error", Doubtful("fatal_error"), id="200 with an inner error"),
        pytest.param(500, b"oops", Doubtful("HTTP 500"), id="500"),
        pytest.param(503, b"oops", Doubtful("HTTP 503"), id="503"),
    ],
)
async def test_an_answer_of_a_response_url_is_success_refusal_or_doubtful(
    http: aiohttp.ClientSession, sleep: Sleep, status: int, body: bytes, result: Result
) -> None:
    assert await asked(http, sleep, always(status, body, "text/plain"), responds) == result


@pytest.mark.parametrize(
    "no",
    [
        pytest.param(always(400, b'{"ok":false,"error":"invalid_blocks"}'), id="400 in JSON"),
        pytest.param(always(400, b"invalid_blocks", "text/plain"), id="400 with a bare error"),
        pytest.param(always(200, b"invalid_blocks", "text/plain"), id="200 with a bare error"),
        pytest.param(always(200, b'{"ok":false,"error":"invalid_blocks"}'), id="200 in JSON"),
    ],
)
async def test_a_message_whose_blocks_a_response_url_refuses_is_sent_as_its_text(
    http: aiohttp.ClientSession, sleep: Sleep, no: Handler
) -> None:
    given: list[object] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.json()
        given.append(body)
        return await no(request) if "blocks" in body else web.Response(text="ok")

    def responds_with_blocks(api: SlackApi, origin: str) -> Awaitable[Result]:
        return api.respond(f"{origin}/actions/1", 10.0, message("hello"))

    assert await asked(http, sleep, handler, responds_with_blocks) == Answered({})
    plain = {"response_type": "ephemeral", "text": "hello", "replace_original": False}
    assert given == [plain | {"blocks": message("hello").blocks}, plain]


TABLE = message(DataTable("*Apps*", ("App",), (("`wx1`",),), "• `wx1`", (Part("• `wx1`"),)))


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        ("invalid_blocks", ["data_table", "section", "section"]),
        ("msg_blocks_too_long", ["data_table", "section", "data_table", "section"]),
    ],
)
async def test_a_list_takes_the_place_of_a_table_that_slack_refuses(
    http: aiohttp.ClientSession, sleep: Sleep, error: str, tried: list[str]
) -> None:
    given: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        [block] = (await request.json())["blocks"]
        given.append(block["type"])
        no = block["type"] == "data_table"
        return web.json_response({"ok": False, "error": error} if no else {"ok": True})

    async def says_it_twice(api: SlackApi, _: str) -> Result:
        await api.say("chat.postMessage", 0.0, TABLE, channel=RELEASES)
        return await api.say("chat.postMessage", 0.0, TABLE, channel=RELEASES)

    assert isinstance(await asked(http, sleep, handler, says_it_twice), Answered)
    assert given == tried


OWN = "http://127.0.0.1:3000"


@pytest.mark.parametrize(
    ("api_url", "url"),
    [
        ("https://slack.com/api/", "https://hooks.slack.com/commands/T1/2/Ab-3"),
        ("https://slack.com/api/", "https://slack.com/x"),
        ("https://slack.com/api/", "https://hooks.slack-gov.com:443/actions/T1/2/3"),
        ("https://slack.com/api/", "HTTPS://Hooks.SLACK.com/actions/T1/2/3?a=b#c"),
        (f"{OWN}/api/", f"{OWN}/commands/1"),
        ("http://localhost/api/", "http://LOCALHOST:80/commands/1"),
        ("http://[::1]:3000/api/", "http://[::1]:3000/commands/1"),
        ("https://slack.example/api/", "https://slack.example:443/commands/1"),
    ],
)
def test_an_address_of_slack_or_of_its_api_is_slacks(api_url: str, url: str) -> None:
    assert is_slacks(url, api_url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.slack.com/commands/1", "ftp://hooks.slack.com/1", "//hooks.slack.com/1"),
        *("https://slack.com.example/1", "https://notslack.com/1", "https://example/slack.com/1"),
        *("https://slack.com@example/1", "https://example:443@slack.com/1", "https://@slack.com/1"),
        *(
            r"https://example\@slack.com/1",
            r"https://example\.slack.com/1",
            "https://slack.com\\@a/1",
        ),
        *("https://hooks.slack.com:8443/1", "https://slack.com:/1", "https://slack.com:443x/1"),
        *("https://hooks.slack.com./1", "https://hooks.slack.com", "https://slack.com?@example/1"),
        *("https://slаck.com/1", "https://ｓlack.com/1", "https://slac\u212a.com/1"),
        *(
            "https://xn--slck-63d.com/1",
            "https://example／.slack.com/1",
            "https://example#.slack.com/1",
        ),
        *(
            "https://example%2f.slack.com/1",
            "https://example;.slack.com/1",
            "https://a b.slack.com/1",
        ),
        *(
            "https://slack.com/1\n",
            "https://slack.com/1 2",
            " https://slack.com/1",
            "\thttps://slack.com/1",
        ),
        *("http://127.0.0.1:3001/1", "https://127.0.0.1:3000/1", "http://127.0.0.1/1", "http:/1"),
        *(
            "http://127.0.0.1:3000@example/1",
            f"{OWN}.example/1",
            "http://localhost:3000/1",
            "",
            "nonsense",
        ),
    ],
)
async def test_to_any_other_address_nothing_is_sent_and_one_line_says_so(
    http: aiohttp.ClientSession, sleep: Sleep, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []
    client = web_client("xoxb-1", f"{OWN}/api/", http)
    api = SlackApi(client, sleep, lambda method, _: called.append(method))
    assert await api.respond(url, 0.0, message("hello")) == Refused(ELSEWHERE)
    assert (called, caplog.messages) == (
        [],
        ["a response_url is not Slack's: nothing is sent to it"],
    )
    assert "/1" not in caplog.text


@EVERY_WAY
async def test_a_redirect_is_not_followed(
    http: aiohttp.ClientSession, sleep: Sleep, ask: Ask
) -> None:
    followed: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        followed.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    assert not isinstance(await asked(http, sleep, handler, ask), Answered)
    assert len(followed) == 1


@EVERY_WAY
async def test_an_answer_without_an_end_is_read_in_part_and_doubtful(
    http: aiohttp.ClientSession, sleep: Sleep, ask: Ask
) -> None:
    sent = 0

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while sent < 4 * ANSWER_LIMIT:
                await response.write(b" " * 1_000_000)
                sent += 1_000_000
        return response

    assert await asked(http, sleep, handler, ask) == Doubtful("not Slack's answer")
    assert sent < 2 * ANSWER_LIMIT


async def test_a_response_url_has_five_uses(
    slack: LocalSlack, api: SlackApi, http: aiohttp.ClientSession
) -> None:
    url = slack.response_url(REQUESTER, RELEASES)
    await use_up(http, url)
    assert isinstance(await api.respond(url, 0.0, message("hello")), Refused)


async def test_a_response_url_gets_no_token(http: aiohttp.ClientSession, sleep: Sleep) -> None:
    given: list[str | None] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        given.append(request.headers.get("Authorization"))
        return web.Response()

    await asked(http, sleep, handler, responds)
    await asked(http, sleep, handler, writes)
    assert given == [None, "Bearer xoxb-1"]


async def test_what_has_no_text_is_not_sent_again_without_its_blocks(
    slack: LocalSlack, api: SlackApi
) -> None:
    slack.fail("views.publish", Code("invalid_blocks"))
    view = {"type": "home", "blocks": []}
    result = await api.write("views.publish", 0.0, user_id=REQUESTER, view=view)
    assert result == Refused("invalid_blocks")


@pytest.mark.parametrize("proxy", ["http://", "proxy.example:3128", "http://proxy.example:312x"])
async def test_what_cannot_be_sent_by_an_unusable_proxy_is_not_sent(
    http: aiohttp.ClientSession, sleep: Sleep, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    api = SlackApi(web_client("xoxb-1", "https://slack.invalid/api/", http), sleep)
    assert await api.read("auth.test") == Refused(NOT_SENT)


async def test_a_token_that_was_revoked_is_logged_once_with_its_fix_until_slack_takes_it_again(
    slack: LocalSlack, api: SlackApi, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> list[dict[str, object]]:
        return [vars(each) for each in caplog.records if each.msg == "Slack refuses the bot token"]

    slack.fail("users.info", *[Code("token_revoked")] * 3)
    for _ in range(3):
        await api.read("users.info", user=REQUESTER)
    (said,) = refused()
    assert said["reason"] == "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)"
    assert "install the app again" in str(said["fix"])
    assert api.refused
    await api.read("users.info", user=REQUESTER)
    assert api.refused is None
    slack.fail("users.info", Code("token_revoked"))
    await api.read("users.info", user=REQUESTER)
    assert len(refused()) == 2


async def test_a_revoked_token_says_nothing_about_the_one_that_replaces_it(
    slack: LocalSlack, client: AsyncWebClient, sleep: Sleep
) -> None:
    tokens = ["xoxb-revoked"]
    api = SlackApi(client, sleep, token=lambda: tokens[-1])
    await api.read("users.info", user=REQUESTER)
    assert api.refused
    tokens.append(slack.world.bot_token)
    assert api.refused is None
    assert isinstance(await api.read("users.info", user=REQUESTER), Answered)


async def test_no_result_contains_a_token_or_an_address(
    http: aiohttp.ClientSession, sleep: Sleep
) -> None:
    for handler in (always(500), always(404, b"used_url")):
        for ask in (reads, writes, responds):
            shown = repr(await asked(http, sleep, handler, ask))
            assert "xoxb" not in shown
            assert "http:" not in shown


async def test_each_call_is_reported_with_its_result(
    slack: LocalSlack, http: aiohttp.ClientSession, client: AsyncWebClient, sleep: Sleep
) -> None:
    told: list[tuple[str, str]] = []

    def tell(method: str, result: str) -> None:
        told.append((method, result))

    api = SlackApi(client, sleep, tell)
    slack.fail("chat.postMessage", RateLimited(1), Status(503), Code("msg_too_long"), Drop())
    for _ in range(3):
        await api.write("chat.postMessage", 5.0, **HELLO)
    await api.read("auth.test")
    away = f"http://127.0.0.1:{free_port()}"
    api = SlackApi(web_client("xoxb-1", f"{away}/api/", http), sleep, tell)
    await api.respond(f"{away}/commands/1", 0.0, message("hello"))
    results = ("ratelimited", "doubtful", "refused", "doubtful")
    assert told == [
        *(("chat.postMessage", result) for result in results),
        ("auth.test", "ok"),
        ("response_url", "not sent"),
    ]
    assert {result for _, result in told} == set(SLACK_RESULTS)


async def test_a_cancelled_call_is_not_reported(
    slack: LocalSlack, client: AsyncWebClient, sleep: Sleep
) -> None:
    told: list[tuple[str, str]] = []
    api = SlackApi(client, sleep, lambda method, result: told.append((method, result)))
    slack.fail("auth.test", Slow(60))
    calling = asyncio.create_task(api.read("auth.test"))
    await slack.until(lambda slack: bool(slack.calls))
    calling.cancel()
    await asyncio.wait([calling])
    assert told == []
