"""A changed policy and changed secrets for a running bot: taken up on SIGHUP, the policy also by itself, or refused."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, address_at, soon
from tests.end_to_end.conftest import Process, bot
from tests.observe.counted import Counts
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


async def test_one_reload_takes_up_secrets_from_files_and_dotenv_with_the_policy_and_logs_none(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    del environ["SHARE_ENV_ALLOWED_GROUPS"], environ["SLACK_BOT_TOKEN"]
    port, before, token = free_port(), slack.world, tmp_path / "token"
    new = replace(before, bot_token="xoxb-made-up-rotated", signing_secret="1" * 32)
    slack.request_url = address_at(port)
    environ |= {"SLACK_APP_TOKEN": "", "PORT": str(port), "LOG_LEVEL": "DEBUG"}
    environ["SLACK_BOT_TOKEN_FILE"] = str(token)

    def put(bot_token: str, signing_secret: str, policy: str) -> None:
        token.write_text(f"{bot_token}\n", encoding="utf-8")
        (tmp_path / ".env").write_text(f"SLACK_SIGNING_SECRET={signing_secret}\n", encoding="utf-8")
        (tmp_path / "policy.toml").write_text(policy, encoding="utf-8")

    put(before.bot_token, before.signing_secret, NOBODY)
    async with bot(environ, tmp_path) as process:
        assert "“freeze”" in await says(slack)
        slack.world = new
        put(new.bot_token, new.signing_secret, EVERYBODY)
        process.process.send_signal(signal.SIGHUP)
        await soon(lambda: events(process, "policy in force"))
        await soon(lambda: events(process, "secrets taken up"))
        [taken] = events(process, "secrets taken up")
        assert taken["settings"] == "SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET"
        assert "“thaw”" in await says(slack)

        put("xoxb-made-up-wrong", before.signing_secret, EVERYBODY)
        before_it = len(events(process, "policy in force"))
        process.process.send_signal(signal.SIGHUP)
        await soon(lambda: len(events(process, "policy in force")) > before_it)
        await soon(lambda: events(process, "secrets refused"))
        [refused] = events(process, "secrets refused")
        assert (refused["level"], refused["settings"]) == ("error", taken["settings"])
        assert "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)." in str(refused["reason"])
        assert "“thaw”" in await says(slack)
        async with http.get(f"http://127.0.0.1:{port}/metrics") as page:
            counts = Counts(await page.text())
        results = ("taken", "refused")
        series = [f'share_env_secret_reloads_total{{result="{each}"}}' for each in results]
        assert [counts[each] for each in series] == [1, 1]
        assert await process.stop(signal.SIGTERM) == 0
    log = "".join(process.log)
    for world in (before, new):
        assert world.bot_token not in log
        assert world.signing_secret not in log


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
