import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.faults.bots import (
    Bot,
    Load,
    assert_answered_once,
    assert_keeps_secrets,
    assert_recorded_once,
    environ,
    rows,
)
from tests.faults.table import NOT_BEGUN, Fault
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

DISK = "8m"
LEDGER = "ledger.db"

FULL = Fault("The bot itself", "the disk is full", NOT_BEGUN)
READ_ONLY = Fault("The bot itself", "the ledger turns read-only", NOT_BEGUN)
FAULTS = (FULL, READ_ONLY)


def run_as_root(*command: str | Path) -> None:
    """Run a command as root; skip the test if that is not possible."""
    if os.geteuid() != 0:
        pytest.skip(f"only root may {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{command[0]} does not work here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return the root of a small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    run_as_root("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)  # noqa: S607  # its path differs between systems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose files can be made immutable even while they are open; not every file system supports that."""
    probe = tmp_path / "probe"
    with probe.open("wb", buffering=0) as file:
        run_as_root("chattr", "+i", probe)
        try:
            file.write(b"1")
            pytest.skip(
                "chattr +i does not apply to files that are already open on this file system"
            )
        except PermissionError:
            pass
        finally:
            run_as_root("chattr", "-i", probe)
    return tmp_path


@contextmanager
def full(small_disk: Path) -> Iterator[None]:
    """Fill a file system."""
    filler = small_disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(small_disk).free == 0
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make the ledger's file immutable, even for processes that have it open; a remount would be refused."""
    files = folder / LEDGER, folder / f"{LEDGER}-wal"
    try:
        run_as_root("chattr", "+i", *files)
        yield
    finally:
        run_as_root("chattr", "-i", *files)


async def assert_survives_disk_failure(
    fault: Fault,
    database: str,
    tmp_path: Path,
    trouble: AbstractContextManager[None],
) -> None:
    """Break a ledger's disk under load; check that no accepted request is lost, and that the ledger recovers."""
    async with LocalSlack(World()) as slack, TokenWeChat(latency=0.3) as wechat:
        bot = Bot(environ(slack, wechat, database), tmp_path)
        try:
            await bot.start()
            async with Load(slack) as load:
                await load.more_accepted(40)
                with trouble:
                    refused = len(load.refused) + 20
                    await slack.until(lambda _: len(load.refused) >= refused, 30)
                await load.more_accepted(20)
            await load.all_answered(30)
            assert await bot.end(SIGTERM) == 0
        finally:
            await bot.end()
        load.assert_told_truly(fault.told, wechat)
        assert_answered_once(slack, load.accepted)
        assert_recorded_once(database, load.accepted)
        assert_keeps_secrets(bot, slack)


async def test_the_ledger_recovers_from_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    await assert_survives_disk_failure(
        FULL, f"sqlite:///{small_disk / LEDGER}", tmp_path, full(small_disk)
    )


async def test_the_ledger_recovers_from_a_file_that_became_read_only(
    folder: Path,
) -> None:
    await assert_survives_disk_failure(
        READ_ONLY, f"sqlite:///{folder / LEDGER}", folder, read_only(folder)
    )


def with_backup(ledger: Path, copy: Path) -> None:
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def with_vacuum(ledger: Path, copy: Path) -> None:
    with closing(sqlite3.connect(ledger)) as source:
        source.execute("VACUUM INTO ?", [str(copy)])


def with_file_copies(ledger: Path, copy: Path) -> None:
    for part in ("", "-wal"):
        shutil.copy(f"{ledger}{part}", f"{copy}{part}")


@pytest.mark.parametrize("copied", [with_backup, with_vacuum, with_file_copies])
async def test_a_copy_of_a_ledger_in_use_can_be_restored(
    tmp_path: Path, copied: Callable[[Path, Path], None]
) -> None:
    ledger, copy = tmp_path / LEDGER, tmp_path / "copy.db"
    async with LocalSlack(World()) as slack, TokenWeChat(latency=0.5) as wechat:
        bot = Bot(environ(slack, wechat, f"sqlite:///{ledger}"), tmp_path)
        restored = Bot(environ(slack, wechat, f"sqlite:///{copy}"), tmp_path, "restored")
        try:
            await bot.start()
            async with Load(slack, people=8) as load:
                await load.more_accepted(60)
                # A copy of the files is consistent only while nothing writes.
                if copied is with_file_copies:
                    bot.send(SIGSTOP)
                await asyncio.to_thread(copied, ledger, copy)
                bot.send(SIGCONT)
                await bot.end()
            open_ = set(rows(f"sqlite:///{copy}", "SELECT id FROM requests WHERE state <> 'ended'"))
            assert len(open_ & load.under_way()) > 5
            await restored.start()
            await slack.until(lambda _: open_ <= load.finals.keys(), 20)
            assert await restored.end(SIGTERM) == 0
        finally:
            await bot.end()
            await restored.end()
        assert_answered_once(slack, open_, only=True)
        assert_recorded_once(f"sqlite:///{copy}", open_)


async def test_a_second_process_on_the_same_file_is_refused_while_the_first_keeps_working(
    tmp_path: Path,
) -> None:
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        settings = environ(slack, wechat, "sqlite:///ledger.db")
        first, second = Bot(settings, tmp_path, "first"), Bot(settings, tmp_path, "second")
        try:
            await first.start()
            async with Load(slack) as load:
                await load.more_accepted(5)
                await second.launch()
                assert await second.ended() == 1
                await load.more_accepted(5)
            await load.all_answered(10)
        finally:
            await first.end()
            await second.end()
        assert second.log == (
            "Another share-env-bot already uses ledger.db. "
            "Stop it, or use PostgreSQL for several replicas.\n"
        )
        assert load.unanswered == load.in_doubt == []
        assert_answered_once(slack, load.accepted)
