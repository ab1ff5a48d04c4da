"""What `tests/blocking.py` sees of the bot, and what it leaves alone."""

import asyncio
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError

from tests.blocking import ACCEPTED, BOT, blocked

PLANTED = """
def calls(call, *args):
    return call(*args)

async def awaits(call, *args):
    return call(*args)
"""
ROOT = Path(BOT).parent

pytestmark = pytest.mark.no_cover  # a report needs the source of each file that was run


def planted(name: str, file: str = "bot/workflow/planted.py") -> Callable[..., Any]:
    """Return a function that looks as if it stood in this file."""
    names: dict[str, Any] = {}
    exec(compile(PLANTED, ROOT / file, "exec"), names)  # noqa: S102  # so code has another file's name
    function: Callable[..., Any] = names[name]
    return function


@pytest.fixture(autouse=True)
def noted() -> Iterator[list[str]]:
    """The calls that raised, which are no mistakes in these tests."""
    yield blocked
    blocked.clear()


@pytest.mark.parametrize("what", ["sleep", "disk", "file", "database", "lock", "socket"])
async def test_a_call_that_blocks_the_loop_in_the_bots_code_raises(
    what: str, noted: list[str]
) -> None:
    lock = threading.Lock()
    lock.acquire()
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        Path(__file__).open(encoding="utf-8") as file,  # noqa: ASYNC230  # a test may
        closing(sqlite3.connect(":memory:")) as database,
    ):
        calls: dict[str, tuple[Any, ...]] = {
            "sleep": (time.sleep, 0),
            "disk": (os.stat, __file__),
            "file": (file.read,),
            "database": (database.execute, "SELECT 1"),
            "lock": (lock.acquire,),
            "socket": (ours.recv, 1),
        }
        with pytest.raises(BlockingError):
            await planted("awaits")(*calls[what])
    assert ["bot/workflow/planted.py:6, awaits" in each for each in noted] == [True]


async def test_a_callback_that_blocks_is_seen_although_nobody_gets_its_error(
    noted: list[str],
) -> None:
    asyncio.get_running_loop().call_soon(planted("calls"), time.sleep, 0)
    await asyncio.sleep(0)
    assert ["time.sleep" in each for each in noted] == [True]


async def test_threads_tests_and_stand_ins_may_block(noted: list[str]) -> None:
    calls = planted("calls")
    await asyncio.to_thread(calls, time.sleep, 0)
    calls(time.sleep, 0)
    await planted("awaits")(lambda: time.sleep(0))
    await planted("awaits", "bot/playground/planted.py")(time.sleep, 0)
    assert noted == []


def test_what_may_block_is_still_there() -> None:
    ours = [(file, name) for file, name in ACCEPTED if file.startswith("bot/")]
    lost = [each for each in ours if f"def {each[1]}(" not in (ROOT / each[0]).read_text("utf-8")]
    assert lost == []
