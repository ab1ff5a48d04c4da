"""The log of a bot at DEBUG: every line is JSON, none contains a secret, and a request's id finds all of its lines."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from bot import __version__
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code, Drop, Status
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import APPID, OWNER
from tests.conftest import RELEASES, REQUESTER, over_http, soon
from tests.databases import Database
from tests.end_to_end.conftest import Process, bot, finished
from tests.faults.bots import FINAL, request_in, request_of
from tests.token_server import TokenWeChat, environment

pytestmark = pytest.mark.slow

MADE_UP = "made-up"
"""A marker in every secret of the playground and of these tests."""

SOURCES = ("token server", "platform")


@pytest.fixture(params=SOURCES)
def environ(
    request: pytest.FixtureRequest,
    slack: LocalSlack,
    wechat: TokenWeChat,
    unused_tcp_port: int,
) -> dict[str, str]:
    """The environment of a bot that logs everything."""
    if request.param == "platform":
        told = slack_environment(slack) | chain_environment(wechat, unused_tcp_port)
    else:
        told = environment(slack, wechat)
    return {
        **told,
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
    }


def lines_of(process: Process) -> list[dict[str, Any]]:
    """Return a log's lines, each of which must be JSON."""
    return [json.loads(line) for line in process.log]


def about(process: Process, request_id: str) -> list[str]:
    """Return the events found by a request's id."""
    own = [line for line in lines_of(process) if line["logger"] == "bot.events"]
    return [line["event"] for line in own if by(line, request_id)]


def by(line: dict[str, Any], request_id: str) -> bool:
    """Return whether a line belongs to a request."""
    return bool(line.get("request") == request_id)


async def final(slack: LocalSlack, request_id: str) -> PostedMessage:
    """Return a request's parent once it has ended."""

    def found() -> list[PostedMessage]:
        parents = slack.parents(RELEASES)
        return [m for m in parents if m.text.startswith(FINAL) and request_in(m) == request_id]

    await slack.until(lambda _: bool(found()), 30)
    return found()[0]


