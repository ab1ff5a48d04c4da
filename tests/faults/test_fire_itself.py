"""Faults of the bot's own process: signals, no file descriptors, no memory, a slow ledger."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_AS, RLIMIT_NOFILE, prlimit
from signal import SIGCONT, SIGINT, SIGSTOP, SIGTERM, Signals
from urllib.parse import urlsplit

import pytest

from bot.playground.faults import Hang, Huge, Slow
from bot.playground.slack.server import LocalSlack
from tests.conftest import free_port, let_toil, locked, rows, soon
from tests.faults.bots import (
    CHANNEL,
    Load,
    address_at,
    all_ended,
    assert_answered_once,
    assert_recorded_once,
    over_http,
)
from tests.faults.endings import Act, ends, survives
from tests.faults.fire import Fire, fire
from tests.faults.strangers import request, said
from tests.faults.table import NOT_BEGUN, WORKED, Fault, rows_of

pytestmark = pytest.mark.slow

MANY = 40
OPEN = "SELECT 1 FROM requests WHERE state <> 'ended'"


def ledger(burning: Fire) -> Path:
    """The path of the bot's ledger."""
    return Path(burning.database.removeprefix("sqlite:///"))


def is_shared(slack: LocalSlack) -> bool:
    """Return whether the last request is visibly shared."""
    return any(parent.text.startswith("✅") for parent in slack.parents(CHANNEL)[-1:])


@contextmanager
def limited(burning: Fire, what: int, to: int) -> Iterator[None]:
    """Set a resource limit of the process."""
    before = prlimit(burning.bot.pid, what)
    prlimit(burning.bot.pid, what, (to, before[1]))
    try:
        yield
    finally:
        prlimit(burning.bot.pid, what, before)


@contextmanager
def no_more_files(burning: Fire) -> Iterator[None]:
    """Limit the process to its currently open files."""
    files = Path(f"/proc/{burning.bot.pid}/fd").iterdir()
    with limited(burning, RLIMIT_NOFILE, 1 + max(int(each.name) for each in files)):
        yield


def memory(burning: Fire) -> int:
    """Return the size of the process's mapped memory in bytes."""
    status = Path(f"/proc/{burning.bot.pid}/status").read_text(encoding="ascii")
    return int(status.split("VmSize:")[1].split()[0]) << 10


async def without_files(burning: Fire) -> str:
    """Type a command while no file can be opened."""
    with no_more_files(burning):
        return await burning.answer()


async def without_files_over_http(burning: Fire) -> str:
    """Type a command that cannot be accepted at first; later it is carried out."""
    with no_more_files(burning):
        told = await burning.answer()
    await burning.slack.until(is_shared)
    assert burning.bot.log.count("out of system resource") < 10
    return told


async def without_memory(burning: Fire) -> str:
    """Let WeChat send 100 MB to a process that may allocate only 16 MB more."""
    burning.wechat.fail("shareenv", Huge(100 << 20))
    with limited(burning, RLIMIT_AS, memory(burning) + (16 << 20)):
        return await burning.answer()


async def with_a_lock(burning: Fire) -> str:
    """Type a command while another program has locked the ledger."""
    with locked(ledger(burning)):
        return await burning.answer()


async def with_a_slow_ledger(burning: Fire) -> str:
    """Make recording a request take seconds; a refused request must not happen later."""
    let_toil(ledger(burning), "requests")
    told = await burning.answer()
    await soon(lambda: rows(ledger(burning), "SELECT 1 FROM events WHERE kind = 'withdrawn'"), 60)
    assert rows(ledger(burning), OPEN) == []
    assert burning.wechat.calls == []
    rows(ledger(burning), "DROP TRIGGER slow")
    return told


async def frozen(burning: Fire) -> str:
    """Suspend the process for longer than Slack waits; afterwards the command is carried out."""
    burning.bot.send(SIGSTOP)
    told = await burning.answer()
    burning.bot.send(SIGCONT)
    await burning.slack.until(is_shared)
    return told


