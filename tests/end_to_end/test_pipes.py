import asyncio
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import rows
from tests.end_to_end.conftest import STARTUP, spawn


@pytest.mark.parametrize(("arguments", "code"), [("run", 2), ("audit", 0)])
async def test_closed_standard_streams_change_no_exit_code(
    arguments: str, code: int, tmp_path: Path, empty_ledger: Path
) -> None:
    shutil.copyfile(empty_ledger, tmp_path / "share-env.db")
    closed = f'exec "$0" -m bot {arguments} <&- >&- 2>&-'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", closed, sys.executable),
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert await asyncio.wait_for(process.wait(), STARTUP) == code


async def test_a_wrong_dotenv_that_nobody_can_be_told_of_is_a_wrong_setup_all_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("no setting\n")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'exec "$0" -m bot run 2>/dev/full', sys.executable),
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert await asyncio.wait_for(process.wait(), STARTUP) == 2


async def test_a_bot_without_standard_error_runs_and_keeps_its_ledger_whole(
    environ: dict[str, str], tmp_path: Path
) -> None:
    closed = 'exec "$0" -m bot run 2>&-'
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", closed, sys.executable),
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert b"ready" in await asyncio.wait_for(process.stdout.readline(), STARTUP)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), STARTUP) == 0
    assert rows(tmp_path / "share-env.db", "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("command", ["policy", "audit --format csv", "demo --script"])
async def test_a_closed_output_pipe_ends_a_command_quietly(
    command: str, tmp_path: Path, empty_ledger: Path
) -> None:
    (tmp_path / "policy.toml").write_text('[[rule]]\nusers = ["*"]\neffect = "allow"\n')
    shutil.copyfile(empty_ledger, tmp_path / "share-env.db")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = await spawn({}, tmp_path, *command.split(), stdout=writer)
    finally:
        os.close(writer)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    "command", [("audit", "--format", "csv"), ("doctor", "--json")], ids=" ".join
)
async def test_output_that_does_not_fit_on_the_disk_is_a_failure_told_in_one_sentence(
    command: tuple[str, ...], tmp_path: Path, empty_ledger: Path
) -> None:
    ledger = tmp_path / "share-env.db"
    shutil.copyfile(empty_ledger, ledger)
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("INSERT INTO events (at, kind) VALUES (1, 'mistake')")
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await spawn({}, tmp_path, *command, stdout=full)
    finally:
        os.close(full)
    _, err = await process.communicate()
    said = "The output cannot be written to its end (No space left on device). Write it elsewhere, or make room.\n"
    assert (process.returncode, err.decode()) == (1, said)


IN_GBK = """
import sys, bot.cli
sys.stdout.reconfigure(encoding="gbk")
sys.exit(bot.cli.main(["policy", "policy.toml"]))
"""


async def test_characters_that_the_locale_lacks_are_escaped(tmp_path: Path) -> None:
    rule = '[[rule]]\nname = "{}"\nusers = ["*"]\neffect = "allow"\n'
    (tmp_path / "policy.toml").write_text(rule.format("发布") + rule.format("shadowed"))
    process = await spawn({}, tmp_path, program=("-c", IN_GBK))
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert "\\u2705 policy-file" in out.decode("gbk")
    assert "“发布”" in out.decode("gbk")
