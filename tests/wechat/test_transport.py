import asyncio
import gzip
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager

import aiohttp
import httpx
import pytest

from bot.guidance import Trouble
from bot.playground.faults import Drop, Fault
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import ANSWER_LIMIT, NoAnswer, read_done, share_env
from bot.wechat.transport import UnansweredError, WeChatApi, client_over, connect_within
from tests.cut_off import CUT_OFF, drip
from tests.wechat.conftest import APPID, Wire, answers, closes, http_answer, mute, wire

SECRET = "t0k3n"
LIMIT = ANSWER_LIMIT
PACKED = gzip.compress(b"x" * LIMIT)


Send = Callable[..., Coroutine[None, None, tuple[int, bytes] | NoAnswer]]


@pytest.fixture
def send(http: httpx.AsyncClient) -> Send:
    """A function that posts to a URL as the client does, also by a proxy."""

    async def send(url: str, seconds: float = 5.0, **proxies: str) -> tuple[int, bytes] | NoAnswer:
        if proxies:
            async with aiohttp.ClientSession() as session:
                return await post(client_over(session, proxies), url, seconds)
        return await post(http, url, seconds)

    async def post(
        http: httpx.AsyncClient, url: str, seconds: float
    ) -> tuple[int, bytes] | NoAnswer:
        try:
            response = await http.post(
                f"{url}/tcb/shareenv",
                content=b'{"env":"prod-1"}',
                timeout=seconds,
                extensions={"query": f"access_token={SECRET}"},
            )
        except UnansweredError as error:
            return error.why
        return response.status_code, response.content

    return send


@pytest.mark.parametrize(
    ("served", "received"),
    [
        (http_answer(b'{"errcode":0}'), (200, b'{"errcode":0}')),
        (http_answer(b""), (200, b"")),
        (http_answer(b"x" * LIMIT), (200, b"x" * LIMIT)),
        (http_answer(b"x" * (LIMIT + 1)), (200, b"")),
        (http_answer(b"no", "502 Bad Gateway"), (502, b"no")),
        (http_answer(b"x" * (LIMIT + 1), "502 Bad Gateway"), (502, b"")),
        (http_answer(PACKED, "200 OK", "Content-Encoding: gzip"), (200, PACKED)),
        (http_answer(b"x", "200 OK", "Content-Encoding: UTF-8"), (200, b"x")),
        (http_answer(b"\xff\x00", "299 Odd"), (299, b"\xff\x00")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (http_answer(b"x", "403 禁止").decode().encode("gbk"), (403, b"x")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            (200, b"abc"),
        ),
    ],
    ids=[
        *("usual", "empty", "at the limit", "too long", "status", "status with a long body"),
        *("compressed", "odd encoding", "bytes"),
        *("no content", "status in GBK", "chunked"),
    ],
)
async def test_an_answer_is_received_unchanged_unless_it_is_unusable(
    send: Send, served: bytes, received: tuple[int, bytes]
) -> None:
    async with answers(served) as server:
        assert await send(server.url) == received


async def test_an_answer_that_ends_with_its_connection_is_complete(send: Send) -> None:
    async with closes(b"HTTP/1.0 200 OK\r\n\r\nabc") as server:
        assert await send(server.url) == (200, b"abc")


@pytest.mark.parametrize(
    "served",
    [
        *(b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        *(b"220 mail.example.org ESMTP\r\n", b"\x16\x03\x01\x02\x00", b"HTTP/9 x\r\n\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    ],
    ids=[
        *("nothing", "half a head", "half a body", "half a chunk", "no chunk", "mail", "TLS"),
        *("no version", "no length"),
    ],
)
async def test_an_answer_that_breaks_off_or_is_not_http_leaves_the_outcome_open(
    send: Send, served: bytes
) -> None:
    async with closes(served) as server:
        assert await send(server.url) == NoAnswer(Trouble.LOST.value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Drop(), Drop(after_effect=True), CUT_OFF], ids=repr)
async def test_no_library_repeats_a_call_after_a_reset(
    send: Send, wechat: LocalWeChat, fault: Fault
) -> None:
    wechat.fail("shareenv", fault)
    assert await send(wechat.url) == NoAnswer(Trouble.LOST.value)
    assert len(wechat.calls) == 1


@pytest.mark.parametrize("fault", [Drop(silence=60), drip(0.05)], ids=repr)
async def test_an_answer_that_takes_too_long_is_a_timeout_even_if_bytes_keep_coming(
    send: Send, wechat: LocalWeChat, fault: Fault
) -> None:
    wechat.fail("shareenv", fault)
    async with asyncio.timeout(30):
        assert await send(wechat.url, seconds=1.0) == NoAnswer(Trouble.TIMEOUT.value)


async def test_a_callers_own_timeout_is_raised_if_both_timeouts_are_over(send: Send) -> None:
    async with mute() as server:

        async def freeze() -> None:
            await server.arrived.acquire()
            asyncio.get_running_loop().call_soon(time.sleep, 1.3)  # both timeouts end meanwhile

        frozen = asyncio.create_task(freeze())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.1):
                await send(server.url, seconds=1.0)
        await frozen


async def test_an_endless_body_is_abandoned_and_its_connection_closed(send: Send) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
            await writer.drain()

    async with wire(endless) as server:
        assert await send(server.url) == (200, b"")
        await asyncio.wait_for(server.closed.acquire(), 30)


async def test_a_redirect_is_not_followed(send: Send) -> None:
    async with mute() as elsewhere:
        redirect = http_answer(b"", "307 Moved", f"Location: {elsewhere.url}/tcb/shareenv")
        async with answers(redirect) as server:
            assert await send(server.url) == (307, b"")
        assert elsewhere.opened == 0


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:{refused}", "http://nowhere.invalid", "http://1.2.3.4.5", "http://0"),
        "http://api..example.invalid",
    ],
)
async def test_a_call_to_an_address_without_a_server_was_not_sent(
    send: Send, unused_tcp_port: int, url: str
) -> None:
    sent = await send(url.format(refused=unused_tcp_port))
    assert sent == NoAnswer(Trouble.NOT_SENT_CONNECT.value)


