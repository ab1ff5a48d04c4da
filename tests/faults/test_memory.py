"""What is only in memory, row by row of the ledger's page: built up in one bot, lost when it is killed, and not missed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP

import aiohttp
import pytest

from bot.playground.faults import Code, RateLimited, Slow
from bot.playground.loopback import JsonObject
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, appids, calls_of, locked, soon
from tests.faults.bots import FINAL, rows
from tests.faults.http_clients import request
from tests.faults.rig import ProcessRig
from tests.faults.token_chain import chain_rig
from tests.processes import ROOT
from tests.said import TOO_LATE

pytestmark = pytest.mark.slow

NEW_OWNER = "wxfedcba9876543210"
SHARE, EXCHANGE = "/tcb/shareenv", "api_query_auth"
LIMIT_PER_MINUTE, NOT_LISTED = 45011, 61004
NOT_SOON = RateLimited(300)
FAILURES = 3
"""After so many in a row with one cause the log warns."""
POLICY = f"""
[[rule]]
name = "the requester"
users = ["{REQUESTER}"]
envs = ["prod-*"]
effect = "allow"

[[rule]]
name = "four eyes"
users = ["{REQUESTER}"]
envs = ["core-*"]
effect = "approve"
approvers = {{ users = ["U0APPROVER"], channel = "C0APPROVALS" }}
"""


@dataclass(frozen=True)
class Walk:
    """The bot that is killed once all rows are built up; it listens at `port`."""

    rig: ProcessRig
    port: int
    policy: Path
    ledger: Path

    async def type(self, text: str) -> str:
        """Type a command, and return the id of the request, which is accepted."""
        ack = await self.rig.slack.command(REQUESTER, RELEASES, text)
        return str(re.findall(r"`(\w+)`", str(ack.payload))[-1])

    async def shown(self, id_: str, beginning: str) -> PostedMessage:
        """Wait until the only parent message of a request begins so, and return it."""

        def found() -> list[PostedMessage]:
            return [each for each in self.rig.slack.parents(RELEASES) if id_ in each.text]

        await self.rig.slack.until(lambda _: any(m.text.startswith(beginning) for m in found()))
        (parent,) = found()
        return parent

    async def answered(self, id_: str) -> str:
        """Wait until a request was shared, and return its only reply."""
        parent = await self.shown(id_, "✅")
        slack = self.rig.slack
        replies = [m for m in slack.thread(RELEASES, parent.ts) if m.text.startswith(FINAL)]
        (reply,) = replies
        return reply.text

    async def cancel(self, env: str) -> tuple[str, JsonObject]:
        """Ask for a share that needs an approval, and cancel it; return its id, and the click as Slack delivered it."""
        id_ = await self.type(f"{APPID} {env}")
        ack = await self.rig.slack.click(REQUESTER, await self.shown(id_, "🕓"), "cancel")
        await self.shown(id_, "🚫")
        return id_, ack.request

    async def get(self, path: str) -> str:
        """Return what the bot answers at a path."""
        url = f"http://127.0.0.1:{self.port}{path}"
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            text: str = await response.text()
            return text

    async def deliver(self, click: JsonObject) -> None:
        """Deliver a click, and wait until the requester is told that it came too late."""
        slack = self.rig.slack
        before = len(slack.shown_to(REQUESTER))
        await slack.deliver("interactive", click)
        await slack.until(lambda slack: len(slack.shown_to(REQUESTER)) > before)
        assert slack.shown_to(REQUESTER)[-1].text.startswith(TOO_LATE)

    def recorded(self, kind: str, id_: str) -> int:
        """Return how many events of a kind the ledger has for a request."""
        query = f"SELECT id FROM events WHERE kind = '{kind}' AND request = '{id_}'"  # noqa: S608  # ours
        return len(rows(self.rig.database, query))


Row = Callable[[Walk], AbstractAsyncContextManager[None]]
"""Builds up a row of the page; after the restart, it looks whether anything is missed."""


@asynccontextmanager
async def policy_in_force(walk: Walk) -> AsyncIterator[None]:
    walk.policy.write_text(POLICY.replace('"prod-*"', '"prod-*", "new-*"'), encoding="utf-8")
    walk.rig.bot.send(SIGHUP)
    await soon(lambda: "policy in force" in walk.rig.bot.log)
    yield
    await walk.answered(await walk.type(f"{APPID} new-1"))


@asynccontextmanager
async def people(walk: Walk) -> AsyncIterator[None]:
    await walk.answered(await walk.type(f"{APPID} prod-people-1"))
    before = calls_of(walk.rig.slack, "users.info")
    yield
    await walk.answered(await walk.type(f"{APPID} prod-people-2"))
    assert calls_of(walk.rig.slack, "users.info") > before


@asynccontextmanager
async def envs(walk: Walk) -> AsyncIterator[None]:
    def looks() -> int:
        return walk.rig.wechat.transcript().count("listfunctions")

    await walk.answered(await walk.type(f"{appids(2)[0]} prod-ready"))
    before = looks()
    yield
    await walk.answered(await walk.type(f"{appids(2)[1]} prod-ready"))
    assert looks() > before


@asynccontextmanager
async def tokens(walk: Walk) -> AsyncIterator[None]:
    """The code of one that WeChat could not exchange yet is in the ledger."""
    wechat = walk.rig.wechat
    platform = wechat.platform
    wechat.fail(EXCHANGE, Code(NOT_LISTED), times=None)
    platform.without_refresh_token.add(NEW_OWNER)  # as long as its code was not used
    assert await platform.push_authorized(NEW_OWNER) == (200, "success")
    await soon(lambda: "authorisation not used" in walk.rig.bot.log)
    wechat.clear(EXCHANGE)
    renewed = [call for call in platform.calls if call.gave_token]
    yield
    await wechat.until(lambda _: (EXCHANGE, NEW_OWNER, 0) in platform.calls)
    assert [call for call in platform.calls if call.gave_token] == renewed


@asynccontextmanager
async def connection(walk: Walk) -> AsyncIterator[None]:
    opened = calls_of(walk.rig.slack, "apps.connections.open")
    yield
    assert calls_of(walk.rig.slack, "apps.connections.open") > opened
    await walk.answered(await walk.type(f"{APPID} prod-connected"))


@asynccontextmanager
async def incomplete_requests(walk: Walk) -> AsyncIterator[None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", walk.port)
    writer.write(request("POST /wechat/events HTTP/1.1", {"Content-Length": "999"}, b"<xml>"))
    await writer.drain()
    yield
    assert await reader.read() == b""
    writer.close()
    assert await walk.rig.wechat.platform.push_ticket() == (200, "success")


@asynccontextmanager
async def app_home(walk: Walk) -> AsyncIterator[None]:
    slack, publish = walk.rig.slack, "views.publish"
    await slack.open_home(REQUESTER)
    await slack.until(lambda slack: calls_of(slack, publish) > 0)
    yield
    id_ = await walk.type(f"{APPID} prod-home")
    await walk.answered(id_)
    before = calls_of(slack, publish)
    await slack.open_home(REQUESTER)
    await slack.until(lambda slack: calls_of(slack, publish) > before)
    assert id_ in str(slack.home(REQUESTER))


@asynccontextmanager
async def begun_clicks(walk: Walk) -> AsyncIterator[None]:
    """Slack delivers one again."""
    id_, click = await walk.cancel("core-1")
    yield
    await walk.deliver(click)
    assert walk.recorded("cancelled", id_) == 1


@asynccontextmanager
async def private_replies(walk: Walk) -> AsyncIterator[None]:
    """Slack takes one nowhere."""
    slack = walk.rig.slack
    ways = ("response_url", "chat.postEphemeral", "chat.postMessage")
    only = ({"user": REQUESTER}, {"user": REQUESTER}, {"channel": REQUESTER})
    for way, whom in zip(ways, only, strict=True):
        slack.fail(way, NOT_SOON, times=None, **whom)
    id_, click = await walk.cancel("core-2")
    last = ways[-1], "ratelimited"
    await slack.until(lambda slack: last in [(call.method, call.error) for call in slack.calls])
    for way in ways:
        slack.clear(way)
    yield
    await walk.shown(id_, "🚫")
    await walk.deliver({**click, "trigger_id": slack.next_trigger()})


@asynccontextmanager
async def log_lines(walk: Walk) -> AsyncIterator[None]:
    """Of shares that keep failing."""

    async def warned(run: int) -> None:
        for number in range(FAILURES):
            walk.rig.wechat.fail(SHARE, Code(NOT_LISTED), env=f"prod-failing-{run}-{number}")
            await walk.shown(await walk.type(f"{APPID} prod-failing-{run}-{number}"), "❌")
        await soon(lambda: walk.rig.bot.log.count("shares keep failing") == run)

    await warned(1)
    yield
    await warned(2)


@asynccontextmanager
async def metrics(walk: Walk) -> AsyncIterator[None]:
    """Of commands that are denied."""
    denied = 'commands_total{outcome="denied"}'
    await walk.rig.slack.command(REQUESTER, RELEASES, f"{APPID} denied-1")
    async with asyncio.timeout(30):
        while f"{denied} 1.0" not in await walk.get("/metrics"):  # noqa: ASYNC110  # it is counted after the ack
            await asyncio.sleep(0.01)
    yield
    assert f"{denied} 0.0" in await walk.get("/metrics")
    assert json.loads(await walk.get("/readyz"))["ok"]


@asynccontextmanager
async def writes(walk: Walk) -> AsyncIterator[None]:
    command = f"{APPID} prod-unwritten"
    with locked(walk.ledger):
        ack = await walk.rig.slack.command(REQUESTER, RELEASES, command)
    assert "nothing was done" in str(ack.payload).lower()
    yield
    await walk.answered(await walk.type(command))


@asynccontextmanager
async def batch(walk: Walk) -> AsyncIterator[None]:
    """It pauses for a minute, when one of three is shared."""
    wechat, some = walk.rig.wechat, appids(3)
    for appid in some[1:]:
        wechat.fail(SHARE, Code(LIMIT_PER_MINUTE), times=None, appid=appid)
    id_ = await walk.type(f"{' '.join(some)} prod-batch")
    await soon(lambda: "a batch pauses" in walk.rig.bot.log)
    await soon(lambda: some[0] in [appid for _, _, appid in wechat.shared])
    yield
    assert "3 shared" in await walk.answered(id_)
    assert sorted(a for _, env, a in wechat.shared if env == "prod-batch") == sorted(some)


@asynccontextmanager
async def held_requests(walk: Walk) -> AsyncIterator[None]:
    walk.rig.wechat.fail(SHARE, Slow(), env="prod-held")
    id_ = await walk.type(f"{APPID} prod-held")
    await walk.shown(id_, "⏳")
    yield
    await walk.answered(id_)
    assert walk.recorded("taken over", id_) == 1


@asynccontextmanager
async def steps(walk: Walk) -> AsyncIterator[None]:
    """A call that WeChat does, and answers too late."""
    wechat = walk.rig.wechat
    wechat.fail(SHARE, Slow(after_effect=True), env="prod-slow")
    id_ = await walk.type(f"{APPID} prod-slow")
    await wechat.until(lambda wechat: any(env == "prod-slow" for _, env, _ in wechat.shared))
    yield
    assert "I asked WeChat once more" in await walk.answered(id_)


WALKED: dict[str, Row] = {
    "the policy in force": policy_in_force,
    "people, groups and channels, and until when Slack asked not to read them": people,
    "what WeChat said of envs": envs,
    "tokens, and failures of their renewals": tokens,
    "the connection to Slack, and the pauses between attempts": connection,
    "HTTP requests that have not arrived completely": incomplete_requests,
    "who has opened the App Home, and which pages are out of date": app_home,
    "which clicks and shortcuts were begun": begun_clicks,
    "private replies that Slack has not taken, and which of them is the newest": private_replies,
    "lines not yet written to the log, and what limits repeated ones": log_lines,
    "metrics and health": metrics,
    "what waits for the ledger": writes,
    "a batch's queue, tally, pause and progress": batch,
    "which requests this replica holds, and for how long": held_requests,
    "steps under way: a post, an edit, a call, a wait for Slack": steps,
}


def test_all_that_the_ledgers_page_lists_is_walked_through() -> None:
    page = (ROOT / "bot/ledger/README.md").read_text(encoding="utf-8")
    _, *listed = re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
    assert listed == list(WALKED)


async def test_nothing_that_only_the_memory_holds_is_missed_after_a_kill(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    running = chain_rig(tmp_path, unused_tcp_port, POLICY_FILE=str(policy), WECHAT_TIMEOUT="15")
    async with running as rig, AsyncExitStack() as walks:
        walk = Walk(rig, unused_tcp_port, policy, tmp_path / "ledger.db")
        for row in WALKED.values():
            await walks.enter_async_context(row(walk))
        await rig.bot.end()
        rig.wechat.clear(SHARE)
        await rig.bot.start()
        await walks.aclose()
        await rig.check_healthy()
