"""A changed policy for a running bot: loaded automatically or on SIGHUP, and refused if it is invalid."""

import json
import os
import signal
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, soon
from tests.end_to_end.conftest import Process, bot
from tests.processes import ROOT

NOBODY = '[[rule]]\nname = "freeze"\nusers = ["*"]\neffect = "deny"\n'
EVERYBODY = '[[rule]]\nname = "thaw"\nusers = ["*"]\neffect = "allow"\n'


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a bot that logs its events."""
    return environ | {"LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}


def events(process: Process, name: str) -> list[dict[str, object]]:
    """Return the events with this name in the log so far."""
    logged = (json.loads(line) for line in process.log)
    return [event for event in logged if event["event"].startswith(name)]


async def says(slack: LocalSlack) -> str:
    """Ask whether the requester may share, and return the answer."""
    ack = await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1 --dry-run")
    return str((ack.payload or {})["text"])


async def test_a_changed_policy_is_loaded_without_a_restart_and_an_invalid_one_is_refused(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["SHARE_ENV_ALLOWED_GROUPS"]
    policy = tmp_path / "policy.toml"
    policy.write_text(NOBODY, encoding="utf-8")
    async with bot(environ, tmp_path) as process:
        assert "“freeze”" in await says(slack)
        policy.write_text(EVERYBODY, encoding="utf-8")
        await soon(lambda: events(process, "policy in force"), 20)
        assert "“thaw”" in await says(slack)

        policy.write_text(EVERYBODY.replace("allow", "alow"), encoding="utf-8")
        process.process.send_signal(signal.SIGHUP)
        await soon(lambda: events(process, "policy refused"))
        [refused] = events(process, "policy refused")
        assert refused["level"] == "error"
        assert refused["reason"] == (
            "policy.toml: rule 1, effect: “alow” is not possible here. Write allow, approve or deny."
        )
        assert "“thaw”" in await says(slack)

        policy.write_text(NOBODY, encoding="utf-8")
        process.process.send_signal(signal.SIGHUP)
        await soon(lambda: len(events(process, "policy in force")) == 2)
        assert "“freeze”" in await says(slack)
        assert await process.stop(signal.SIGTERM) == 0


DISK = """
import io, os, pathlib, select

opened = io.open

def hang(path, *rest, **more):
    if os.fspath(path) == "policy.toml" and os.path.exists("hangs"):
        pathlib.Path("begun").touch()
        select.select([], [], [])
    return opened(path, *rest, **more)

io.open = hang
"""
"""Code that Python runs before the bot: the disk hangs forever once there is a file `hangs`."""


async def test_a_policy_file_on_a_hanging_disk_does_not_delay_the_exit(
    environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["SHARE_ENV_ALLOWED_GROUPS"]
    (tmp_path / "policy.toml").write_text(EVERYBODY, encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(DISK, encoding="utf-8")
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
    async with bot(environ, tmp_path) as process:
        (tmp_path / "hangs").touch()
        await soon((tmp_path / "begun").exists)
        try:
            assert await process.stop(signal.SIGTERM) == 0
        finally:
            if process.process.returncode is None:
                process.process.kill()
        assert not events(process, "unforeseen error")
