"""python -m tests.benchmarks.flood_clients FLOOD PORT SECONDS: flood a bot's listener without knowing any secret.

It is a separate process, so that it does not slow down the process that measures the bot.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

_PIECE = 64 << 10
_RATE = 3_000_000.0  # bytes a second, over all connections
_RECONNECT_AFTER = 0.5  # seconds after being disconnected
_PUSH_LIMIT, _SLACK_LIMIT = 64 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Flood:
    """A request that `connections` clients send repeatedly: headers, and a body whose last `lacking` bytes are never sent.

    `rate` is in bytes a second for all of them together; 0 means unlimited.
    """

    head: Callable[[], list[str]]
    body: bytes
    connections: int = 8
    lacking: int = 0
    rate: float = _RATE


def _push() -> list[str]:
    query = {"timestamp": int(time.time()), "nonce": "1", "msg_signature": "f" * 40}
    return [f"POST /wechat/events?{urlencode(query)} HTTP/1.1", "Content-Type: text/xml"]


def _command() -> list[str]:
    signature = ["X-Slack-Signature: v0=" + "0" * 64]
    return [
        "POST /slack/events HTTP/1.1",
        "Content-Type: application/x-www-form-urlencoded",
        f"X-Slack-Request-Timestamp: {int(time.time())}",
        *signature,
    ]


def _xml(size: int) -> bytes:
    return (b"<xml><Encrypt>x</Encrypt>" + b"<a/>" * (size // 4))[:size]


FLOODS = {
    "no flood": Flood(_push, b"", 0),
    "pushes of a mebibyte of XML": Flood(_push, _xml(_SLACK_LIMIT)),
    "pushes of 64 KiB of XML": Flood(_push, _xml(_PUSH_LIMIT)),
    "pushes of 64 KiB, as fast as possible": Flood(_push, _xml(_PUSH_LIMIT), rate=0),
    "250 pushes that stall": Flood(_push, _xml(_PUSH_LIMIT), 250, lacking=1, rate=0),
    "250 pushes that stall at a mebibyte": Flood(_push, _xml(_SLACK_LIMIT), 250, lacking=1, rate=0),
    "commands of a mebibyte": Flood(_command, b"x" * _SLACK_LIMIT),
    "commands of a mebibyte, as fast as possible": Flood(_command, b"x" * _SLACK_LIMIT, rate=0),
    "250 commands that stall": Flood(_command, b"x" * _SLACK_LIMIT, 250, lacking=1, rate=0),
}


async def send_flood(flood: Flood, port: int, seconds: float) -> None:
    """Send a flood for this many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as clients:
            for _ in range(flood.connections):
                clients.create_task(_client(flood, port))


async def _client(flood: Flood, port: int) -> None:
    while True:
        with suppress(OSError):
            await _send_request(flood, port)
        await asyncio.sleep(_RECONNECT_AFTER)


async def _send_request(flood: Flood, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [*flood.head(), "Host: bot", "Connection: close"]
        ending = [f"Content-Length: {len(flood.body)}", "", ""] if flood.body else [""]
        writer.write("\r\n".join([*lines, *ending]).encode())
        body = memoryview(flood.body)[: len(flood.body) - flood.lacking]
        for start in range(0, len(body), _PIECE):
            writer.write(body[start : start + _PIECE])
            await writer.drain()
            if flood.rate:
                await asyncio.sleep(_PIECE * flood.connections / flood.rate)
        await reader.read()
    finally:
        writer.close()


if __name__ == "__main__":
    asyncio.run(send_flood(FLOODS[sys.argv[1]], int(sys.argv[2]), float(sys.argv[3])))
