"""Faults of the bot's own process: signals, no file descriptors, no memory, a slow ledger."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_NOFILE, prlimit
from signal import SIGCONT, SIGINT, SIGSTOP, SIGTERM, Signals
from urllib.parse import urlsplit

import pytest

from bot.guidance import Trouble
from bot.playground.faults import Drop, Slow, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from tests.conftest import RELEASES, address_at, let_toil, locked, over_http, rows, soon
from tests.faults.bots import Load, all_ended, assert_answered_once, assert_recorded_once
from tests.faults.http_clients import exchange, request
from tests.faults.recovery import Action, assert_exits, assert_survives
from tests.faults.rig import ProcessRig, start_rig
from tests.faults.table import NOT_BEGUN, PERHAPS_BEGUN, WORKED, Fault, rows_of

pytestmark = pytest.mark.slow

MANY = 40
OPEN = "SELECT 1 FROM requests WHERE state <> 'ended'"


def ledger(rig: ProcessRig) -> Path:
    """The path of the bot's ledger."""
    return Path(rig.database.removeprefix("sqlite:///"))


def is_shared(slack: LocalSlack) -> bool:
    """Return whether the last request is visibly shared."""
    return any(parent.text.startswith("✅") for parent in slack.parents(RELEASES)[-1:])


@contextmanager
def resource_limit(rig: ProcessRig, what: int, to: int) -> Iterator[None]:
    """Set a resource limit of the process."""
    before = prlimit(rig.bot.pid, what)
    prlimit(rig.bot.pid, what, (to, before[1]))
    try:
        yield
    finally:
        prlimit(rig.bot.pid, what, before)


@contextmanager
def no_more_files(rig: ProcessRig) -> Iterator[None]:
    """Let the process open no more files: each would get a number below this limit."""
    used = {int(each.name) for each in Path(f"/proc/{rig.bot.pid}/fd").iterdir()}
    with resource_limit(rig, RLIMIT_NOFILE, min(set(range(len(used) + 1)) - used)):
        yield


def mapped_memory(rig: ProcessRig) -> int:
    """Return the size of the process's mapped memory in bytes."""
    status = Path(f"/proc/{rig.bot.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmSize:")[1].split()[0]) << 10


async def without_files(rig: ProcessRig) -> str:
    """Type a command while no file can be opened."""
    with no_more_files(rig):
        return await rig.answer()


def port_of(rig: ProcessRig) -> int:
    """The port at which the process takes Slack's payloads."""
    return urlsplit(rig.slack.request_url).port or 0


async def without_files_over_http(rig: ProcessRig) -> str:
    """Type a command while no file can be opened; libuv also closes what connects just after, until it finds nobody waiting."""
    told = await without_files(rig)
    alive = request("GET /healthz HTTP/1.1", {"Connection": "close"})
    while await exchange(port_of(rig), alive) == "no answer":
        pass
    return told


async def without_memory(rig: ProcessRig) -> str:
    """Let WeChat send 100 MB to a process that may allocate only 16 MB more."""
    rig.wechat.fail("shareenv", Status(200, bytes(100 << 20)))
    with resource_limit(rig, RLIMIT_AS, mapped_memory(rig) + (16 << 20)):
        return await rig.answer()


async def with_a_lock(rig: ProcessRig) -> str:
    """Type a command while another program has locked the ledger."""
    with locked(ledger(rig)):
        return await rig.answer()


async def with_a_slow_ledger(rig: ProcessRig) -> str:
    """Make recording a request take seconds; a refused request must not happen later."""
    let_toil(ledger(rig), "requests")
    told = await rig.answer()
    await soon(lambda: rows(ledger(rig), "SELECT 1 FROM events WHERE kind = 'withdrawn'"), 60)
    assert rows(ledger(rig), OPEN) == []
    assert rig.wechat.calls == []
    rows(ledger(rig), "DROP TRIGGER slow")
    return told


async def frozen(rig: ProcessRig) -> str:
    """Suspend the process for longer than Slack waits; afterwards the command is carried out."""
    rig.bot.send(SIGSTOP)
    told = await rig.answer()
    rig.bot.send(SIGCONT)
    await rig.slack.until(is_shared)
    return told


