"""The record that is sent elsewhere, while collectors hang and refuse, and replicas are killed."""

import asyncio
import json
from base64 import b64encode
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import NamedTuple

import pytest
from sqlalchemy import NullPool, create_engine, text

from bot.observe.collector.cloudevents import id_of
from bot.observe.collector.signature import webhook_headers
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, World
from tests.collecting import Elsewhere, at_once, collecting
from tests.conftest import RELEASES, REQUESTER, soon
from tests.databases import PostgreSQL
from tests.end_to_end.conftest import finished
from tests.faults.bots import Bot, Load, all_ended, environ, rows
from tests.faults.rig import start_rig
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

KEY = b"made-up-key-of-a-webhook"
SECRET = b64encode(KEY).decode()
TOKEN = "made-up-token-of-the-collector"
PRIVATE = {"AUDIT_AUTHORIZATION": f"Splunk {TOKEN}", "AUDIT_SECRET": f"whsec_{SECRET}"}


def recorded(database: str) -> list[str]:
    """Return the ids of all events of the ledger, oldest first."""
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT id, at FROM events ORDER BY id")).mappings()
        return [id_of(dict(row)) for row in found]


def assert_in_order(there: Elsewhere) -> None:
    """Check that each request's events came first in the order in which they happened."""
    of = defaultdict[str, list[int]](list)
    for event in there.once:
        of[event.get("subject", "")].append(int(event["id"].partition("-")[0]))
    assert all(numbers == sorted(numbers) for numbers in of.values())


def errors_of(bot: Bot) -> list[dict[str, str]]:
    lines = (json.loads(line) for line in bot.log.splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == "the collector takes no events"]


class _Sending(NamedTuple):
    slack: LocalSlack
    one: Bot
    other: Bot


async def test_nobody_waits_for_a_collector_that_hangs_and_what_it_gets_is_signed(
    tmp_path: Path,
) -> None:
    answers = asyncio.Event()
    async with collecting() as there:
        there.wait, there.text = answers.wait, "{authorization}"
        async with start_rig(tmp_path, AUDIT_URL=f"{there.url}?key=made-up", **PRIVATE) as rig:
            assert "✅" in await rig.answer()
            await soon(lambda: there.posts)
            assert "✅" in await rig.answer()
            answers.set()
            await soon(lambda: len(there.once) == len(recorded(rig.database)), 30)
            await rig.check_healthy()
            assert SECRET not in rig.bot.log
    assert {"accepted", "answered", "delivered"} <= {*there.kinds}
    assert_in_order(there)
    for headers, body in there.posts:
        signed = webhook_headers(
            headers["webhook-id"], float(headers["webhook-timestamp"]), body, KEY
        )
        assert signed.items() <= {**headers}.items()
        assert headers["Authorization"] == PRIVATE["AUDIT_AUTHORIZATION"]


@asynccontextmanager
async def sending(folder: Path, database: str, there: Elsewhere) -> AsyncIterator[_Sending]:
    """Run two replicas, of which the first sends."""
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat() as wechat,
        AsyncExitStack() as stack,
    ):
        settings = environ(slack, wechat, database) | {"AUDIT_URL": there.url}
        one, other = (Bot(settings, folder, name) for name in ("one", "other"))
        for bot in (one, other):
            stack.push_async_callback(bot.end)
        await one.start()
        await soon(lambda: rows(database, "SELECT cursor FROM collectors"))
        await slack.command(REQUESTER, RELEASES, f"{APPID} first-1")
        await soon(lambda: there.took)
        await other.start()
        yield _Sending(slack, one, other)


async def test_each_event_arrives_though_the_replica_that_sends_is_killed(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    database = postgresql.new()
    async with collecting() as there, sending(tmp_path, database, there) as (slack, one, other):
        async with Load(slack) as load:
            await load.more_accepted(20)
            # A post is under way when the replica is killed, and nothing comes of it.
            there.wait, there.answer = asyncio.Event().wait, lambda _: 503
            posts = len(there.posts)
            await soon(lambda: len(there.posts) > posts)
            await one.end(SIGKILL)
            there.wait, there.answer = at_once, lambda _: 200
            await load.more_accepted(20)
        await all_ended(database, 30)
        await soon(lambda: len(there.once) >= len(recorded(database)), 30)
        assert await other.end(SIGTERM) == 0
    assert {event["id"] for event in there.once} == {*recorded(database)}
    assert_in_order(there)


async def test_an_event_that_is_refused_holds_up_no_request_and_is_left_out_by_nobody_but_an_operator(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    database = postgresql.new()
    async with collecting() as there, sending(tmp_path, database, there) as (slack, one, other):
        await all_ended(database, 30)
        there.answer = lambda kinds: 400 if "mistake" in kinds else 200
        await slack.command(REQUESTER, RELEASES, "wx123 prod-1")
        async with Load(slack) as load:
            await load.more_accepted(20)
        await load.all_answered(30)
        await soon(lambda: errors_of(one), 30)
        (line,) = [*errors_of(one), *errors_of(other)]
        ids = recorded(database)
        assert [event["id"] for event in there.once] == ids[: ids.index(line["refused"])]
        settings = {"DATABASE_URL": database, "AUDIT_URL": there.url}
        code, out, _ = await finished(settings, tmp_path, "audit", "--leave-out", line["refused"])
        assert (code, line["refused"] in out) == (0, True)
        await all_ended(database, 30)
        await soon(lambda: len(there.once) == len(recorded(database)) - 1, 30)
    missing = {*recorded(database)} - {event["id"] for event in there.once}
    assert missing == {line["refused"]}
    told = [
        event["data"]["detail"] for event in there.once if event["type"] == "share_env.not_sent"
    ]
    assert told == [line["refused"]]
    assert_in_order(there)
