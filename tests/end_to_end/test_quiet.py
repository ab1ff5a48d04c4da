"""The bot and its dependencies connect only to servers that the settings name."""

import asyncio
import re
import signal
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.utils import canonicalize_name

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.databases import Database
from tests.end_to_end.conftest import bot, finished
from tests.processes import ROOT
from tests.watching import Seen, watched

pytestmark = pytest.mark.slow  # each of these starts a fresh Python

HERE = "127.0.0.1"
NO_QBASE = 85088


@pytest.fixture
def environ(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a bot whose connections are recorded."""
    folder = tmp_path / "watched"
    folder.mkdir()
    return environ | watched(folder)


def named(environ: dict[str, str]) -> set[tuple[str, int]]:
    """Return the addresses in the settings, without the database's, which a C library connects to."""
    urls = [urlsplit(value) for value in environ.values() if value.startswith("http://")]
    return {(url.hostname or "", url.port or 0) for url in urls}


async def test_a_running_bot_connects_only_to_servers_in_its_settings(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    wechat.fail("shareenv", Code(NO_QBASE))
    async with bot(environ, tmp_path) as process:
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
        await slack.until(lambda slack: "Try again" in str(slack.messages[-1].blocks))
        await slack.click(REQUESTER, slack.messages[-1].ts, "retry")
        await slack.until(lambda _: len(wechat.shared) == 1)
        await slack.command(REQUESTER, RELEASES, "")
        assert await process.stop(signal.SIGTERM) == 0
    seen = Seen(environ)
    assert len(seen.peers) == 2  # the local WeChat is also the token server
    assert seen.peers == named(environ)
    assert seen.names <= {HERE}
    assert seen.programs == []


async def test_a_bot_over_http_with_a_chain_and_postgresql_connects_only_to_servers_in_its_settings(
    slack: LocalSlack,
    wechat: LocalWeChat,
    on_postgresql: Database,
    tmp_path: Path,
    unused_tcp_port: int,
) -> None:
    environ = {
        **slack_environment(slack),
        **chain_environment(wechat, unused_tcp_port),
        **watched(tmp_path),
        **over_http(unused_tcp_port),
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "DATABASE_URL": on_postgresql.url,
    }
    slack.request_url = address_at(unused_tcp_port)
    async with bot(environ, tmp_path) as process:
        await wechat.until(lambda wechat: any(c.gave_token for c in wechat.platform.calls))
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
        await slack.until(lambda _: len(wechat.shared) == 1)
        assert await process.stop(signal.SIGTERM) == 0
    seen = Seen(environ)
    assert len(seen.peers) == 2
    assert seen.peers == named(environ)
    assert (seen.names - {HERE}, seen.programs) == (set(), [])


async def test_the_doctor_connects_only_to_servers_in_the_settings(
    environ: dict[str, str], tmp_path: Path
) -> None:
    assert (await finished(environ, tmp_path, "doctor"))[0] == 0
    seen = Seen(environ)
    assert seen.peers == named(environ)
    assert (seen.names - {HERE}, seen.programs) == (set(), [])


async def test_an_audit_makes_no_connection(environ: dict[str, str], tmp_path: Path) -> None:
    await finished(environ, tmp_path, "audit")
    seen = Seen(environ)
    assert (seen.peers, seen.names, seen.programs) == (set(), set(), [])


async def test_the_demo_stays_on_this_machine(environ: dict[str, str], tmp_path: Path) -> None:
    alone = {name: environ[name] for name in ("PYTHONPATH", "WATCHING_REPORT")}
    assert (await finished(alone, tmp_path, "demo", "--script"))[0] == 0
    seen = Seen(alone)
    assert {host for host, _ in seen.peers} == {HERE}
    assert (seen.names - {HERE}, seen.programs) == (set(), [])


async def test_importing_the_dependencies_makes_no_connection(environ: dict[str, str]) -> None:
    lock = (ROOT / ".requirements.run.lock").read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)(?:\[.+\])?==", lock, re.MULTILINE)
    wanted = {*map(canonicalize_name, names)}
    modules = sorted(
        module
        for module, names in metadata.packages_distributions().items()
        if not module.startswith("_") and wanted.intersection(map(canonicalize_name, names))
    )
    assert {"aiohttp", "slack_bolt", "sqlalchemy", "psycopg"} <= set(modules)
    look = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", look, *modules, env=environ
    )
    assert await process.wait() == 0
    seen = Seen(environ)
    assert (seen.peers, seen.names, seen.programs) == (set(), set(), [])


async def test_outgoing_connections_are_recorded(environ: dict[str, str], tmp_path: Path) -> None:
    chatty = (
        "import socket, subprocess\n"
        "socket.socket().connect_ex(('127.0.0.1', 9))\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9))\n"
        "socket.getaddrinfo('localhost', 80)\n"
        "subprocess.run(['true'], check=True)\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", chatty, env=environ, cwd=tmp_path
    )
    assert await process.wait() == 0
    seen = Seen(environ)
    assert (seen.peers, seen.names) == ({(HERE, 9)}, {"localhost"})
    assert [program for program, *_ in seen.programs][:1] == ["true"]