async def test_the_log_says_once_why_no_call_can_be_sent(
    send: Send, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        await send(f"http://127.0.0.1:{unused_tcp_port}")
    (said,) = [vars(each) for each in caplog.records if "cannot be reached" in each.msg]
    assert said["server"] == "127.0.0.1"
    assert said["reason"] == "no connection can be made (Connection refused)"


async def test_a_port_without_tls_means_that_the_call_was_not_sent(
    send: Send, wechat: LocalWeChat
) -> None:
    url = wechat.url.replace("http://", "https://")
    assert await send(url) == NoAnswer(Trouble.NOT_SENT_TLS.value)
    assert wechat.calls == []


async def test_a_silent_tls_handshake_means_that_the_call_was_not_sent(send: Send) -> None:
    async with mute() as server:
        url = server.url.replace("http://", "https://")
        assert await send(url, seconds=2.0) == NoAnswer(Trouble.NOT_SENT_CONNECT.value)


@pytest.mark.parametrize(
    ("proxy", "trouble", "status"),
    [
        (answers(http_answer(b"", "407 Who?")), Trouble.GATEWAY_CLOSED, 407),
        (answers(http_answer(b"", "403 Forbidden")), Trouble.GATEWAY_CLOSED, 403),
        (answers(http_answer(b"", "302 Sign in")), Trouble.GATEWAY_CLOSED, 302),
        (answers(http_answer(b"", "502 Bad")), Trouble.NOT_SENT_CONNECT, 502),
        (closes(), Trouble.NOT_SENT_CONNECT, None),
        (closes(b"HTTP/1.1 200"), Trouble.NOT_SENT_CONNECT, None),
        (answers(b"220 mail.example.org ESMTP\r\n\r\n"), Trouble.NOT_SENT_CONNECT, None),
        (closes(b"HTTP/1.1 200 OK\r\n\r\n"), Trouble.NOT_SENT_CONNECT, None),
    ],
    ids=[
        *("no password", "not allowed", "a sign-in page", "cannot reach it either"),
        *("hangs up", "hangs up midway", "is no proxy", "hangs up afterwards"),
    ],
)
async def test_a_proxy_that_does_not_connect_means_that_the_call_was_not_sent(
    send: Send,
    proxy: AbstractAsyncContextManager[Wire],
    trouble: Trouble,
    status: int | None,
) -> None:
    async with proxy as server:
        sent = await send("https://wechat.invalid", https=server.url)
        assert sent == NoAnswer(trouble.value, status=status)
        assert server.requests[0].startswith(b"CONNECT wechat.invalid:443")
        assert SECRET.encode() not in server.requests[0]


@pytest.mark.parametrize("proxy", ["nonsense", "http://[::1", "http://127.0.0.1:99999"])
async def test_a_proxy_that_cannot_be_read_means_that_the_call_was_not_sent(
    send: Send, proxy: str
) -> None:
    sent = await send("https://wechat.invalid", https=proxy)
    assert sent == NoAnswer(Trouble.NOT_SENT_CONNECT.value)


@pytest.mark.parametrize(
    ("scheme", "no_proxy", "by_proxy"),
    [
        *(("http", "", True), ("http", "localhost, .example", True), ("https", "", False)),
        *(("http", "localhost,127.0.0.1", False), ("http", "*", False)),
    ],
)
async def test_a_proxy_is_used_for_its_scheme_unless_no_proxy_names_the_host(
    send: Send, monkeypatch: pytest.MonkeyPatch, scheme: str, no_proxy: str, by_proxy: bool
) -> None:
    monkeypatch.setenv("no_proxy", no_proxy)
    async with answers(http_answer(b"proxy")) as proxy, answers(http_answer(b"wechat")) as server:
        sent = await send(server.url, **{scheme: proxy.url})
    assert sent == (200, b"proxy" if by_proxy else b"wechat")


async def test_a_call_has_a_content_length_and_accepts_no_compression(send: Send) -> None:
    async with answers(http_answer(b"{}")) as server:
        await send(server.url)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == f"post /tcb/shareenv?access_token={SECRET} http/1.1"
    assert body == b'{"env":"prod-1"}'
    assert f"content-length: {len(body)}" in lines
    assert "accept-encoding: identity" in lines
    assert not [line for line in lines if line.startswith(("transfer-encoding", "expect"))]


@pytest.mark.parametrize("token", ["a+b/c==", "a b&c=d?e#f", "%2B%", "~!*'()", "秘"])
async def test_a_token_with_any_characters_is_sent_unchanged(
    http: httpx.AsyncClient, wechat: LocalWeChat, token: str
) -> None:
    await WeChatApi(http, wechat.url, time.monotonic).post(
        share_env(token, "prod-1", APPID), 5, read_done
    )
    assert wechat.calls[0].token == token


async def test_no_cookie_is_kept_nor_sent(send: Send) -> None:
    cookie = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\xff\r\nSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n"
    )
    async with answers(cookie) as server:
        for _ in range(2):
            assert await send(server.url) == (200, b"")
    assert b"cookie" not in server.requests[1].lower()


