"""A bot under fire that keeps the platform's token chain."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.playground.slack import LocalSlack
from bot.playground.stage import OWNER, chain_environment
from bot.playground.wechat import LocalWeChat
from bot.playground.world import seed
from tests.conftest import free_port
from tests.faults.bots import Bot, environ
from tests.faults.fire import Fire


@asynccontextmanager
async def chained(folder: Path, **more: str) -> AsyncIterator[tuple[Fire, int]]:
    """Start a bot, and give it and its port once it has a token; `more` are settings of its own."""
    async with LocalSlack(seed()) as slack, LocalWeChat() as wechat:
        port, database = free_port(), f"sqlite:///{folder}/ledger.db"
        chain = {"WECHAT_TOKEN_SERVER_URL": "", **chain_environment(wechat, port)}
        bot = Bot(environ(slack, wechat, database) | chain | more, folder)
        await bot.start()
        try:
            await wechat.until(lambda _: any(call.owner == OWNER for call in wechat.platform.calls))
            yield Fire(slack, wechat, bot, database), port
        finally:
            await bot.end()
