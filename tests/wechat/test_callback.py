import asyncio
import gzip
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.playground.faults import Slow
from bot.playground.wechat.pushes import Push, Stamp, sealed
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.tasks import Tasks
from bot.settings.access import PlatformSettings
from bot.wechat.callback import Callback
from bot.wechat.push import (
    RANDOM_BYTES,
    Authorized,
    PushRefusal,
    Ticket,
    Unauthorized,
)
from tests.conftest import soon
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import (
    Replica,
    Replicas,
    endpoints,
    known_platform,
    pushed,
    served,
    serving,
)

LIMIT = 64 << 10
SUCCESS = (200, "success")


class PushListener:
    """Records pushes, once it may."""

    def __init__(self) -> None:
        self.handled: list[Ticket | Authorized | Unauthorized] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.begun = 0
        self.refused = list[Enum]()

    async def handle(self, push: Ticket | Authorized | Unauthorized) -> None:
        """Record a push."""
        self.begun += 1
        await self.may_go_on.wait()
        self.handled.append(push)


@pytest.fixture
def listener() -> PushListener:
    return PushListener()


@asynccontextmanager
async def listening(known: PlatformSettings, listener: PushListener) -> AsyncIterator[str]:
    """Serve a callback for this platform with a listener; yield its address."""
    tasks = Tasks()
    callback = Callback(
        lambda: known, listener.handle, time.time, tasks.start, listener.refused.append
    )
    async with served(callback) as url:
        yield url
    await tasks.drain(0)


@dataclass(frozen=True)
class Door:
    """A callback to which WeChat pushes, and a client that knows no secrets."""

    url: str
    wechat: LocalWeChat
    listener: PushListener
    client: aiohttp.ClientSession

    def genuine(self) -> Push:
        """Return a push of a ticket."""
        now, ticket = time.time(), "t1cket"
        return pushed(self.wechat, "component_verify_ticket", now, ComponentVerifyTicket=ticket)

    async def post(
        self, query: Mapping[str, str] | Sequence[tuple[str, str]], body: object, **headers: str
    ) -> tuple[int, str]:
        """Post a push, and return the status and the text of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post(self.url, params=query, data=body, headers=named) as answer:
            return answer.status, await answer.text()

    @property
    def refusals(self) -> list[str]:
        """The reasons of all pushes that were refused."""
        return [why.value.found for why in self.listener.refused]


@pytest.fixture
async def door(wechat: LocalWeChat, listener: PushListener) -> AsyncIterator[Door]:
    platform = wechat.platform
    known = known_platform(
        platform.component_appid, [platform.message_token], [platform.encoding_aes_key]
    )
    async with listening(known, listener) as url, aiohttp.ClientSession() as client:
        platform.callback = url
        yield Door(url, wechat, listener, client)
        platform.callback = None


@pytest.fixture
def handled_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every answer wait for the handling, also on a busy machine."""
    monkeypatch.setattr("bot.wechat.callback._IN_TIME", 60.0)


@pytest.mark.usefixtures("door", "handled_first")
async def test_every_genuine_push_is_answered_with_success_once_it_is_handled(
    wechat: LocalWeChat, listener: PushListener
) -> None:
    platform = wechat.platform
    assert await platform.push_ticket() == SUCCESS
    assert await platform.push_authorized(OWNER) == SUCCESS
    assert await platform.push_updateauthorized(OWNER) == SUCCESS
    assert await platform.push_unauthorized(OWNER) == SUCCESS
    assert await platform.push("notify_third_fasteregister") == SUCCESS
    assert await platform.push("") == SUCCESS
    timeless = {"AppId": platform.component_appid, "InfoType": "notify_something_new"}
    stamp = Stamp(int(time.time()), "17", b"r" * RANDOM_BYTES)
    assert await platform.deliver(sealed(timeless, platform.seal, stamp)) == SUCCESS
    kinds = [type(each) for each in listener.handled]
    assert kinds == [Ticket, Authorized, Authorized, Unauthorized]


@pytest.mark.usefixtures("door")
async def test_the_answer_does_not_wait_for_slow_handling(
    wechat: LocalWeChat, listener: PushListener
) -> None:
    listener.may_go_on.clear()
    assert await wechat.platform.push_ticket() == SUCCESS
    assert (listener.begun, listener.handled) == (1, [])
    listener.may_go_on.set()
    await soon(lambda: listener.handled)


async def test_the_answer_comes_while_the_ledger_is_locked(
    wechat: LocalWeChat, replicas: Replicas, replica: Replica
) -> None:
    async with serving(wechat, replica) as url:
        wechat.platform.callback = url
        before = replicas.row("ticket")
        with replicas.database.locked():
            assert await wechat.platform.push_ticket() == SUCCESS
            assert replicas.row("ticket") == before
        await soon(lambda: replicas.row("ticket") != before)


