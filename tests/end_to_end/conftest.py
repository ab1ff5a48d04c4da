"""The bot as a process of its own, with a local Slack and a local WeChat."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import OWNER
from tests.conftest import RELEASES
from tests.processes import Forked, fork, start
from tests.token_server import TokenWeChat, environment

STARTUP = 60.0  # seconds; enough on a busy machine
# What asyncio's debug mode, a part of `-X dev`, says on a busy machine.
_SLOW = re.compile(r"^.*Executing <.* took [\d.]+ seconds.*\n", re.MULTILINE)


@dataclass
class Process:
    """A running `python -m bot`, and its output."""

    process: asyncio.subprocess.Process | Forked
    ready: str
    log: list[str] = field(default_factory=list)

    async def stop(self, sign: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(sign)
        return await asyncio.wait_for(self.process.wait(), STARTUP)


@pytest.fixture
def environ(slack: LocalSlack, wechat: TokenWeChat) -> dict[str, str]:
    """The bot's environment, which tests can change."""
    return {
        **environment(slack, wechat),
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "LOG_LEVEL": "DEBUG",
    }


async def spawn(
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
    program: tuple[str, str] = ("-m", "bot"),
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process | Forked:
    """Run `python -m bot`, or another program, with exactly this environment.

    It is a fresh Python if the environment has variables for Python itself, else a fork.
    """
    run = start if "PYTHONPATH" in environ else fork
    return await run(environ, folder, *program, *arguments, stdin=stdin, stdout=stdout)


async def finished(
    environ: Mapping[str, str], folder: Path, *arguments: str
) -> tuple[int, str, str]:
    """Run `python -m bot` until it exits; return exit code, output and errors."""
    process = await spawn(environ, folder, *arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), _SLOW.sub("", err.decode())


def ended_parents(slack: LocalSlack) -> list[PostedMessage]:
    """Return the parents in #releases in their final state."""
    return [message for message in slack.parents(RELEASES) if message.edits]


@asynccontextmanager
async def bot(environ: Mapping[str, str], folder: Path) -> AsyncIterator[Process]:
    """Run the bot while the context is open; it is ready on entering."""
    process = await spawn(environ, folder, "run")
    assert process.stdout
    assert process.stderr
    log: list[str] = []

    async def collect(stream: asyncio.StreamReader) -> None:
        async for line in stream:
            log.append(line.decode())  # noqa: PERF401  # each as it comes, while the bot runs

    reading = asyncio.create_task(collect(process.stderr))
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), STARTUP)
        if not ready:
            await reading
        assert ready, "".join(log)
        yield Process(process, ready.decode(), log)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        await reading
