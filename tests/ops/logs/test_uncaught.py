"""What nobody caught is one clean line of the log, not a traceback as it is."""

import json
import subprocess
import sys

import pytest

SET_UP = """
import asyncio, threading, warnings
from bot.ops.logs.setup import set_up
from bot.ops.logs.setup import log_uncaught
set_up("INFO", "json", ("made-up words",))
log_uncaught()
said = "made-up words, access_token=made-up, xoxb-made-up"

def fail(*_):
    raise ValueError(said)

class Falling:
    def __del__(self):
        fail()

async def lost():
    task = asyncio.create_task(asyncio.to_thread(fail))
    await asyncio.wait([task])

"""
ENDS = {
    "the process": ("fail()", "an error that nobody caught ends the bot", "critical"),
    "a thread": (
        "thread = threading.Thread(target=fail); thread.start(); thread.join()",
        "an error that nobody caught ends a thread",
        "critical",
    ),
    "an object": ("Falling()", "an error that could not be raised", "error"),
    "a task": ("asyncio.run(lost())", "Task exception was never retrieved", "error"),
    "a warning": ("warnings.warn(said)", "UserWarning", "warning"),
    "a cause": (
        "try:\n    fail()\nexcept ValueError as error:\n    raise KeyError(said) from error",
        "an error that nobody caught ends the bot",
        "critical",
    ),
}


@pytest.mark.parametrize(("code", "event", "level"), ENDS.values(), ids=list(ENDS))
def test_what_nobody_caught_is_one_clean_line(code: str, event: str, level: str) -> None:
    run = [sys.executable, "-c", SET_UP + code]
    ended = subprocess.run(run, check=False, capture_output=True, text=True)
    [line] = ended.stderr.splitlines()
    fields = json.loads(line)
    assert event in fields["event"]
    assert fields["level"] == level
    assert "made-up" not in line
    assert "[hidden]" in line
    assert ("exception" in fields) == (level != "warning")
    assert ended.returncode == (1 if level == "critical" and "thread" not in event else 0)


def test_what_a_library_says_in_a_thread_of_its_own_is_clean() -> None:
    code = 'import logging; thread = threading.Thread(target=lambda: logging.error("%s", said))'
    run = [sys.executable, "-c", f"{SET_UP}{code}; thread.start(); thread.join()"]
    ended = subprocess.run(run, check=True, capture_output=True, text=True)
    assert json.loads(ended.stderr)["event"] == "[hidden], access_token=[hidden], [hidden]"


@pytest.mark.parametrize("command", ["run", "audit", "doctor", "demo"])
def test_a_mistake_of_the_bots_own_ends_no_command_with_a_secret_on_the_terminal(
    command: str,
) -> None:
    code = f"""
import bot.cli, bot.playground.demo
def fail():
    raise ValueError("postgresql://bot:made-up@db.example xoxb-made-up")
bot.cli.environment = bot.playground.demo.environment = fail
bot.cli.main(["{command}"])
"""
    run = [sys.executable, "-c", code]
    ended = subprocess.run(run, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert json.loads(ended.stderr)["event"] == "an error that nobody caught ends the bot"
    assert "made-up" not in ended.stderr