async def test_debug_logs_name_each_request_and_contain_no_secret(
    slack: LocalSlack, wechat: TokenWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    async with bot(environ, tmp_path) as process:
        if "WECHAT_COMPONENT_APPID" in environ:
            await wechat.until(lambda wechat: any(c.gave_token for c in wechat.platform.calls))
        wechat.fail("shareenv", Code(85088))
        slack.fail("chat.update", Status(503))
        failed = request_of(await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1"))
        assert failed
        parent = await final(slack, failed)
        [answer] = slack.thread(RELEASES, parent.ts)
        await soon(lambda: "delivered" in about(process, failed))
        await slack.click(REQUESTER, answer, "retry")
        await wechat.until(lambda wechat: len(wechat.shared) == 1, 30)
        await slack.command("U0STRANGER", RELEASES, f"{APPID} prod-2")
        wechat.fail("shareenv", Drop(silence=60))
        hanging = request_of(await slack.command(REQUESTER, RELEASES, f"{APPID} prod-3"))
        assert hanging
        await wechat.until(lambda wechat: wechat.calls[-1].env == "prod-3")
        await soon(lambda: "placed" in about(process, hanging))  # a kill loses the newest lines
        await process.stop(signal.SIGKILL)
    async with bot(environ, tmp_path) as successor:
        await final(slack, hanging)
        await successor.stop(signal.SIGTERM)
    log = "".join([*process.log, *successor.log])
    assert re.findall(rf".{{60}}{MADE_UP}.{{20}}|.{{60}}/commands/.{{20}}", log) == []
    assert about(process, failed)[:5] == ["accepted", "placed", "call", "answered", "delivered"]
    assert about(successor, hanging)[0] == "taken over"
    assert about(successor, hanging)[-2:] == ["answered", "delivered"]
    lines = lines_of(process)
    ends = [line for line in lines if line.get("errcode") == 85088]
    assert [line["event"] for line in ends] == ["call", "answered"]
    for line in ends:
        assert line["request"] == failed
        assert line["rid"] in answer.text
    by_loggers = {line["logger"] for line in lines if line.get("request") == failed}
    assert {"bot.events", "bot.wechat.transport", "bot.slack.api"} <= by_loggers
    [denied] = [line for line in lines if line["event"] == "denied"]
    assert (denied["user"], denied["env"], denied["outcome"]) == ("U0STRANGER", "prod-2", "denied")
    [retried] = [line for line in lines if line["event"] == "retried"]
    assert (retried["request"], retried["user"]) == (failed, REQUESTER)
    assert about(process, retried["detail"])[:2] == ["accepted", "placed"]


@pytest.mark.parametrize("how", ["socket mode", "http"])
@pytest.mark.parametrize("environ", ["token server"], indirect=True)
async def test_start_and_stop_are_logged(
    environ: dict[str, str],
    tmp_path: Path,
    unused_tcp_port: int,
    how: str,
) -> None:
    if how == "http":
        environ |= over_http(unused_tcp_port)
    async with bot(environ | {"LOG_LEVEL": "INFO"}, tmp_path) as process:
        await process.stop(signal.SIGTERM)
    started, *_, stopping, stopped = [
        line for line in lines_of(process) if line["logger"] == "bot.app.process"
    ]
    facts = {name: started.get(name) for name in ("event", "level", "version", "how", "database")}
    assert facts == {
        "event": "started",
        "level": "info",
        "version": __version__,
        "how": how,
        "database": "sqlite",
    }
    assert [stopping["event"], stopped["event"]] == ["stopping", "stopped"]


@pytest.mark.parametrize("environ", ["token server"], indirect=True)
async def test_debug_logs_contain_no_database_password(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path, on_postgresql: Database
) -> None:
    assert "?" in on_postgresql.url
    passwords = f"&password={MADE_UP}%2Fword&sslpassword={MADE_UP}-of-tls"
    async with bot(environ | {"DATABASE_URL": on_postgresql.url + passwords}, tmp_path) as process:
        asked = request_of(await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1"))
        assert asked
        await final(slack, asked)
        many = request_of(
            await slack.command(REQUESTER, RELEASES, f"{APPID} wx00000000000000bb prod-9")
        )
        assert many
        await final(slack, many)
        on_postgresql.execute("ALTER TABLE events RENAME TO elsewhere")
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-2")
        await process.stop(signal.SIGTERM)
    assert MADE_UP not in "".join(process.log)
    for item in (f"{many}-1", f"{many}-2"):
        assert about(process, item) == ["call", "answered"]
        assert "bot.wechat.transport" in {
            line["logger"] for line in lines_of(process) if by(line, item)
        }
    [line] = [line for line in lines_of(process) if line["event"] == "not recorded"]
    assert (line["what"], line["env"]) == ("accepted", "prod-2")
    assert "events" in line["reason"]
    assert line["request"]


@pytest.mark.parametrize(
    "database",
    [
        f"postgresql://bot:{MADE_UP}@127.0.0.1:1/ledger",
        f"postgresql://bot@127.0.0.1:1/ledger?password={MADE_UP}",
        f"postgresql://bot:{MADE_UP}/{MADE_UP}@127.0.0.1:1/ledger",
        f"postgresql://bot:{MADE_UP}@[::1/ledger",
        f"postgresql://bot@127.0.0.1/ledger?options={MADE_UP}-word&password={MADE_UP}-word&port=x",
        f"sqlite:////nowhere/{MADE_UP}-word/ledger?password={MADE_UP}-word",
    ],
)
async def test_a_database_that_cannot_be_opened_shows_no_password(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path, database: str
) -> None:
    told = environment(slack, wechat) | {
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "DATABASE_URL": database,
        "LOG_LEVEL": "DEBUG",
    }
    code, out, err = await finished(told, tmp_path)
    assert code in {1, 2}
    assert out == ""
    assert MADE_UP not in err
    assert "DATABASE_URL" in err.splitlines()[-1]
