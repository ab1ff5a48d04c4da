import asyncio
from pathlib import Path
from signal import SIGTERM
from typing import Literal

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.conftest import soon
from tests.databases import Database, PostgreSQL
from tests.faults.bots import (
    Bot,
    Load,
    assert_answered_once,
    assert_keeps_secrets,
    assert_recorded_once,
    environ,
)
from tests.faults.rig import start_rig
from tests.faults.table import NOT_BEGUN, Fault
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

STOPPED = Fault("The bot itself", "PostgreSQL is stopped", NOT_BEGUN)
LOCKED = Fault("The bot itself", "PostgreSQL's tables are locked", NOT_BEGUN)
SLOW = Fault("The bot itself", "PostgreSQL takes seconds to write", NOT_BEGUN)
FAULTS = (STOPPED, LOCKED, SLOW)

SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(4); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON requests FOR EACH ROW EXECUTE FUNCTION slowly();
"""


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_accepted_requests_survive_a_restart_of_the_server_under_load(
    postgresql: PostgreSQL, tmp_path: Path, mode: Literal["fast", "immediate"]
) -> None:
    database = postgresql.new()
    async with LocalSlack(World()) as slack, TokenWeChat(latency=0.3) as wechat:
        bot = Bot(environ(slack, wechat, database), tmp_path)
        try:
            await bot.start()
            async with Load(slack) as load:
                await load.more_accepted(40)
                await asyncio.to_thread(postgresql.stop, mode)
                assert load.under_way()
                refused = len(load.refused) + 20
                await slack.until(lambda _: len(load.refused) >= refused, 30)
                await asyncio.to_thread(postgresql.start)
                await load.more_accepted(20)
            await load.all_answered(30)
            assert await bot.end(SIGTERM) == 0
        finally:
            await bot.end()
            await asyncio.to_thread(postgresql.start)
        load.assert_told_truly(STOPPED.told, wechat)
        assert_answered_once(slack, load.accepted)
        assert_recorded_once(database, load.accepted)
        assert_keeps_secrets(bot, slack)


async def test_a_command_is_refused_and_nothing_is_shared_while_the_tables_are_locked(
    on_postgresql: Database, tmp_path: Path
) -> None:
    async with start_rig(tmp_path, DATABASE_URL=on_postgresql.url) as rig:
        await rig.check_healthy()
        with on_postgresql.locked():
            assert LOCKED.told in await rig.answer()
        await rig.check_healthy()
        await rig.bot.end(SIGTERM)


async def test_a_request_that_the_server_records_too_slowly_is_never_shared(
    on_postgresql: Database, tmp_path: Path
) -> None:
    async with start_rig(tmp_path, DATABASE_URL=on_postgresql.url) as rig:
        on_postgresql.execute(SLOWLY)
        assert SLOW.told in await rig.answer()
        # Cleaned up once no statement is running any more.
        await asyncio.to_thread(on_postgresql.execute, "DROP TRIGGER slow ON requests")
        await soon(lambda: not on_postgresql.rows("SELECT 1 FROM requests WHERE state <> 'ended'"))
        assert rig.wechat.calls == []
        await rig.check_healthy()
        await rig.bot.end(SIGTERM)
