"""Faults at `/wechat/events`, all at once: strangers learn only that they were refused."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from time import time
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot.playground.wechat.platform import PlatformCall
from bot.playground.wechat.pushes import Push
from bot.playground.world import OWNER
from tests.conftest import free_port
from tests.faults.chained import chained, let_all_tokens_die, renewed
from tests.faults.fire import Fire
from tests.faults.strangers import CHUNKS, LONG, PIECES, crowd, measured, request, said
from tests.faults.table import Fault, rows_of
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
class Pushing:
    """A bot that keeps the token chain, and clients that push to it."""

    burning: Fire
    port: int
    began: float

    def ticket(self, age: float = 0.0) -> Push:
        """Return a push of a ticket older than the bot's, signed `age` seconds ago."""
        more = {"ComponentVerifyTicket": "ticket@@@made-up"}
        return pushed(self.burning.wechat, "component_verify_ticket", self.began - 9, age, **more)

    def head(self, push: Push, headers: dict[str, str], method: str = "POST") -> bytes:
        """Return a push without its body."""
        return request(f"{method} /wechat/events?{urlencode(push.query)} HTTP/1.1", headers)

    async def say(self, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
        """Send raw bytes."""
        return await said(self.port, *pieces, pause=pause, hangs_up=hangs_up)

    async def whole(
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
        return await self.say(self.head(push, measured(more, body), method), body)

    async def piecemeal(self, headers: dict[str, str], *pieces: bytes, pause: float = 0.0) -> str:
        """Push a ticket with another body, in pieces."""
        return await self.say(self.head(self.ticket(), headers), *pieces, pause=pause)

    async def push(self, push: Push) -> str:
        """Send a push unchanged."""
        return await self.say(self.head(push, measured(XML, push.body)), push.body)

    async def replay(self) -> str:
        """Push a ticket four times."""
        push = self.ticket()
        told = [await self.push(push) for _ in range(4)]
        assert told == told[:1] * 4
        return told[0]

    async def overtaken(self) -> str:
        """Push that an owner withdrew everything, and again after they authorised the platform again."""
        wechat = self.burning.wechat
        withdrawn = pushed(wechat, "unauthorized", time() - 9, AuthorizerAppid=OWNER)
        assert await self.push(withdrawn) == "200 success"
        assert await wechat.platform.push_updateauthorized(OWNER) == (200, "success")
        exchanged = PlatformCall("api_query_auth", OWNER, 0)
        await wechat.until(lambda _: exchanged in wechat.platform.calls)
        return await self.push(withdrawn)


Act = Callable[[Pushing], Coroutine[None, None, str]]


async def hang_up(post: Pushing) -> str:
    """Disconnect within the body."""
    return await post.say(post.head(post.ticket(), {LENGTH: "999"}), b"<xml>", hangs_up=True)


async def stalled(post: Pushing) -> str:
    """Open many connections whose bodies lack the last byte, and push meanwhile."""
    bot, head = post.burning.bot, post.head(post.ticket(), {LENGTH: str(LIMIT)})
    before = bot.memory()
    bot.forget_peak()
    async with crowd(post.port, STALLED, head + bytes(LIMIT - 1)):
        told = await post.push(post.ticket())
    assert bot.memory("VmHWM") - before < MOST
    return told


NOT_XML, NOT_WECHATS = "400 not understood", "403 not understood"
LATE, TOO_LONG = "408 not understood", "413 not understood"
FIRES: dict[Fault, Act] = rows_of(
    "`/wechat/events`",
    ("a forged signature", NOT_WECHATS, lambda p: p.whole(msg_signature="f" * 40)),
    ("no signature", NOT_WECHATS, lambda p: p.whole(msg_signature="")),
    ("another nonce", NOT_WECHATS, lambda p: p.whole(nonce="made-up")),
    ("a push of six minutes ago", NOT_WECHATS, lambda p: p.push(p.ticket(age=360))),
    ("a push of six minutes to come", NOT_WECHATS, lambda p: p.push(p.ticket(age=-360))),
    ("a ticket pushed four times", "200 success", Pushing.replay),
    ("`unauthorized`, pushed again after a new authorisation", "200 success", Pushing.overtaken),
    ("GET", "405", lambda p: p.whole(method="GET")),
    ("10 MB, announced", TOO_LONG, lambda p: p.piecemeal({LENGTH: str(LONG)}, *PIECES)),
    ("10 MB, announced, and nothing comes", TOO_LONG, lambda p: p.piecemeal({LENGTH: str(LONG)})),
    ("10 MB in chunks", TOO_LONG, lambda p: p.piecemeal({"Transfer-Encoding": "chunked"}, *CHUNKS)),
    ("an empty body", NOT_XML, lambda p: p.whole(b"")),
    ("a body of JSON", NOT_XML, lambda p: p.whole(b'{"Encrypt": "made-up"}')),
    ("a body with entities", NOT_XML, lambda p: p.whole(ENTITIES)),
    ("a body that is not UTF-8", NOT_XML, lambda p: p.whole("<xml>秘密</xml>".encode("gb18030"))),
    ("a packed body", NOT_XML, lambda p: p.whole(gzip.compress(b"<xml>"), more={**XML, "Content-Encoding": "gzip"})),
    ("a push as text/plain", "200 success", lambda p: p.whole(more={"Content-Type": "text/plain; charset=made-up"})),
    ("a body that never comes", LATE, lambda p: p.piecemeal({LENGTH: "99"})),
    ("a body that drips", LATE, lambda p: p.piecemeal({LENGTH: "99"}, *DRIPS, pause=0.2)),
    ("a body that breaks off", "no answer", hang_up),
)  # fmt: skip  # a line for each row
STALL = Fault(
    "`/wechat/events`", f"{STALLED} bodies of which the last byte never comes", "200 success"
)
FAULTS = (*FIRES, STALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pushing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pushing]:
    """Run a bot that keeps the token chain and has a token."""
    port, began = free_port(), time()
    async with chained(tmp_path_factory.mktemp("callback"), port) as burning:
        await renewed(burning, 0)
        yield Pushing(burning, port, began)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(pushing: Pushing) -> dict[Fault, asyncio.Task[str]]:
    """Cause all faults at once."""
    return {fault: asyncio.create_task(act(pushing)) for fault, act in FIRES.items()}


@pytest.mark.parametrize("fault", FIRES, ids=str)
async def test_every_push_gets_the_right_response(
    fault: Fault, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    assert (await heard[fault]).startswith(fault.told)


async def test_stalled_bodies_do_not_keep_pushes_out(
    pushing: Pushing, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(heard.values())
    assert await stalled(pushing) == STALL.told


async def test_after_all_faults_the_chain_works(
    pushing: Pushing, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(heard.values())
    wechat = pushing.burning.wechat
    # With its earlier ticket and refresh token: it has not accepted any older push.
    let_all_tokens_die(pushing.burning)
    await pushing.burning.stands()
    assert pushing.burning.bot.log.count("authorisation withdrawn") == 1
    assert await wechat.platform.push_ticket() == (200, "success")
    await pushing.burning.stands()
    wechat.expire(wechat.calls[-1].token)
    await pushing.burning.stands()
