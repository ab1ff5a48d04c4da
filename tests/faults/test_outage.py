"""A real outage of Slack of each kind, with requests in every state: afterwards, every thread gets its answer, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest
import pytest_asyncio

from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, opened, soon
from tests.databases import PostgreSQL
from tests.faults.bots import (
    Bot,
    all_ended,
    assert_keeps_secrets,
    assert_recorded_once,
    environ,
    request_in,
    rows,
)
from tests.faults.outage import Outage, OutageKind, ProxiedSlack, SlackProxy, proxied_slack
from tests.faults.table import WORKED, Fault
from tests.rig import APPROVALS, APPROVER
from tests.token_server import TokenWeChat

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ELSEWHERE, DIRECT = "C0LOUNGE", "D0BOT"  # where the bot is no member, and where it answers then
WECHAT_LATENCY = 3.0  # seconds that WeChat takes for an answer
DELAY_BEFORE_OUTAGE = 1.5  # seconds from the commands to the beginning of the outage
SINGLES = 3  # single requests besides the batch
WITHIN = 30.0  # seconds from the end of the outage until every thread has its answer
BATCH = [f"wx{number:016x}" for number in range(1, 51)]
FINAL = ("✅", "❌", "❔", "🚫", "⌛")
POLICY = """
[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
envs = ["four-*"]
effect = "approve"
approvers = { users = ["U0APPROVER"], channel = "C0APPROVALS" }

[[rule]]
name = "platform team"
users = ["U0REQUESTER"]
effect = "allow"
"""

OUTAGES = [
    Outage(OutageKind.UNAVAILABLE, 30.0, killed=True, replicas=True),
    Outage(OutageKind.REFUSED, 30.0, replicas=True),
    Outage(OutageKind.RESET, 30.0, killed=True),
    Outage(OutageKind.HANGING, 30.0),
]
FAULTS = tuple(
    Fault("Slack", f"the Web API and response_urls are away: {outage}", WORKED)
    for outage in OUTAGES
)


@dataclass
class OutageRun:
    """One workspace with its own bots, and one outage."""

    slack: ProxiedSlack
    proxy: SlackProxy
    wechat: TokenWeChat
    bots: list[Bot]
    database: str

    async def request(self, env: str, *appids: str, channel: str = RELEASES) -> None:
        """Request a share or a batch."""
        ack = await self.slack.command(REQUESTER, channel, f"{' '.join(appids or [APPID])} {env}")
        assert ack.error is None
        assert "`" in str(ack.payload), ack.payload

    async def approve(self, question: PostedMessage) -> None:
        """Submit a decision; its modal was opened before."""
        ack = await self.slack.submit(APPROVER, await opened(self.slack, APPROVER))
        assert ack.error is None, question

    async def begin(self, outage: Outage) -> None:
        """Put requests into every state before the outage begins."""
        for bot in self.bots:
            await bot.start()
        await self.request("four-eyes")
        await self.slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        (question,) = self.slack.parents(APPROVALS)
        await self.slack.click(APPROVER, question.ts, "approve")
        await opened(self.slack, APPROVER)
        await asyncio.gather(
            self.request("batch-1", *BATCH),
            self.request("one-1"),
            self.request("private-1", channel=ELSEWHERE),
            self.approve(question),
        )
        await asyncio.sleep(DELAY_BEFORE_OUTAGE)  # less than WeChat takes
        # The batch has begun, for which the requester is looked up again; during the outage it could not.
        await soon(lambda: self.wechat.in_flight > SINGLES)
        await self.proxy.cut(outage.kind)

    async def pass_through(self, outage: Outage) -> None:
        """Start some requests during the outage, and wait for all answers after it."""
        await asyncio.gather(
            self.request("meanwhile-1"),
            self.request("four-meanwhile"),
            self.request("private-meanwhile", channel=ELSEWHERE),
        )
        await asyncio.sleep(outage.seconds / 2)
        if outage.killed:
            await self.bots[0].end(SIGKILL)
        await asyncio.sleep(outage.seconds / 2)
        await self.proxy.restore()
        if outage.killed:
            await self.bots[0].start()
        await self.slack.until(lambda _: self.is_over, WITHIN)

    @property
    def is_over(self) -> bool:
        """Whether every thread has its answer, and the approvers have their questions."""
        parents = self.slack.parents(RELEASES)
        ended = [m for m in parents if m.text.startswith(FINAL)]
        asked = self.slack.parents(APPROVALS)
        told = all(self.slack.thread(RELEASES, m.ts) for m in ended)
        settled = sum("approved this" in m.text and "shared" in m.text for m in asked)
        decided = len(asked) == 2 and settled == 1
        return len(ended) == len(parents) - 1 == 4 and told and decided and len(self.directly) == 2

    @property
    def directly(self) -> list[PostedMessage]:
        """The answers in direct messages."""
        return [m for m in self.slack.parents(DIRECT) if m.text.startswith(FINAL)]

    async def assert_once(self) -> None:
        """Check that there is nothing twice and nothing missing."""
        (waiting,) = [m for m in self.slack.parents(RELEASES) if not m.text.startswith(FINAL)]
        assert waiting.text.startswith("🕓"), waiting.text
        for parent in self.slack.parents(RELEASES):
            replies = self.slack.thread(RELEASES, parent.ts)
            answers = [m for m in replies if m.text.startswith(FINAL)]
            assert len(answers) == (0 if parent is waiting else 1), parent.text
        assert len({request_in(m) for m in self.slack.parents(RELEASES)}) == 5
        assert len(self.directly) == 2
        shown = [m for m in self.slack.shown_to(REQUESTER) if m.via != "ack"]
        assert all(m.channel == ELSEWHERE for m in shown), shown
        await self.slack.click(REQUESTER, waiting.ts, "cancel")
        await all_ended(self.database, 30.0)
        assert_recorded_once(self.database, set(rows(self.database, "SELECT id FROM requests")))
        assert self.slack.violations == []
        for bot in self.bots:
            assert "unforeseen" not in bot.log
            assert_keeps_secrets(bot, self.slack)


async def run_outage(outage: Outage, database: str, folder: Path) -> str:
    """Run one outage; return everything that was said."""
    policy = folder / "policy.toml"
    async with (
        AsyncExitStack() as stack,
        proxied_slack() as (slack, proxy),
        TokenWeChat(latency=WECHAT_LATENCY) as wechat,
    ):
        settings = environ(slack, wechat, database)
        settings |= {"POLICY_FILE": str(policy), "SHARE_ENV_ALLOWED_USERS": ""}
        bots = [Bot(settings, folder, f"bot-{n}") for n in range(2 if outage.replicas else 1)]
        for bot in bots:
            stack.push_async_callback(bot.end)
        run = OutageRun(slack, proxy, wechat, bots, database)
        await run.begin(outage)
        await run.pass_through(outage)
        await run.assert_once()
        owed = rows(database, "SELECT request FROM events WHERE kind = 'owed'")
        assert owed or outage.kind is OutageKind.HANGING  # which may end within the timeout
        return "\n".join(message.text for message in slack.messages)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transcripts(
    postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[Outage, asyncio.Task[str]]]:
    """Run the outages concurrently, since they consist of waiting."""
    folder = tmp_path_factory.mktemp("outages")

    async def run(number: int, outage: Outage) -> str:
        here = folder / str(number)
        here.mkdir()
        (here / "policy.toml").write_text(POLICY, encoding="utf-8")
        database = postgresql.new() if outage.replicas else f"sqlite:///{here}/ledger.db"
        return await run_outage(outage, database, here)

    tasks = {
        outage: asyncio.create_task(run(number, outage)) for number, outage in enumerate(OUTAGES)
    }
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest.mark.parametrize("outage", OUTAGES, ids=str)
async def test_after_an_outage_every_thread_gets_its_answer_once(
    outage: Outage, transcripts: dict[Outage, asyncio.Task[str]]
) -> None:
    assert WORKED in await transcripts[outage]
