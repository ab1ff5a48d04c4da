"""The bots to measure: each is started, watched and stopped here, as a process of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter

from tests.benchmarks.standins import StandIns, WrongResultError

ROOT = Path(__file__).parents[2]
_READY_WITHIN = 30.0
_STOPPED_WITHIN = 15.0
_LOG_TAIL = 2_000
_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Variant(Enum):
    """The variants that are compared: their titles in the tables, and their modules for `python -m`."""

    THIS_BOT = ("this bot", "bot")
    BARE_ASYNC = ("bare AsyncApp", "tests.benchmarks.bare_async")
    BARE_SYNC = ("bare App", "tests.benchmarks.bare_sync")

    def __init__(self, title: str, module: str) -> None:
        self.title = title
        self.module = module


@dataclass(frozen=True, slots=True)
class Running:
    """A connected bot; `ready` is the seconds since its start."""

    pid: int
    ready: float

    def peak(self) -> int:
        """Return the most bytes of memory that the process has had, according to the kernel."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        sizes = dict(line.split(":", 1) for line in status.splitlines())
        return int(sizes["VmHWM"].split()[0]) * 1024

    def busy(self) -> float:
        """Return the CPU seconds that the process has used."""
        # proc(5), /proc/pid/stat: utime and stime are fields 14 and 15; the name, field 2, may contain spaces.
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) * _TICK

    def send(self, sign: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, sign)


@asynccontextmanager
async def started(
    variant: Variant, world: StandIns, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Run a bot in an empty directory while the context is open.

    Its ledger is a file unless `settings` name another. An exception that leaves the context gets the end of the bot's log
    as a note.
    """
    with TemporaryDirectory() as directory, TemporaryFile() as log:
        began, greeted = perf_counter(), world.slack.sockets.greeted
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            variant.module,
            cwd=directory,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": str(ROOT),
                **world.environment(),
                "DATABASE_URL": "sqlite:///ledger.db",
                **(settings or {}),
            },
            stdout=PIPE,
            stderr=log,
        )
        try:
            await _ready(process, world, greeted)
            yield Running(process.pid, perf_counter() - began)
        except Exception as error:
            log.seek(0)
            tail = log.read().decode(errors="replace")[-_LOG_TAIL:]
            error.add_note(f"The end of its log ({variant.title}):\n{tail}")
            raise
        finally:
            await _end(process)


async def _ready(process: Process, world: StandIns, greeted: int) -> None:
    """Wait until the bot has printed its line and opened its socket; else raise WrongResultError."""
    if process.stdout is None:
        raise RuntimeError("the process has no stdout")
    try:
        async with asyncio.timeout(_READY_WITHIN):
            if not await process.stdout.readline():
                raise WrongResultError(f"The bot ended at once, with {await process.wait()}.")
            await world.slack.until(lambda slack: slack.sockets.greeted > greeted)
    except TimeoutError:
        raise WrongResultError(f"The bot was not ready after {_READY_WITHIN:.0f} s.") from None


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOPPED_WITHIN)
    except TimeoutError:
        process.kill()
        await process.wait()
