"""Faults in HTTP mode, all at once: every request gets the right response."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from resource import RLIMIT_NOFILE, prlimit
from signal import SIGTERM
from time import time
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot.playground.slack.delivery import signature
from bot.playground.world import seed
from tests.conftest import free_port
from tests.faults.bots import CHANNEL, address_at, over_http, request_of, rows
from tests.faults.fire import REQUESTER, Fire, fire
from tests.faults.strangers import CHUNKS, LONG, PIECES, crowd, measured, request, said
from tests.faults.table import Fault, rows_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SECRET = seed().signing_secret
LINE = "POST /slack/events HTTP/1.1"
FORM = "application/x-www-form-urlencoded"
LENGTH = "Content-Length"
TIME, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
CROWD, FILES = 600, 512  # connections, and the bot's limit of open files
STALLED, MOST = 250, 32 << 20  # connections, and the memory that they may take
DRIPS = [b"x"] * 60


@dataclass(frozen=True)
class Post:
    """A bot in HTTP mode, and its clients."""

    burning: Fire
    port: int

    async def say(self, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
        """Send raw bytes."""
        return await said(self.port, *pieces, pause=pause, hangs_up=hangs_up)

    async def whole(
        self, headers: dict[str, str], body: bytes | None = None, line: str = LINE
    ) -> str:
        """Send a complete request; by default a command."""
        body = HELP if body is None else body
        return await self.say(request(line, measured(headers, body), body))

    async def replay(self) -> str:
        """Send a signed command four times."""
        slack = self.burning.slack
        ack = await slack.command(REQUESTER, CHANNEL, self.burning.command())
        again = [await slack.redeliver(ack) for _ in range(3)]
        assert [each.payload for each in again] == [ack.payload] * 3
        return str((ack.payload or {})["text"])


Act = Callable[[Post], Coroutine[None, None, str]]


def signed(body: bytes | None = None, kind: str = FORM, age: int = 0) -> dict[str, str]:
    """Return the headers that Slack would send with this body."""
    then, body = str(int(time()) - age), HELP if body is None else body
    return {
        "Content-Type": kind,
        TIME: then,
        SIGNATURE: signature(SECRET, then, body.decode("latin-1")),
    }


HELP = urlencode(
    {
        "team_id": seed().team_id,
        "channel_id": CHANNEL,
        "user_id": REQUESTER,
        "command": "/share-env",
        "text": "help",
        "trigger_id": "1.1.made-up",
        "response_url": "http://127.0.0.1/commands/made-up",
    }
).encode()
NO_SIGNATURE_OF_SLACKS = "v0=" + "0" * 64
UNSIGNED = {"Content-Type": FORM}
CHUNKED = {"Transfer-Encoding": "chunked"}
MEBIBYTE = 1 << 20
HEAD = "\r\n".join([LINE, *(f"X-{number}: {'x' * 8000}" for number in range(120))]).encode()


def forged() -> dict[str, str]:
    """Return current headers that are valid except for the signature."""
    return {**signed(), SIGNATURE: NO_SIGNATURE_OF_SLACKS}


def announced(length: int, body: bytes = b"") -> bytes:
    """Return a signed request that claims this length for its body."""
    return request(LINE, {**signed(), "Content-Length": str(length)}, body)


async def twice(post: Post) -> str:
    """Send a forged signature header before the valid one."""
    first = (SIGNATURE, NO_SIGNATURE_OF_SLACKS)
    return await post.say(request(LINE, [first, *measured(signed(), HELP).items()], HELP))


async def piped(post: Post) -> str:
    """Send two requests on one connection, the second of them forged."""
    good, bad = (request(LINE, measured(h, HELP), HELP) for h in (signed(), forged()))
    good = good.replace(b"Connection: close\r\n", b"")
    first, second = (await post.say(good + bad)).splitlines()
    return f"{first[:3]}, then {second}"


def crowded(says: bytes) -> Act:
    """Return an action that opens more connections than the bot accepts, sends this on each, and then types a command."""

    async def act(post: Post) -> str:
        async with crowd(post.port, CROWD, says):
            return await post.whole(signed())

    return act


def stalled(says: bytes) -> Act:
    """Return an action with many connections that send only this, during which a command is typed."""

    async def act(post: Post) -> str:
        bot = post.burning.bot
        before = bot.memory()
        bot.forget_peak()
        async with crowd(post.port, STALLED, says):
            told = await post.whole(signed())
        assert bot.memory("VmHWM") - before < MOST
        return told

    return act


NOT_SIGNED = "401 no good signature"
LATE, TOO_LONG = "408 its body came too slowly", "413 its body is too long"
NOT_FROM_SLACK = "400 the body is not what Slack sends"

FIRES: dict[Fault, Act] = rows_of(
    "HTTP mode",
    ("a forged signature", NOT_SIGNED, lambda p: p.whole(forged())),
    ("a forged signature before the good one", NOT_SIGNED, twice),
    ("a forged signature behind a good one", f"200, then {NOT_SIGNED}", piped),
    ("no signature", NOT_SIGNED, lambda p: p.whole(UNSIGNED)),
    ("a timestamp that is no number", NOT_SIGNED, lambda p: p.whole({**signed(), TIME: "٣"})),
    ("a signature of six minutes ago", NOT_SIGNED, lambda p: p.whole(signed(age=360))),
    ("a signature of six minutes to come", NOT_SIGNED, lambda p: p.whole(signed(age=-360))),
    ("a signed command sent four times", "On it", Post.replay),
    ("10 MB, not signed", NOT_SIGNED, lambda p: p.say(request(LINE, {LENGTH: str(LONG)}), *PIECES)),
    ("10 MB, announced", TOO_LONG, lambda p: p.say(announced(LONG), *PIECES)),
    ("10 MB, announced, and nothing comes", TOO_LONG, lambda p: p.say(announced(LONG))),
    ("10 MB in chunks", TOO_LONG, lambda p: p.say(request(LINE, signed() | CHUNKED), *CHUNKS)),
    ("more than was announced", "400 Data after", lambda p: p.say(announced(4, HELP))),
    ("less than was announced", LATE, lambda p: p.say(announced(999, HELP))),
    ("two lengths", "400 Duplicate Content-Length", lambda p: p.whole({**signed(), LENGTH.lower(): "4"})),
    ("a length and chunks", "400 Content-Length", lambda p: p.whole(signed() | CHUNKED)),
    ("a body that never comes", LATE, lambda p: p.say(announced(len(HELP)))),
    ("a body that drips", LATE, lambda p: p.say(announced(len(DRIPS) + 1), *DRIPS, pause=0.2)),
    ("a body that breaks off", "no answer", lambda p: p.say(announced(999, HELP), hangs_up=True)),
    ("a broken chunk", "400 Invalid character", lambda p: p.say(request(LINE, signed() | CHUNKED, b"zz\r\n"))),
    ("no body", "200", lambda p: p.whole(signed(b""), b"")),
    ("a command as text/plain", "200", lambda p: p.whole(signed(kind="text/plain"))),
    ("a command as application/json", NOT_FROM_SLACK, lambda p: p.whole(signed(kind="application/json"))),
    ("a body that is not UTF-8", NOT_FROM_SLACK, lambda p: p.whole(signed(b"\xff"), b"\xff")),
    ("a charset that nobody knows", "200", lambda p: p.whole(signed(kind=f"{FORM}; charset=made-up"))),
    ("a packed body", NOT_FROM_SLACK, lambda p: p.whole(signed() | {"Content-Encoding": "gzip"}, gzip.compress(HELP))),
    ("GET", "405", lambda p: p.whole(signed(), line=LINE.replace("POST", "GET"))),
    ("a method that nobody knows", "400 Invalid method", lambda p: p.whole(signed(), line=LINE.replace("POST", "BREW"))),
    ("another path", "404", lambda p: p.whole(signed(), line=LINE.replace("events", "event"))),
    ("HTTP/1.0", "200", lambda p: p.whole(signed(), line=LINE.replace("1.1", "1.0"))),
    ("HTTP/2", "400", lambda p: p.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ("TLS", "400 Received HTTPS traffic", lambda p: p.say(b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03" + bytes(200))),
    ("no HTTP at all", "400 Invalid method", lambda p: p.say(b"\0\xff made-up\r\n\r\n")),
    ("a head of 20,000 characters", "400 Got more than 8190 bytes", lambda p: p.whole(signed() | {"X-Long": "x" * 20_000})),
)  # fmt: skip  # a line for each row
FLOODS: dict[Fault, Act] = rows_of(
    "HTTP mode",
    (f"{CROWD} connections without a word", "200", crowded(b"")),
    (f"{CROWD} connections whose heads never end", "200", crowded(LINE.encode())),
    (f"{CROWD} connections whose bodies never come", "200", crowded(announced(999))),
    (f"{STALLED} bodies of which the last byte never comes", "200", stalled(announced(MEBIBYTE, bytes(MEBIBYTE - 1)))),
    (f"{STALLED} heads of which the last line never comes", "200", stalled(HEAD)),
)  # fmt: skip  # a line for each row
FAULTS = (*FIRES, *FLOODS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def post(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Post]:
    """Run a bot in HTTP mode."""
    port, folder = free_port(), tmp_path_factory.mktemp("http")
    async with fire(folder, **over_http(port)) as burning:
        prlimit(burning.bot.pid, RLIMIT_NOFILE, (FILES, FILES))
        burning.slack.request_url = address_at(port)
        yield Post(burning, port)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(post: Post) -> dict[Fault, asyncio.Task[str]]:
    """Cause all faults at once."""
    return {fault: asyncio.create_task(act(post)) for fault, act in FIRES.items()}


@pytest.mark.parametrize("fault", FIRES, ids=str)
async def test_every_post_gets_the_right_response(
    fault: Fault, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    assert (await heard[fault]).startswith(fault.told)


@pytest.mark.parametrize("fault", FLOODS, ids=str)
async def test_idle_connections_do_not_keep_commands_out(
    fault: Fault, post: Post, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(heard.values())
    assert (await FLOODS[fault](post)).startswith(fault.told)


async def test_after_all_faults_the_next_command_works_and_an_old_one_is_not_repeated(
    post: Post, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(heard.values())
    burning, slack = post.burning, post.burning.slack
    await burning.stands()
    ack = await slack.command(REQUESTER, CHANNEL, burning.command())
    count = "SELECT count(*) FROM requests"
    before = rows(burning.database, count)
    assert await burning.bot.end(SIGTERM) == 0
    await burning.bot.start()
    assert request_of(await slack.redeliver(ack)) == request_of(ack) is not None
    assert rows(burning.database, count) == before
    await burning.stands()
