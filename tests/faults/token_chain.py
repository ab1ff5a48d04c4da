"""A bot that maintains the platform's token chain, with many owners whose tokens expire at once."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.fernet import Fernet

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.slack.server import LocalSlack
from bot.playground.world import OWNER, World
from tests.faults.bots import Bot
from tests.faults.rig import ProcessRig
from tests.faults.wechat_faults import owner_of, policy
from tests.token_server import TokenWeChat
from tests.wechat.replicas import pushed

LIFETIME = 7200.0


@asynccontextmanager
async def chain_rig(
    folder: Path, port: int, owners: int = 0, **more: str
) -> AsyncIterator[ProcessRig]:
    """Start a bot for the default owner and `owners` others; WeChat pushes to it at `port`."""
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        for number in range(owners):
            wechat.platform.authorize(owner_of(number))
        file = folder / "owners.toml"
        file.write_text(policy(range(owners)), encoding="utf-8")
        database = f"sqlite:///{folder}/ledger.db"
        settings = {
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "POLICY_FILE": str(file),
            "DATABASE_URL": database,
            "TOKEN_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        }
        chain = chain_environment(wechat, port)
        bot = Bot(slack_environment(slack) | chain | settings | more, folder)
        await bot.start()
        try:
            yield ProcessRig(slack, wechat, bot, database)
        finally:
            await bot.end()


async def wait_for_renewals(rig: ProcessRig, owners: int) -> None:
    """Wait until the bot has a token of each owner."""
    calls = rig.wechat.platform.calls
    await rig.wechat.until(
        lambda _: len({call.owner for call in calls if call.gave_token}) > owners
    )


def expire_all_tokens(rig: ProcessRig) -> None:
    """Advance only WeChat's clock by two hours: tokens that the bot considers valid are expired."""
    rig.wechat.advance(LIFETIME)


async def push_ticket(rig: ProcessRig) -> None:
    """Push a ticket with a CreateTime of its own, which ends the seconds for which a failure is cached."""
    wechat = rig.wechat
    ticket, created = wechat.platform.new_ticket(), time.time() + len(wechat.platform.pushes)
    push = pushed(wechat, "component_verify_ticket", created, ComponentVerifyTicket=ticket)
    assert await wechat.platform.deliver(push) == (200, "success")
