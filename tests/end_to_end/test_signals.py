"""SIGTERM and SIGINT end the process cleanly at any stage."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from bot.playground.faults import Slow, Status
from bot.playground.slack.server import LocalSlack
from tests.end_to_end.conftest import STARTUP, spawn
from tests.processes import Forked

AUTH, OPEN = "auth.test", "apps.connections.open"
EARLY = """
import signal, sys, bot.cli
read = bot.cli.environment
def environment():
    signal.raise_signal(int(sys.argv[2]))
    return read()
bot.cli.environment = environment
sys.exit(bot.cli.main(sys.argv[1:2]))
"""
"""A command that gets the signal while it reads its settings."""


async def ends(
    process: asyncio.subprocess.Process | Forked, sign: signal.Signals
) -> tuple[int, str, str]:
    """Send a signal; return exit code, output and errors."""
    process.send_signal(sign)
    out, err = await asyncio.wait_for(process.communicate(), STARTUP)
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_start_that_waits_for_both_tokens(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path, sign: signal.Signals
) -> None:
    slack.fail(AUTH, Slow(60))
    slack.fail(OPEN, Slow(60))
    process = await spawn(environ | {"LOG_LEVEL": "WARNING"}, tmp_path, "run")
    await slack.until(lambda slack: {call.method for call in slack.calls} == {AUTH, OPEN})
    assert await ends(process, sign) == (0, "", "")


async def test_a_signal_ends_a_start_that_waits_for_the_socket(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    called, over = asyncio.Event(), asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        await over.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        opened = {"ok": True, "url": f"ws://127.0.0.1:{port}/"}
        slack.fail(OPEN, Status(200, json.dumps(opened).encode(), "application/json"))
        process = await spawn(environ | {"LOG_LEVEL": "ERROR"}, tmp_path, "run")
        await asyncio.wait_for(called.wait(), STARTUP)
        slack.fail(OPEN, *[Slow(60)] * 9)
        assert await ends(process, signal.SIGTERM) == (0, "", "")
        over.set()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_a_run_that_has_not_read_its_settings_yet(
    environ: dict[str, str], tmp_path: Path, sign: signal.Signals
) -> None:
    told = environ | {"LOG_LEVEL": "WARNING"}
    process = await spawn(told, tmp_path, "run", str(int(sign)), program=("-c", EARLY))
    out, err = await asyncio.wait_for(process.communicate(), STARTUP)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("command", ["doctor", "audit", "policy"])
async def test_ctrl_c_ends_a_command_silently(
    environ: dict[str, str], tmp_path: Path, command: str
) -> None:
    sign = str(int(signal.SIGINT))
    process = await spawn(environ, tmp_path, command, sign, program=("-c", EARLY))
    out, err = await asyncio.wait_for(process.communicate(), STARTUP)
    assert (process.returncode, out, err) == (130, b"", b"")


async def test_ctrl_c_ends_a_doctor_that_waits_for_slack(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    slack.fail(AUTH, Slow(60))
    process = await spawn(environ, tmp_path, "doctor")
    await slack.until(lambda slack: AUTH in {call.method for call in slack.calls})
    assert await ends(process, signal.SIGINT) == (130, "", "")
