"""An uncaught error is one redacted line of the log, not a bare traceback."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.processes import fork, start

SET_UP = """
import asyncio, threading, warnings
from bot.observe.logs.setup import set_up
from bot.observe.logs.setup import log_uncaught
set_up("INFO", "json", ("made-up words",))
log_uncaught()
said = "made-up words, access_token=made-up, xoxb-made-up"

def fail(*_):
    raise ValueError(said)

class FailsWhenDeleted:
    def __del__(self):
        fail()

async def fail_in_task():
    task = asyncio.create_task(asyncio.to_thread(fail))
    await asyncio.wait([task])

"""
UNCAUGHT = {
    "the process": ("fail()", "an error that nobody caught ends the bot", "critical"),
    "a thread": (
        "thread = threading.Thread(target=fail); thread.start(); thread.join()",
        "an error that nobody caught ends a thread",
        "error",
    ),
    "an object": ("FailsWhenDeleted()", "an error that could not be raised", "error"),
    "a task": ("asyncio.run(fail_in_task())", "Task exception was never retrieved", "error"),
    "a warning": ("warnings.simplefilter('always'); warnings.warn(said)", "UserWarning", "warning"),
    "a cause": (
        "try:\n    fail()\nexcept ValueError as error:\n    raise KeyError(said) from error",
        "an error that nobody caught ends the bot",
        "critical",
    ),
}


async def ended(code: str, folder: Path) -> tuple[int, str, str]:
    """Run a program; return its exit code, output and errors."""
    process = await fork({}, folder, "-c", code)
    out, err = await process.communicate()
    return await process.wait(), out.decode(), err.decode()


@pytest.mark.parametrize(("code", "event", "level"), UNCAUGHT.values(), ids=list(UNCAUGHT))
async def test_an_uncaught_error_is_one_redacted_line(
    code: str, event: str, level: str, tmp_path: Path
) -> None:
    exit_code, _, err = await ended(SET_UP + code, tmp_path)
    [line] = err.splitlines()
    fields = json.loads(line)
    assert event in fields["event"]
    assert fields["level"] == level
    assert "made-up" not in line
    assert "[hidden]" in line
    assert ("exception" in fields) == (level != "warning")
    assert exit_code == (1 if level == "critical" else 0)


async def test_a_librarys_log_lines_in_its_own_thread_are_redacted(tmp_path: Path) -> None:
    code = 'import logging; thread = threading.Thread(target=lambda: logging.error("%s", said))'
    exit_code, _, err = await ended(f"{SET_UP}{code}; thread.start(); thread.join()", tmp_path)
    assert exit_code == 0
    assert json.loads(err)["event"] == "[hidden], access_token=[hidden], [hidden]"


@pytest.mark.parametrize("command", ["run", "audit", "doctor", "demo"])
async def test_an_error_in_a_command_shows_no_secret_on_the_terminal(
    command: str, tmp_path: Path
) -> None:
    code = f"""
import bot.cli, bot.playground.demo
def fail():
    raise ValueError("postgresql://bot:made-up@db.example xoxb-made-up")
bot.cli.environment = bot.playground.demo.environment = fail
bot.cli.main(["{command}"])
"""
    exit_code, out, err = await ended(code, tmp_path)
    assert (exit_code, out) == (1, "")
    assert json.loads(err)["event"] == "an error that nobody caught ends the bot"
    assert "made-up" not in err


async def test_a_blocked_standard_error_does_not_prevent_a_program_from_exiting(
    tmp_path: Path,
) -> None:
    code = """
import logging, bot.cli
def stop():
    logging.error("more than a pipe holds: %s", "-" * 200_000)
    raise SystemExit(3)
bot.cli.environment = stop
bot.cli.main(["audit"])
"""
    reading, writing = os.pipe()
    program = await start({}, tmp_path, "-c", code, stderr=writing)
    os.close(writing)
    try:
        async with asyncio.timeout(20):
            assert await program.wait() == 3
    finally:
        os.close(reading)
