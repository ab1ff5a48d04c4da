"""Faults at `/wechat/events`, all at once: a sender without the secrets learns only that it was refused."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from time import time
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot.playground.loopback import free_port
from bot.playground.wechat.platform import PlatformCall
from bot.playground.wechat.pushes import Push
from bot.playground.world import OWNER
from tests.faults.http_clients import (
    CHUNKS,
    LONG,
    PIECES,
    exchange,
    open_connections,
    request,
    with_length,
)
from tests.faults.rig import ProcessRig
from tests.faults.table import Fault, rows_of
from tests.faults.token_chain import chain_rig, expire_all_tokens, wait_for_renewals
from tests.wechat.replicas import pushed

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

XML = {"Content-Type": "text/xml"}
LENGTH = "Content-Length"
DRIPS = [b"<"] * 60
STALLED, MOST = 250, 32 << 20  # connections, and the memory that they may take
LIMIT = 64 << 10
ENTITIES = (
    b"<!DOCTYPE x [<!ENTITY a 'made-up'><!ENTITY b '&a;&a;'>]><xml><Encrypt>&b;</Encrypt></xml>"
)


@dataclass(frozen=True)
class PushClient:
    """Pushes to a bot that maintains the token chain, right and wrong ones."""

    rig: ProcessRig
    port: int
    began: float

    def ticket(self, age: float = 0.0) -> Push:
        """Return a push of a ticket older than the bot's, signed `age` seconds ago."""
        more = {"ComponentVerifyTicket": "ticket@@@made-up"}
        return pushed(self.rig.wechat, "component_verify_ticket", self.began - 9, age, **more)

    def head(self, push: Push, headers: dict[str, str], method: str = "POST") -> bytes:
        """Return a push without its body."""
        return request(f"{method} /wechat/events?{urlencode(push.query)} HTTP/1.1", headers)

    async def send(self, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
        """Send raw bytes."""
        return await exchange(self.port, *pieces, pause=pause, hangs_up=hangs_up)

    async def push_changed(
        self,
        body: bytes | None = None,
        method: str = "POST",
        more: Mapping[str, str] = XML,
        **query: str,
    ) -> str:
        """Push a complete ticket with something changed."""
        push = self.ticket()
        body = push.body if body is None else body
        push.query.update(query)
        return await self.send(self.head(push, with_length(more, body), method), body)

    async def push_in_pieces(
        self, headers: dict[str, str], *pieces: bytes, pause: float = 0.0
    ) -> str:
        """Push a ticket with another body, in pieces."""
        return await self.send(self.head(self.ticket(), headers), *pieces, pause=pause)

    async def push(self, push: Push) -> str:
        """Send a push unchanged."""
        return await self.send(self.head(push, with_length(XML, push.body)), push.body)

    async def replay(self) -> str:
        """Push a ticket four times."""
        push = self.ticket()
        response = [await self.push(push) for _ in range(4)]
        assert response == response[:1] * 4
        return response[0]

    async def push_stale_withdrawal(self) -> str:
        """Push that an owner withdrew everything, and again after they authorised the platform again."""
        wechat = self.rig.wechat
        withdrawn = pushed(wechat, "unauthorized", time() - 9, AuthorizerAppid=OWNER)
        assert await self.push(withdrawn) == "200 success"
        assert await wechat.platform.push_updateauthorized(OWNER) == (200, "success")
        exchanged = PlatformCall("api_query_auth", OWNER, 0)
        await wechat.until(lambda _: exchanged in wechat.platform.calls)
        return await self.push(withdrawn)


Action = Callable[[PushClient], Coroutine[None, None, str]]


async def hang_up(client: PushClient) -> str:
    """Disconnect within the body."""
    return await client.send(client.head(client.ticket(), {LENGTH: "999"}), b"<xml>", hangs_up=True)


async def push_during_stall(client: PushClient) -> str:
    """Open many connections whose bodies lack the last byte, and push meanwhile."""
    bot, head = client.rig.bot, client.head(client.ticket(), {LENGTH: str(LIMIT)})
    before = bot.memory()
    bot.forget_peak()
    async with open_connections(client.port, STALLED, head + bytes(LIMIT - 1)):
        response = await client.push(client.ticket())
    assert bot.memory("VmHWM") - before < MOST
    return response


NOT_XML, NOT_WECHATS = "400 not understood", "403 not understood"
LATE, TOO_LONG = "408 not understood", "413 not understood"
CASES: dict[Fault, Action] = rows_of(
    "`/wechat/events`",
    ("a forged signature", NOT_WECHATS, lambda p: p.push_changed(msg_signature="f" * 40)),
    ("no signature", NOT_WECHATS, lambda p: p.push_changed(msg_signature="")),
    ("another nonce", NOT_WECHATS, lambda p: p.push_changed(nonce="made-up")),
    ("a push of six minutes ago", NOT_WECHATS, lambda p: p.push(p.ticket(age=360))),
    ("a push of six minutes to come", NOT_WECHATS, lambda p: p.push(p.ticket(age=-360))),
    ("a ticket pushed four times", "200 success", PushClient.replay),
    ("`unauthorized`, pushed again after a new authorisation", "200 success", PushClient.push_stale_withdrawal),
    ("GET", "405", lambda p: p.push_changed(method="GET")),
    ("10 MB, announced", TOO_LONG, lambda p: p.push_in_pieces({LENGTH: str(LONG)}, *PIECES)),
    ("10 MB, announced, and nothing comes", TOO_LONG, lambda p: p.push_in_pieces({LENGTH: str(LONG)})),
    ("10 MB in chunks", TOO_LONG, lambda p: p.push_in_pieces({"Transfer-Encoding": "chunked"}, *CHUNKS)),
    ("an empty body", NOT_XML, lambda p: p.push_changed(b"")),
    ("a body of JSON", NOT_XML, lambda p: p.push_changed(b'{"Encrypt": "made-up"}')),
    ("a body with entities", NOT_XML, lambda p: p.push_changed(ENTITIES)),
    ("a body that is not UTF-8", NOT_XML, lambda p: p.push_changed("<xml>秘密</xml>".encode("gb18030"))),
    ("a packed body", NOT_XML, lambda p: p.push_changed(gzip.compress(b"<xml>"), more={**XML, "Content-Encoding": "gzip"})),
    ("a push as text/plain", "200 success", lambda p: p.push_changed(more={"Content-Type": "text/plain; charset=made-up"})),
    ("a body that never comes", LATE, lambda p: p.push_in_pieces({LENGTH: "99"})),
    ("a body that drips", LATE, lambda p: p.push_in_pieces({LENGTH: "99"}, *DRIPS, pause=0.2)),
    ("a body that breaks off", "no answer", hang_up),
)  # fmt: skip  # a line for each row
STALLED_BODIES = Fault(
    "`/wechat/events`", f"{STALLED} bodies of which the last byte never comes", "200 success"
)
FAULTS = (*CASES, STALLED_BODIES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PushClient]:
    """Run a bot that maintains the token chain and has a token."""
    port, began = free_port(), time()
    async with chain_rig(tmp_path_factory.mktemp("callback"), port) as rig:
        await wait_for_renewals(rig, 0)
        yield PushClient(rig, port, began)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def responses(client: PushClient) -> dict[Fault, asyncio.Task[str]]:
    """Cause all faults at once."""
    return {fault: asyncio.create_task(action(client)) for fault, action in CASES.items()}


@pytest.mark.parametrize("fault", CASES, ids=str)
async def test_every_push_gets_the_right_response(
    fault: Fault, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    assert (await responses[fault]).startswith(fault.told)


async def test_stalled_bodies_do_not_keep_pushes_out(
    client: PushClient, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(responses.values())
    assert await push_during_stall(client) == STALLED_BODIES.told


async def test_after_all_faults_the_chain_works(
    client: PushClient, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(responses.values())
    wechat = client.rig.wechat
    # With its earlier ticket and refresh token: it has not accepted any older push.
    expire_all_tokens(client.rig)
    await client.rig.check_healthy()
    assert client.rig.bot.log.count("authorisation withdrawn") == 1
    assert await wechat.platform.push_ticket() == (200, "success")
    await client.rig.check_healthy()
    wechat.expire(wechat.calls[-1].token)
    await client.rig.check_healthy()
