"""A bot that is killed repeatedly while people type commands."""

import asyncio
import random
from itertools import count
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.faults.bots import Bot, Load, assert_answered_once, environ
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

LONGEST_LIFE = 0.25  # seconds after being ready; a request takes about a tenth of that


@pytest.mark.timeout(900)
async def test_after_many_kills_nothing_is_lost_and_nothing_is_answered_twice(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("--kills")
    dice_seed = random.randrange(10**6)  # noqa: S311  # only to vary
    print(f"seed {dice_seed}")  # noqa: T201  # pytest shows it when the test fails
    dice = random.Random(dice_seed)  # noqa: S311  # has to be reproducible
    async with LocalSlack(World(), ack_timeout=0.5) as slack, TokenWeChat(latency=0.02) as wechat:
        bot = Bot(environ(slack, wechat, "sqlite:///ledger.db"), tmp_path)
        try:
            async with Load(slack, people=3, pause=0.05) as load:
                for number in count(1):
                    await bot.start()
                    await asyncio.sleep(dice.uniform(0, LONGEST_LIFE))
                    await bot.end()
                    if (
                        number >= kills and len(load.accepted) > kills
                    ):  # a busy machine takes longer
                        break
            await bot.start()
            await load.all_answered(60)
        finally:
            await bot.end()
        print(f"{len(load.accepted)} accepted")  # noqa: T201  # the extent of the test
        assert_answered_once(slack, load.accepted)