async def test_successive_calls_share_one_connection(send: Send) -> None:
    async with answers(http_answer(b"{}")) as server:
        for _ in range(3):
            await send(server.url)
        assert (server.opened, len(server.requests)) == (1, 3)


async def test_a_cancelled_call_closes_its_connection(send: Send) -> None:
    async with mute() as server:
        calling = asyncio.create_task(send(server.url))
        await asyncio.wait_for(server.arrived.acquire(), 30)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.wait_for(server.closed.acquire(), 30)


@pytest.mark.parametrize(
    "answer",
    [
        *(http_answer(b"{}"), http_answer(b"x", "502 Bad Gateway"), b"", b"HTTP/1.1 200 OK\r\n"),
        *(b"220 mail\r\n", http_answer(b"x", "307 Moved", "Location: http://127.0.0.1:1/")),
        http_answer(b"x", "200 OK", "Content-Encoding: gzip"),
        http_answer(b"x", "200 OK", "Set-Cookie: a=b; Domain=elsewhere.example.org"),
    ],
    ids=lambda answer: repr(answer[:16]),
)
async def test_no_log_line_shows_the_query_even_at_debug(
    send: Send, caplog: pytest.LogCaptureFixture, answer: bytes, unused_tcp_port: int
) -> None:
    caplog.set_level(logging.DEBUG)
    async with closes(answer) as server:
        await send(server.url)
        await send(server.url.replace("http://", "https://"), seconds=0.1)
    await send(f"http://127.0.0.1:{unused_tcp_port}")
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if SECRET in repr(vars(record))]


async def test_httpx_logs_the_call_that_wechat_gets_without_its_token(
    http: httpx.AsyncClient, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    for logger in ("", "httpx"):
        caplog.set_level(logging.DEBUG, logger)
    await WeChatApi(http, wechat.url, time.monotonic).post(
        share_env(SECRET, "prod-1", APPID), 5, read_done
    )
    assert wechat.calls[0].token == SECRET
    assert f"POST {wechat.url}/tcb/shareenv" in caplog.text
    assert not [record for record in caplog.records if SECRET in repr(vars(record))]


@pytest.mark.parametrize(("seconds", "connect"), [(60.0, 5.0), (10.0, 5.0), (5.0, 2.5), (0.2, 0.1)])
def test_the_timeout_for_connecting_is_well_below_that_of_the_call(
    seconds: float, connect: float
) -> None:
    assert connect_within(seconds) == connect


@pytest.mark.parametrize(
    ("served", "answer"),
    [
        (http_answer(b'{"errcode":0}'), "0"),
        (http_answer(b'{"errcode":85088,"errmsg":"no qbase privilege"}'), "85088"),
        (http_answer(b"no", "502 Bad Gateway"), "gateway-broken"),
        (b"", "timeout"),
    ],
    ids=["yes", "no", "trouble", "silence"],
)
async def test_each_call_is_reported_with_its_answer_and_without_its_secrets(
    http: httpx.AsyncClient, served: bytes, answer: str
) -> None:
    reports: list[tuple[str, str, float]] = []
    async with answers(served) as wechat:
        call = share_env(SECRET, "prod-1", "wx5fe6bb43205e9e70")
        api = WeChatApi(http, wechat.url, time.monotonic, lambda *report: reports.append(report))
        await api.post(call, 5.0 if served else 2.0, read_done)
    ((name, reported, seconds),) = reports
    assert (name, reported) == ("shareenv", answer)
    assert 0 < seconds < 30
