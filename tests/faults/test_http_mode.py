"""Faults in HTTP mode, all at once: every request gets the right response."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from signal import SIGTERM
from time import time
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from slack_sdk.signature import SignatureVerifier

from bot.playground.loopback import free_port
from bot.playground.world import World
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.faults.bots import request_of, rows
from tests.faults.http_clients import (
    CHUNKS,
    LONG,
    PIECES,
    exchange,
    open_connections,
    request,
    with_length,
)
from tests.faults.rig import ProcessRig, start_rig
from tests.faults.table import Fault, rows_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

VERIFIER = SignatureVerifier(World().signing_secret)
LINE = "POST /slack/events HTTP/1.1"
FORM = "application/x-www-form-urlencoded"
LENGTH = "Content-Length"
TIME, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
STALLED, MOST = 250, 32 << 20  # connections, and the memory that they may take
DRIPS = [b"x"] * 60


@dataclass(frozen=True)
class HttpClient:
    """Sends requests to a bot in HTTP mode, right and wrong ones."""

    rig: ProcessRig
    port: int

    async def send(self, *pieces: bytes, pause: float = 0.0, hangs_up: bool = False) -> str:
        """Send raw bytes."""
        return await exchange(self.port, *pieces, pause=pause, hangs_up=hangs_up)

    async def post(
        self, headers: dict[str, str], body: bytes | None = None, line: str = LINE
    ) -> str:
        """Send a complete request with these headers; by default its body is a command."""
        body = HELP if body is None else body
        return await self.send(request(line, with_length(headers, body), body))

    async def replay(self) -> str:
        """Send a signed command four times."""
        slack = self.rig.slack
        ack = await slack.command(REQUESTER, RELEASES, self.rig.command())
        again = [await slack.redeliver(ack) for _ in range(3)]
        assert [each.payload for each in again] == [ack.payload] * 3
        return str((ack.payload or {})["text"])


Action = Callable[[HttpClient], Coroutine[None, None, str]]


def signed(body: bytes | None = None, kind: str = FORM, age: int = 0) -> dict[str, str]:
    """Return the headers that Slack would send with this body."""
    then, body = str(int(time()) - age), HELP if body is None else body
    return {
        "Content-Type": kind,
        TIME: then,
        SIGNATURE: str(VERIFIER.generate_signature(timestamp=then, body=body.decode("latin-1"))),
    }


HELP = urlencode(
    {
        "team_id": World().team_id,
        "channel_id": RELEASES,
        "user_id": REQUESTER,
        "command": "/share-env",
        "text": "help",
        "trigger_id": "1.1.made-up",
        "response_url": "http://127.0.0.1/commands/made-up",
    }
).encode()
FORGED_SIGNATURE = "v0=" + "0" * 64
UNSIGNED = {"Content-Type": FORM}
CHUNKED = {"Transfer-Encoding": "chunked"}
MEBIBYTE = 1 << 20


def forged() -> dict[str, str]:
    """Return current headers that are valid except for the signature."""
    return {**signed(), SIGNATURE: FORGED_SIGNATURE}


def claiming_length(length: int, body: bytes = b"") -> bytes:
    """Return a signed request that claims this length for its body."""
    return request(LINE, {**signed(), "Content-Length": str(length)}, body)


async def two_signatures(client: HttpClient) -> str:
    """Send a forged signature header before the valid one."""
    first = (SIGNATURE, FORGED_SIGNATURE)
    return await client.send(request(LINE, [first, *with_length(signed(), HELP).items()], HELP))


async def pipelined(client: HttpClient) -> str:
    """Send two requests on one connection, the second of them forged."""
    good, bad = (request(LINE, with_length(h, HELP), HELP) for h in (signed(), forged()))
    good = good.replace(b"Connection: close\r\n", b"")
    first, second = (await client.send(good + bad)).splitlines()
    return f"{first[:3]}, then {second}"


def with_stalled_bodies(data: bytes) -> Action:
    """Return an action with many connections that send only this, during which a command is typed."""

    async def action(client: HttpClient) -> str:
        bot = client.rig.bot
        before = bot.memory()
        bot.forget_peak()
        async with open_connections(client.port, STALLED, data):
            response = await client.post(signed())
        assert bot.memory("VmHWM") - before < MOST
        return response

    return action


NOT_SIGNED = "401 no good signature"
LATE, TOO_LONG = "408 its body came too slowly", "413 its body is too long"
NOT_FROM_SLACK = "400 the body is not what Slack sends"

CASES: dict[Fault, Action] = rows_of(
    "HTTP mode",
    ("a forged signature", NOT_SIGNED, lambda p: p.post(forged())),
    ("a forged signature before the good one", NOT_SIGNED, two_signatures),
    ("a forged signature behind a good one", f"200, then {NOT_SIGNED}", pipelined),
    ("no signature", NOT_SIGNED, lambda p: p.post(UNSIGNED)),
    ("a timestamp that is no number", NOT_SIGNED, lambda p: p.post({**signed(), TIME: "٣"})),
    ("a signature of six minutes ago", NOT_SIGNED, lambda p: p.post(signed(age=360))),
    ("a signature of six minutes to come", NOT_SIGNED, lambda p: p.post(signed(age=-360))),
    ("a signed command sent four times", "On it", HttpClient.replay),
    ("10 MB, not signed", NOT_SIGNED, lambda p: p.send(request(LINE, {LENGTH: str(LONG)}), *PIECES)),
    ("10 MB, announced", TOO_LONG, lambda p: p.send(claiming_length(LONG), *PIECES)),
    ("10 MB, announced, and nothing comes", TOO_LONG, lambda p: p.send(claiming_length(LONG))),
    ("10 MB in chunks", TOO_LONG, lambda p: p.send(request(LINE, signed() | CHUNKED), *CHUNKS)),
    ("more than was announced", "400 Data after", lambda p: p.send(claiming_length(4, HELP))),
    ("less than was announced", LATE, lambda p: p.send(claiming_length(999, HELP))),
    ("two lengths", "400 Duplicate Content-Length", lambda p: p.post({**signed(), LENGTH.lower(): "4"})),
    ("a length and chunks", "400 Content-Length", lambda p: p.post(signed() | CHUNKED)),
    ("a body that never comes", LATE, lambda p: p.send(claiming_length(len(HELP)))),
    ("a body that drips", LATE, lambda p: p.send(claiming_length(len(DRIPS) + 1), *DRIPS, pause=0.2)),
    ("a body that breaks off", "no answer", lambda p: p.send(claiming_length(999, HELP), hangs_up=True)),
    ("a broken chunk", "400 Invalid character", lambda p: p.send(request(LINE, signed() | CHUNKED, b"zz\r\n"))),
    ("no body", "200", lambda p: p.post(signed(b""), b"")),
    ("a command as text/plain", "200", lambda p: p.post(signed(kind="text/plain"))),
    ("a command as application/json", NOT_FROM_SLACK, lambda p: p.post(signed(kind="application/json"))),
    ("a body that is not UTF-8", NOT_FROM_SLACK, lambda p: p.post(signed(b"\xff"), b"\xff")),
    ("a charset that nobody knows", "200", lambda p: p.post(signed(kind=f"{FORM}; charset=made-up"))),
    ("a packed body", NOT_FROM_SLACK, lambda p: p.post(signed() | {"Content-Encoding": "gzip"}, gzip.compress(HELP))),
    ("GET", "405", lambda p: p.post(signed(), line=LINE.replace("POST", "GET"))),
    ("a method that nobody knows", "400 Invalid method", lambda p: p.post(signed(), line=LINE.replace("POST", "BREW"))),
    ("another path", "404", lambda p: p.post(signed(), line=LINE.replace("events", "event"))),
    ("HTTP/1.0", "200", lambda p: p.post(signed(), line=LINE.replace("1.1", "1.0"))),
    ("HTTP/2", "400", lambda p: p.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
    ("TLS", "400 Received HTTPS traffic", lambda p: p.send(b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03" + bytes(200))),
    ("no HTTP at all", "400 Invalid method", lambda p: p.send(b"\0\xff made-up\r\n\r\n")),
    ("a head of 20,000 characters", "400 Got more than 8190 bytes", lambda p: p.post(signed() | {"X-Long": "x" * 20_000})),
)  # fmt: skip  # a line for each row
FLOODS: dict[Fault, Action] = rows_of(
    "HTTP mode",
    (f"{STALLED} bodies that never come", "200", with_stalled_bodies(claiming_length(999))),
    (f"{STALLED} bodies of which the last byte never comes", "200", with_stalled_bodies(claiming_length(MEBIBYTE, bytes(MEBIBYTE - 1)))),
)  # fmt: skip  # a line for each row
FAULTS = (*CASES, *FLOODS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpClient]:
    """Run a bot in HTTP mode."""
    port, folder = free_port(), tmp_path_factory.mktemp("http")
    async with start_rig(folder, **over_http(port)) as rig:
        rig.slack.request_url = address_at(port)
        yield HttpClient(rig, port)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def responses(client: HttpClient) -> dict[Fault, asyncio.Task[str]]:
    """Cause all faults at once."""
    return {fault: asyncio.create_task(action(client)) for fault, action in CASES.items()}


@pytest.mark.parametrize("fault", CASES, ids=str)
async def test_every_post_gets_the_right_response(
    fault: Fault, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    assert (await responses[fault]).startswith(fault.told)


@pytest.mark.parametrize("fault", FLOODS, ids=str)
async def test_half_sent_bodies_do_not_keep_commands_out(
    fault: Fault, client: HttpClient, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(responses.values())
    assert (await FLOODS[fault](client)).startswith(fault.told)


async def test_after_all_faults_the_next_command_works_and_an_old_one_is_not_repeated(
    client: HttpClient, responses: dict[Fault, asyncio.Task[str]]
) -> None:
    await asyncio.wait(responses.values())
    rig, slack = client.rig, client.rig.slack
    await rig.check_healthy()
    ack = await slack.command(REQUESTER, RELEASES, rig.command())
    count = "SELECT count(*) FROM requests"
    before = rows(rig.database, count)
    assert await rig.bot.end(SIGTERM) == 0
    await rig.bot.start()
    assert request_of(await slack.redeliver(ack)) == request_of(ack) is not None
    assert rows(rig.database, count) == before
    await rig.check_healthy()
