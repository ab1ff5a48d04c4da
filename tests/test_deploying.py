"""The systemd unit and the Containerfile, checked with the tools of the machines that they are for."""

import asyncio
import itertools
import json
import os
import pty
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from configparser import RawConfigParser
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from bot.playground.loopback import free_port
from tests.conftest import serving, settings_of
from tests.containerfile import ROOT, containerfile, only, steps
from tests.databases import PostgreSQL
from tests.pgbouncer import timeouts

PROGRAM = "/opt/share-env-bot/.venv/bin/share-env-bot"
AFTER_GRACE = 4
"""Seconds from the end of the grace to the end of the process, according to bot/ops/README.md."""
MOST_EXPOSED = "15"
"""Tenths on systemd's exposure scale, from 0 to 100; 92 without hardening. Most of it is that the bot uses the network."""
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(
    not ANALYZE, reason="there is no systemd-analyze on this machine"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit as a file, with an existing program in place of the bot's."""
    path = tmp_path / "share-env-bot.service"
    path.write_text(unit_text().replace(PROGRAM, sys.executable), encoding="utf-8")
    return path


def unit_text() -> str:
    return (ROOT / "bot/ops/share-env-bot.service").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="there is no sqlite3 on this machine")
@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("README.md", "/var/lib/share-env-bot/share-env.db"),
        ("bot/ops/README.zh-CN.md", "/var/lib/share-env-bot/share-env.db"),
        ("bot/ops/README.md", "share-env.db"),
    ],
)
def test_the_readmes_backup_copies_the_ledger_and_fails_if_there_is_none_there(
    page: str, path: str, empty_ledger: Path, tmp_path: Path
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (command,) = re.findall(r"`(\(umask [^`]*sqlite3.*?\))`", text)

    def back_up(ledger: Path) -> int:
        typed = command.replace(path, str(ledger))
        return subprocess.run(["/bin/sh", "-c", typed], cwd=tmp_path, check=False).returncode

    assert back_up(tmp_path / "nowhere.db") != 0
    assert back_up(empty_ledger) == 0
    copy = tmp_path / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (0,)


def test_the_readmes_commands_copy_a_postgresql_into_an_empty_database(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    text = (ROOT / "bot/ops/README.md").read_text(encoding="utf-8")
    (back_up,) = re.findall(r"`(\(umask [^`]*pg_dump.*?\))`", text)
    (restore,) = re.findall(r"`(pg_restore [^`]*)`", text)
    ledger, empty = postgresql.ready(), postgresql.new()
    postgresql.execute(ledger, "INSERT INTO replicas (id, lease_until) VALUES ('one', 1)")
    environ = {"PATH": f"{postgresql.programs}:{os.environ['PATH']}"}
    for command, name, url in ((back_up, "database", ledger), (restore, "empty", empty)):
        address = shlex.quote(url.replace("+psycopg", ""))
        typed = command.replace(f"postgresql://user@host/{name}", address)
        subprocess.run(["/bin/sh", "-c", typed], cwd=tmp_path, check=True, env=environ)
    assert (tmp_path / "copy.dump").stat().st_mode & 0o777 == 0o600
    assert postgresql.execute(empty, "SELECT id FROM replicas") == [("one",)]
    for url in (ledger, empty):
        postgresql.give_back(url)


def service() -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as documented
    parser.read_string(unit_text())
    return parser


def analyze(*arguments: str | Path) -> tuple[int, str]:
    """Run systemd-analyze; return the exit code and its output about this unit, without the machine's other units."""
    done = subprocess.run(
        [str(ANALYZE), *map(str, arguments), "--no-pager"],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = done.stdout.splitlines()
    return done.returncode, "\n".join(line for line in lines if "share-env-bot" in line)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == (0, "")


@needs_systemd
def test_systemd_calls_the_unit_well_protected(unit: Path) -> None:
    code, said = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert code == 0, said


def test_the_unit_starts_the_bot_and_waits_until_it_has_ended(environ: dict[str, str]) -> None:
    unit = service()["Service"]
    settings = settings_of(environ)
    assert unit["ExecStart"] == f"{PROGRAM} run"
    assert int(unit["TimeoutStopSec"]) > settings.shutdown_grace + AFTER_GRACE
    assert unit["RestartPreventExitStatus"] == "2"
    assert unit["RestartForceExitStatus"] == "SIGHUP"
    assert unit["WorkingDirectory"] == f"/var/lib/{unit['StateDirectory']}"


def test_a_command_next_to_the_unit_runs_as_the_same_user_with_the_same_settings_and_ledger() -> (
    None
):
    script = (ROOT / "bot/ops/as-the-bot.sh").read_text(encoding="utf-8")
    (settings,) = re.findall(r"^settings=(.*)$", script, re.MULTILINE)
    script = script.replace("$settings", settings).replace("\\\n", "")
    (command,) = re.findall(r"^(systemd-run .*)$", script, re.MULTILINE)
    assert command.endswith(f' {PROGRAM} "$@"')
    words = shlex.split(command)
    given = [word for before, word in itertools.pairwise(words) if before == "-p"]
    (of_service,) = re.findall(r"^\[Service\]$(.*?)^\[", unit_text(), re.MULTILINE | re.DOTALL)
    lines = [line for line in of_service.split("\n") if line and not line.startswith("#")]
    # ProtectHome, for one: else the doctor could read a policy that the bot cannot.
    about_its_life = "Exec", "Restart", "TimeoutStopSec"
    assert sorted(given) == sorted(line for line in lines if not line.startswith(about_its_life))
    filters = [line for line in lines if line.startswith("SystemCallFilter")]
    assert [each for each in given if each in filters] == filters  # the first says what is allowed


@dataclass(frozen=True)
class Wrapper:
    """The wrapper in a folder with what it calls, each of which says how it was called."""

    folder: Path

    def says(self, name: str, script: str) -> None:
        """Put a command into the folder."""
        (self.folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def typed(self, *words: str, stdin: int = subprocess.DEVNULL) -> tuple[int, str]:
        """Return the exit code and all that is said."""
        done = subprocess.run(
            [self.folder / "share-env-bot", *words],
            check=False,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": str(self.folder)},
        )
        return done.returncode, done.stdout


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    """Return the wrapper as root types it, with settings."""
    script = (ROOT / "bot/ops/as-the-bot.sh").read_text(encoding="utf-8")
    settings = tmp_path / "share-env-bot.env"
    settings.touch()
    wrapper = Wrapper(tmp_path)
    wrapper.says("share-env-bot", script.replace("/etc/share-env-bot.env", str(settings)))
    wrapper.says("id", "echo 0")
    wrapper.says("stat", "echo -rw-------")
    wrapper.says("systemd-run", 'echo systemd-run "$@"')
    return wrapper


def test_the_command_that_the_readme_installs_runs_as_the_right_user(wrapper: Wrapper) -> None:
    code, said = wrapper.typed("request", "7kq2mhx4")
    assert (code, said.startswith("systemd-run --pipe")) == (0, True)
    assert said.endswith(f" {PROGRAM} request 7kq2mhx4\n")
    assert wrapper.typed("run")[0] == wrapper.typed()[0] == 2
    wrapper.says("id", "echo 1000")
    code, said = wrapper.typed("audit")
    assert (code, "no sudo" in said) == (2, True)
    wrapper.says("sudo", 'echo sudo "$@"')
    asked = f"sudo -- {wrapper.folder}/share-env-bot audit --user U 1\n"
    assert wrapper.typed("audit", "--user", "U 1") == (0, asked)


@pytest.mark.parametrize(
    "word",
    [
        *("$SLACK_BOT_TOKEN", "${SLACK_BOT_TOKEN}", "a$HOME", "$", "$$", "a $b$", "%n", "a\\$b"),
        *("7kq2mhx4", "", "two words", "'\"`*", "a\n$b\n", "--env=$X"),
    ],
)
def test_a_word_reaches_the_bot_as_it_was_typed(wrapper: Wrapper, word: str) -> None:
    wrapper.says("systemd-run", 'for word; do printf "%s\\0" "$word"; done')
    _, said = wrapper.typed("policy", "--user", word, "x")
    *_, program, first, second, given, last = said.removesuffix("\0").split("\0")
    assert (program, first, second, last) == (PROGRAM, "policy", "--user", "x")
    assert given == word.replace("$", "$$")  # as systemd.service asks for a literal dollar sign


def test_the_command_warns_of_settings_that_others_may_read(wrapper: Wrapper) -> None:
    wrapper.says("stat", "echo -rw-r-----")
    code, said = wrapper.typed("doctor")
    settings = wrapper.folder / "share-env-bot.env"
    warning, ran, _ = said.split("\n")
    assert (code, warning) == (0, f"Others may read {settings}. Run chmod 600 {settings}.")
    assert ran.startswith("systemd-run ")


@pytest.mark.skipif(sys.platform != "linux", reason="as systemd, GNU's stat is there")
def test_the_command_does_not_warn_of_a_link_to_settings_that_others_cannot_read(
    wrapper: Wrapper,
) -> None:
    wrapper.says("stat", f'exec {shutil.which("stat")} "$@"')
    settings, elsewhere = wrapper.folder / "share-env-bot.env", wrapper.folder / "elsewhere.env"
    settings.unlink()
    settings.symlink_to(elsewhere)
    elsewhere.touch(mode=0o600)
    assert wrapper.typed("doctor")[1].startswith("systemd-run ")
    elsewhere.chmod(0o640)
    assert wrapper.typed("doctor")[1].startswith("Others may read ")


def test_what_is_written_to_a_file_or_another_program_gets_no_terminals_line_ends(
    wrapper: Wrapper,
) -> None:
    ours, its = pty.openpty()
    try:
        assert wrapper.typed("audit", stdin=its)[1].startswith("systemd-run --pipe ")
    finally:
        os.close(ours)
        os.close(its)


def test_the_command_says_what_keeps_systemd_from_running_it(wrapper: Wrapper) -> None:
    wrapper.says("systemd-run", "exit 1")
    assert wrapper.typed("doctor") == (1, "")  # the doctor has said it
    wrapper.says("systemd-run", "exit 203")
    code, said = wrapper.typed("doctor")
    assert (code, "journalctl" in said) == (203, True)
    (wrapper.folder / "share-env-bot.env").unlink()
    code, said = wrapper.typed("doctor")
    assert (code, said.startswith("There is no ")) == (2, True)


@pytest.fixture
def hadolint() -> str:
    """Return the linter from the lock."""
    return str(Path(sysconfig.get_path("scripts")) / "hadolint")


def test_the_linter_finds_nothing_wrong_with_the_containerfile(hadolint: str) -> None:
    assert "hadolint" not in containerfile()  # nothing is ignored
    done = subprocess.run(
        [hadolint, "--no-color", "-"],
        input=containerfile(),
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_containerfile_copies_existing_files() -> None:
    copies = [rest.split() for name, rest in steps() if name == "COPY"]
    ours = [name for *names, _ in copies if not names[0].startswith("--from=") for name in names]
    assert sorted(ours) == [".requirements.run.lock", "README.md", "bot", "pyproject.toml"]
    assert all((ROOT / source).exists() for source in ours)


def test_each_stage_uses_the_same_slim_python_by_tag_on_which_the_gate_tries_the_image() -> None:
    first, last = (rest for name, rest in steps() if name == "FROM")
    image = r"docker\.io/library/python:(3\.\d+)-slim-\w+"
    (version,) = re.findall(f"^{image}$", last)
    assert first == f"{last} AS packages"
    gate = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert f"$(found {version} " in gate


def test_the_build_argument_is_the_commits_and_has_the_name_that_the_build_reads() -> None:
    hook = (ROOT / "bot/ops/build_hook.py").read_text(encoding="utf-8")
    assert f'os.environ.get("{only("ARG")}"' in hook
    page = (ROOT / "bot/ops/README.md").read_text(encoding="utf-8")
    assert f"--build-arg {only('ARG')}=" in page


def test_the_container_runs_the_bot_without_root_and_stops_it_with_sigterm() -> None:
    names = [name for name, _ in steps()]
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", only("USER"))
    assert only("STOPSIGNAL") == "SIGTERM"
    assert Path(json.loads(only("ENTRYPOINT"))[0]).name == "share-env-bot"
    assert json.loads(only("CMD")) == ["run"]
    assert only("VOLUME") == only("WORKDIR")
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1)])
async def test_the_container_is_healthy_if_the_bot_reports_it(status: int, code: int) -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path}")
        return web.Response(status=status)

    async with serving(answer) as origin:
        assert await health(int(origin.rpartition(":")[2])) == code
    assert asked == ["GET /healthz"]


async def test_the_container_is_unhealthy_if_the_bot_does_not_answer() -> None:
    assert await health(free_port()) == 1


async def health(port: int) -> int:
    """Run the container's health check against a port, with an unusable proxy in the environment; return the exit code."""
    program, *arguments = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    assert program == "python"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        env={"PORT": str(port), "HTTP_PROXY": "http://127.0.0.1:9"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(process.wait(), 60)


@pytest.mark.usefixtures("impatient")
def test_the_capacity_page_sets_every_timeout_that_pgbouncer_does_not_pass_on() -> None:
    page = (ROOT / "bot/ops/capacity.md").read_text(encoding="utf-8")
    assert len(timeouts()) == 3
    for name, value in timeouts().items():
        assert f"ALTER DATABASE share_env SET {name} = {value};" in page
