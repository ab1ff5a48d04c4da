"""A bot to which faults happen: the process, its Slack and its WeChat, and a check that it works afterwards."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bot.playground.slack.connected import ACK_TIMEOUT
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, World
from tests.conftest import RELEASES, REQUESTER
from tests.faults.bots import FINAL, Bot, assert_keeps_secrets, environ, request_of
from tests.token_server import TokenWeChat

AT_ONCE = 20
"""The number of commands typed concurrently."""


@dataclass
class ProcessRig:
    """A bot as a process of its own, its two servers, and a requester."""

    slack: LocalSlack
    wechat: TokenWeChat
    bot: Bot
    database: str
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def command(self) -> str:
        """Return a command with a new env."""
        return f"{APPID} prod-{next(self._numbers)}"

    async def answer(self, command: str | None = None, within: float = 40.0) -> str:
        """Type a command; return all that the requester is told once the request has ended."""
        ack = await self.slack.command(REQUESTER, RELEASES, command or self.command())
        id_, said = request_of(ack), str((ack.payload or {}).get("text") or ack.error)
        if id_ is None:
            return said
        await self.slack.until(lambda _: self._has_ended(id_), within)
        return "\n".join([said, *self._about(id_)])

    async def answers(self, commands: Sequence[str], within: float = 60.0) -> list[str]:
        """Type commands, some concurrently; return what the requester is told about each, once all have ended."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def typed(command: str) -> tuple[str | None, str]:
            async with turns:
                ack = await self.slack.command(REQUESTER, RELEASES, command)
            return request_of(ack), str((ack.payload or {}).get("text") or ack.error)

        acks = await asyncio.gather(*map(typed, commands))
        await self.slack.until(
            lambda _: all(self._has_ended(id_) for id_, _ in acks if id_), within
        )
        return ["\n".join([said, *(self._about(id_) if id_ else ())]) for id_, said in acks]

    async def check_healthy(self) -> None:
        """Check that the process is running, that the next command works, and that no secret leaked."""
        told = await self.answer()
        assert "✅" in told, told
        assert_keeps_secrets(self.bot, self.slack)

    def _has_ended(self, id_: str) -> bool:
        return any(
            m.text.startswith(FINAL) and not m.thread_ts and id_ in m.text
            for m in self.slack.messages
        )

    def _about(self, id_: str) -> list[str]:
        parents = [m for m in self.slack.messages if not m.thread_ts and id_ in m.text]
        threads = [self.slack.thread(parent.channel, parent.ts) for parent in parents]
        return [m.text for m in (*parents, *(reply for thread in threads for reply in thread))]


@asynccontextmanager
async def start_rig(
    folder: Path, ack_timeout: float = ACK_TIMEOUT, /, **more: str
) -> AsyncIterator[ProcessRig]:
    """Run a bot with tokens from a token server; `more` are extra settings."""
    async with LocalSlack(World(), ack_timeout=ack_timeout) as slack, TokenWeChat() as wechat:
        database = f"sqlite:///{folder}/ledger.db"
        bot = Bot(environ(slack, wechat, database) | more, folder)
        await bot.start()
        try:
            yield ProcessRig(slack, wechat, bot, database)
        finally:
            await bot.end()