async def test_the_answer_does_not_wait_for_the_exchange_of_a_code(
    wechat: LocalWeChat, replica: Replica
) -> None:
    await replica.token()
    wechat.fail("api_query_auth", Slow(after_effect=True))
    async with serving(wechat, replica) as url:
        wechat.platform.callback = url
        assert await wechat.platform.push_updateauthorized(OTHER) == SUCCESS
        wechat.clear("api_query_auth")
        await replica.until_stored(OTHER)
    assert endpoints(wechat)[-1] == "query_auth"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_only_a_post_is_a_push(door: Door, method: str) -> None:
    async with door.client.request(method, door.url) as response:
        assert response.status == 405


FORGED: dict[str, tuple[dict[str, str], int, str]] = {
    "no query": ({"timestamp": "", "nonce": "", "msg_signature": ""}, 403, "timestamp"),
    "another signature": ({"msg_signature": "f" * 40}, 403, "signature"),
    "no signature": ({"msg_signature": ""}, 403, "signature"),
    "another nonce": ({"nonce": "s3cret"}, 403, "signature"),
    "an old timestamp": ({"timestamp": "1715943329"}, 403, "timestamp"),
    "a future timestamp": ({"timestamp": "9999999999"}, 403, "timestamp"),
    "a timestamp in other digits": ({"timestamp": "１７１５９４３３２９"}, 403, "timestamp"),
}


@pytest.mark.parametrize("forgery", FORGED)
async def test_a_forged_push_is_refused_and_counted_with_its_reason_and_none_of_its_content(
    door: Door, caplog: pytest.LogCaptureFixture, forgery: str
) -> None:
    caplog.set_level(logging.DEBUG)
    changes, status, word = FORGED[forgery]
    push = door.genuine()
    answer = await door.post({**push.query, **changes}, push.body)
    assert answer == (status, "not understood")
    (reason,) = door.refusals
    assert word in reason
    logged = f"{caplog.text} {[vars(record) for record in caplog.records]}"
    for each in (*changes.values(), push.query["nonce"], push.query["msg_signature"], "CDATA"):
        assert not each or each not in logged


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\0",
        b"<xml>s3cret",
        b"<!DOCTYPE xml [<!ENTITY e 's3cret'>]><xml><Encrypt>&e;</Encrypt></xml>",
        b"a" * LIMIT,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_broken_push_is_refused_and_counted(
    door: Door, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    assert (await door.post(door.genuine().query, body))[0] == 400
    assert door.refusals == [PushRefusal.NOT_XML.value.found]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_push_of_more_than_64_kibibytes_is_too_large(door: Door, *, chunked: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b"a" * (LIMIT // 16)

    body = pieces() if chunked else BytesIO(b"a" * (LIMIT + 1))
    assert (await door.post(door.genuine().query, body))[0] == 413
    assert door.refusals == ["its body is too long"]


async def test_a_compressed_body_is_refused_without_decompressing_it(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    push = door.genuine()
    for body in (gzip.compress(push.body), b"s3cret"):
        assert (await door.post(push.query, body, Content_Encoding="gzip"))[0] == 400
    assert door.refusals == [PushRefusal.NOT_XML.value.found] * 2
    assert "s3cret" not in caplog.text


async def begun(url: str, length: int) -> asyncio.StreamWriter:
    """Start a push with this Content-Length, and send three bytes of its body."""
    _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    head = f"POST /wechat/events HTTP/1.1\r\nHost: bot\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + b"<xm")
    await writer.drain()
    return writer


async def test_a_sender_that_disconnects_is_counted_once(door: Door) -> None:
    writer = await begun(door.url, 100)
    writer.close()
    await writer.wait_closed()
    await soon(lambda: door.refusals)
    assert door.refusals == ["its body is broken off or wrongly packed"]


async def test_a_body_that_does_not_arrive_is_refused_after_a_while(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.runtime.bounded._SECONDS", 0.05)
    writer = await begun(door.url, 100)
    await soon(lambda: door.refusals)
    assert door.refusals == ["its body came too slowly"]
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("name", ["timestamp", "nonce", "msg_signature"])
async def test_the_first_of_a_repeated_parameter_counts(door: Door, name: str) -> None:
    push, forged = door.genuine(), (name, "1")
    right = [*push.query.items()]
    assert (await door.post([forged, *right], push.body))[0] == 403
    assert (await door.post([*right, forged], push.body))[0] == 200


@pytest.mark.parametrize("odd", ["%ff", "%ed%a0%80", "%00", "%u0041", "%", "🎫", "%F0%9F"])
async def test_any_odd_query_is_refused_without_an_error(door: Door, odd: str) -> None:
    push = door.genuine()
    for name in ("timestamp", "nonce", "msg_signature"):
        query = "&".join(f"{key}={value}" for key, value in {**push.query, name: odd}.items())
        async with door.client.post(f"{door.url}?{query}", data=push.body) as response:
            assert response.status == 403, name
