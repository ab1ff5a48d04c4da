"""The bot as a process of its own, beside a local Slack and a local WeChat."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.playground.environments import environment
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER

STARTUP = 20.0
ROOT = Path(__file__).parent.parent.parent


@dataclass
class Process:
    """A running `python -m bot`, and what it wrote."""

    process: asyncio.subprocess.Process
    ready: str
    log: list[str] = field(default_factory=list)

    async def stop(self, sign: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(sign)
        return await asyncio.wait_for(self.process.wait(), STARTUP)


@pytest.fixture
def environ(slack: LocalSlack, wechat: LocalWeChat) -> dict[str, str]:
    """Return what the bot is told, for changing in a test."""
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
) -> asyncio.subprocess.Process:
    """Start `python -m bot`, or another program, with this environment and no other."""
    kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG"} or "COV" in k}
    return await asyncio.create_subprocess_exec(
        # A process inherits what its parent ignores, as the tests do when nohup or a shell script starts them.
        *("env", "--default-signal=INT,HUP", sys.executable),
        *("-X", "dev", "-W", "error", *program, *arguments),
        cwd=folder,
        # Of what `-X dev` looks at, how C uses the memory is no matter of this bot's, and costs a tenth.
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONMALLOC": "pymalloc", **environ},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 24,
    )


async def finished(
    environ: Mapping[str, str], folder: Path, *arguments: str
) -> tuple[int, str, str]:
    """Run `python -m bot` to its end; return exit code, output and errors."""
    process = await spawn(environ, folder, *arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def bot(environ: Mapping[str, str], folder: Path) -> AsyncIterator[Process]:
    """Run the bot until the context is left; it is ready when the context is entered."""
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