def with_signals(*signs: Signals) -> Action:
    """Return an action that sends signals during a call, until the process has ended."""

    async def action(rig: ProcessRig) -> str:
        rig.wechat.fail("shareenv", Slow(1, after_effect=True))
        asked = asyncio.create_task(rig.answer())
        await rig.wechat.until(lambda wechat: bool(wechat.calls))
        await assert_exits(rig, *signs)
        await rig.bot.start()
        return await asked

    return action


async def under_load(rig: ProcessRig) -> str:
    """Stop the process under load; no request is lost."""
    rig.wechat.fail("shareenv", *[Slow(1, after_effect=True)] * MANY)
    async with Load(rig.slack, env="load") as load:
        await load.more_accepted(MANY)
        assert load.under_way()
        rig.bot.send(SIGTERM)
        await assert_exits(rig)
        finished = set(load.finals)
        assert load.accepted <= finished
        await rig.bot.start()
        await load.more_accepted(1)
    await load.all_answered(20)
    await all_ended(rig.database, 10)
    assert_answered_once(rig.slack, load.accepted)
    assert_recorded_once(rig.database, load.accepted)
    return rig.slack.parents(RELEASES)[0].text


async def beyond_the_grace(rig: ProcessRig) -> str:
    """Stop the process during a call that outlasts the grace; the next process finishes it."""
    rig.wechat.fail("shareenv", Drop(silence=60))
    asked = asyncio.create_task(rig.answer())
    await rig.wechat.until(lambda wechat: bool(wechat.calls))
    rig.bot.send(SIGTERM)
    await assert_exits(rig)
    await rig.bot.start()
    return await asked


async def with_a_body_to_come(rig: ProcessRig) -> str:
    """Stop the process while it waits for a body."""
    head = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=" + "0" * 64}
    line = "POST /slack/events HTTP/1.1"
    asked = asyncio.create_task(
        exchange(port_of(rig), request(line, head | {"Content-Length": "9"}))
    )
    await rig.answer()
    rig.bot.send(SIGTERM)
    await assert_exits(rig)
    await rig.bot.start()
    return await asked


AGAIN = "I was interrupted while this was under way"
CASES: dict[Fault, Action] = rows_of(
    "The bot itself",
    ("SIGTERM, again and again", WORKED, with_signals(SIGTERM)),
    ("SIGINT and SIGTERM, again and again", WORKED, with_signals(SIGINT, SIGTERM)),
    ("SIGTERM under load", "✅", under_load),
    ("no file can be opened", Trouble.TOKEN_SERVER_DOWN.value.title, without_files),
    ("no memory for an answer of 100 MB", Trouble.NOT_JSON.value.title, without_memory),
    ("the ledger is locked by another program", NOT_BEGUN, with_a_lock),
    ("the ledger takes seconds to write", PERHAPS_BEGUN, with_a_slow_ledger),
    ("the process stands still", "operation_timeout", frozen),
)
SHORT_GRACE: dict[Fault, Action] = rows_of(
    "The bot itself", ("SIGTERM, and a call outlasts the grace", AGAIN, beyond_the_grace)
)
OVER_HTTP: dict[Fault, Action] = rows_of(
    "The bot itself",
    ("no file can be opened, in HTTP mode", "dispatch_failed", without_files_over_http),
    ("SIGTERM while a body is awaited", "no answer", with_a_body_to_come),
)
FAULTS = (*CASES, *SHORT_GRACE, *OVER_HTTP)


@pytest.mark.parametrize("fault", CASES, ids=str)
async def test_whatever_happens_to_the_bot_the_requester_is_told_the_truth(
    fault: Fault, tmp_path: Path
) -> None:
    async with start_rig(tmp_path) as rig:
        await assert_survives(rig, fault, CASES[fault])


@pytest.mark.parametrize("fault", SHORT_GRACE, ids=str)
async def test_work_that_exceeds_the_grace_is_reported_by_the_next_process(
    fault: Fault, tmp_path: Path
) -> None:
    async with start_rig(tmp_path, SHUTDOWN_GRACE="1") as rig:
        await assert_survives(rig, fault, SHORT_GRACE[fault])


@pytest.mark.parametrize("fault", OVER_HTTP, ids=str)
async def test_in_http_mode_the_requester_is_told_the_truth_too(
    fault: Fault, tmp_path: Path
) -> None:
    port = free_port()
    async with start_rig(tmp_path, **over_http(port)) as rig:
        rig.slack.request_url = address_at(port)
        await assert_survives(rig, fault, OVER_HTTP[fault])