def signalled(*signs: Signals) -> Act:
    """Return an action that sends signals during a call, until the process has ended."""

    async def act(burning: Fire) -> str:
        burning.wechat.fail("shareenv", Slow(1, after_effect=True))
        asked = asyncio.create_task(burning.answer())
        await burning.wechat.until(lambda wechat: bool(wechat.calls))
        await ends(burning, *signs)
        await burning.bot.start()
        return await asked

    return act


async def under_load(burning: Fire) -> str:
    """Stop the process under load; no request is lost."""
    burning.wechat.fail("shareenv", *[Slow(1, after_effect=True)] * MANY)
    async with Load(burning.slack, env="load") as load:
        await load.more(MANY)
        assert load.under_way()
        burning.bot.send(SIGTERM)
        await ends(burning)
        finished = set(load.finals)
        assert load.taken <= finished
        await burning.bot.start()
        await load.more(1)
    await load.all_answered(20)
    await all_ended(burning.database, 10)
    assert_answered_once(burning.slack, load.taken)
    assert_recorded_once(burning.database, load.taken)
    return burning.slack.parents(CHANNEL)[0].text


async def beyond_the_grace(burning: Fire) -> str:
    """Stop the process during a call that outlasts the grace; the next process finishes it."""
    burning.wechat.fail("shareenv", Hang(60))
    asked = asyncio.create_task(burning.answer())
    await burning.wechat.until(lambda wechat: bool(wechat.calls))
    burning.bot.send(SIGTERM)
    await ends(burning)
    await burning.bot.start()
    return await asked


async def with_a_body_to_come(burning: Fire) -> str:
    """Stop the process while it waits for a body."""
    port = urlsplit(burning.slack.request_url).port or 0
    head = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": "v0=" + "0" * 64}
    line = "POST /slack/events HTTP/1.1"
    asked = asyncio.create_task(said(port, request(line, head | {"Content-Length": "9"})))
    await burning.answer()
    burning.bot.send(SIGTERM)
    await ends(burning)
    await burning.bot.start()
    return await asked


AGAIN = "I was restarted while this was under way"
FIRES: dict[Fault, Act] = rows_of(
    "The bot itself",
    ("SIGTERM, again and again", WORKED, signalled(SIGTERM)),
    ("SIGINT and SIGTERM, again and again", WORKED, signalled(SIGINT, SIGTERM)),
    ("SIGTERM under load", "✅", under_load),
    ("no file can be opened", "The bot could not reach the central token server", without_files),
    ("no memory for an answer of 100 MB", "The answer was not WeChat's", without_memory),
    ("the ledger is locked by another program", NOT_BEGUN, with_a_lock),
    ("the ledger takes seconds to write", NOT_BEGUN, with_a_slow_ledger),
    ("the process stands still", "operation_timeout", frozen),
)
HURRIED: dict[Fault, Act] = rows_of(
    "The bot itself", ("SIGTERM, and a call outlasts the grace", AGAIN, beyond_the_grace)
)
OVER_HTTP: dict[Fault, Act] = rows_of(
    "The bot itself",
    ("no file can be opened, in HTTP mode", "operation_timeout", without_files_over_http),
    ("SIGTERM while a body is awaited", "no answer", with_a_body_to_come),
)
FAULTS = (*FIRES, *HURRIED, *OVER_HTTP)


@pytest.mark.parametrize("fault", FIRES, ids=str)
async def test_whatever_happens_to_the_bot_the_requester_is_told_the_truth(
    fault: Fault, tmp_path: Path
) -> None:
    async with fire(tmp_path) as burning:
        await survives(burning, fault, FIRES[fault])


@pytest.mark.parametrize("fault", HURRIED, ids=str)
async def test_work_that_exceeds_the_grace_is_reported_by_the_next_process(
    fault: Fault, tmp_path: Path
) -> None:
    async with fire(tmp_path, SHUTDOWN_GRACE="1") as burning:
        await survives(burning, fault, HURRIED[fault])


@pytest.mark.parametrize("fault", OVER_HTTP, ids=str)
async def test_in_http_mode_the_requester_is_told_the_truth_too(
    fault: Fault, tmp_path: Path
) -> None:
    port = free_port()
    async with fire(tmp_path, **over_http(port)) as burning:
        burning.slack.request_url = address_at(port)
        await survives(burning, fault, OVER_HTTP[fault])
