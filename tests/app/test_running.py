import asyncio
import gc
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from bot import __version__
from bot.app.resources import CannotStartError
from bot.app.running import running
from bot.domain.outcome import Shared
from bot.messages.conversation import answer
from bot.messages.notices import stopping
from bot.observe.logs.redaction import Redactor
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code, Drop, Slow
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime, new_id
from bot.slack.events import PATH
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    Start,
    address_at,
    calls_of,
    damage,
    ended,
    locked,
    over_http,
    replies,
    request_of,
    rows,
    settings_of,
    soon,
    states,
)
from tests.languages import ENGLISH
from tests.production_log import logging_as_in_production
from tests.rig import ALLOW, DENY, Rig
from tests.said import USABLE
from tests.token_server import TokenWeChat


def tasks_of_the_bot() -> set[str]:
    """Return the coroutines of all tasks except those of the stand-ins."""
    coroutines = {str(task.get_coro()) for task in asyncio.all_tasks()}
    return {each for each in coroutines if not re.search(r"RequestHandler|Event\.wait", each)}


@asynccontextmanager
async def assert_nothing_left(slack: LocalSlack) -> AsyncIterator[None]:
    """Check that no task and no connection of the block is left after it."""
    before = tasks_of_the_bot()
    yield
    slack.clear()  # what it holds back are tasks of its own
    await slack.until(lambda slack: slack.sockets.connections == 0)
    await soon(lambda: tasks_of_the_bot() == before)  # a cancelled task takes some turns to end
    gc.collect()  # an unclosed session or socket warns now, and a warning is an error


@asynccontextmanager
async def prompt_stop(bot: AbstractAsyncContextManager[str]) -> AsyncIterator[None]:
    """Run a bot; check that it stops within twenty seconds."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bot)
        yield
        async with asyncio.timeout(20):
            await stack.aclose()


def shared(slack: LocalSlack, *, called_again: bool = False) -> list[str]:
    """Return the replies of which there is only one: that the env is shared, after a second call perhaps."""
    told = answer(ENGLISH, request_of(slack), Shared(), after=USABLE, called_again=called_again)
    return [told.text]


async def problems_of(
    slack: LocalSlack, bot: AbstractAsyncContextManager[str], *, wrong_setup: bool
) -> str:
    """Return why a bot does not start, once nothing of it is left."""
    async with assert_nothing_left(slack):
        with pytest.raises(CannotStartError) as caught:
            async with bot:
                pass
    assert caught.value.wrong_setup is wrong_setup
    (problem,) = caught.value.problems
    return problem


# Starting.


async def test_the_ready_line_says_who_the_bot_is_and_how_it_listens(bot: str) -> None:
    assert bot == (
        f"share-env-bot {__version__} is ready: playground as share-env, over Socket Mode."
    )


async def test_all_scopes_that_slack_has_not_granted_are_logged_at_the_start_with_one_fix(
    slack: LocalSlack, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    lacking = {"commands", "users:read", "channels:read", "im:history", "im:write"}
    slack.scopes -= lacking
    async with start():
        (told,) = [vars(line) for line in caplog.records if "scope" in line.msg]
    assert {scope for scope in lacking if scope in told["reason"]} == lacking
    assert "users:read (every command is denied" in told["reason"]
    assert told["reason"].endswith("; nor im:history, im:write")
    assert "Reinstall to Workspace" in told["fix"]


async def test_a_policy_that_only_denies_is_logged_when_it_comes_into_force(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        return [str(vars(line)["fix"]) for line in caplog.records if "only denies" in line.msg]

    async with rig.bot(ALLOW):
        assert told() == []
        rig.write(DENY + ALLOW)
        rig.reload.set()
        await soon(told)
    assert told() == ["Add a [[rule]] with another effect, or move one up."]


async def test_the_bot_works_with_its_own_clock_sleep_and_ids(
    slack: LocalSlack, environ: dict[str, str]
) -> None:
    async with running(settings_of(environ)):
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)


async def test_the_time_and_the_name_of_a_bot_are_those_of_its_runtime(
    slack: LocalSlack, environ: dict[str, str], database: Path, runtime: Runtime
) -> None:
    def in_an_hour() -> float:
        return time() + 3600

    here = replace(runtime, now=in_an_hour, token_hex=lambda count: "ab" * count)
    port = free_port()
    slack.request_url, slack.clock = address_at(port), in_an_hour  # it signs with that time
    by_http = settings_of({**environ, **over_http(port)})
    async with running(by_http, here):
        ack = await slack.command(REQUESTER, RELEASES, ASK)
        assert ack.error is None
        await slack.until(ended)
        assert rows(database, "SELECT id FROM replicas") == [("ab" * 8,)]
    ((created,),) = rows(database, "SELECT created FROM requests")
    assert abs(created - in_an_hour()) < 600


def test_ids_are_short_and_differ() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {8}


async def test_a_fixed_token_is_enough_to_share(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, environ: dict[str, str]
) -> None:
    del environ["WECHAT_TOKEN_SERVER_URL"], environ["WECHAT_TOKEN_SERVER_AUTHORIZATION"]
    environ["WECHAT_AUTHORIZER_ACCESS_TOKEN"] = wechat.issue(OWNER)
    async with start():
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)
    assert wechat.token_calls == []
    assert len(wechat.shared) == 1


async def test_the_groups_are_read_before_the_first_command(
    slack: LocalSlack, start: Start
) -> None:
    async with start():
        await slack.until(lambda slack: calls_of(slack, "usergroups.list") == 1)


async def test_no_library_repeats_a_post_that_may_have_arrived(
    slack: LocalSlack, start: Start
) -> None:
    slack.fail("chat.postMessage", Drop(after_effect=True))
    async with start():
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)
    assert replies(slack) == shared(slack)


@pytest.mark.parametrize(
    ("spoil", "problem", "wrong_setup"),
    [
        pytest.param({"SLACK_BOT_TOKEN": "xoxb-bad"}, "SLACK_BOT_TOKEN", True, id="bad bot token"),
        pytest.param({"SLACK_APP_TOKEN": "xapp-bad"}, "SLACK_APP_TOKEN", True, id="bad app token"),
        pytest.param({"SLACK_API_URL": "http://127.0.0.1:1"}, "reached", False, id="no Slack"),
        pytest.param({"DATABASE_URL": "mysql://x"}, "DATABASE_URL", True, id="another ledger"),
        pytest.param(
            {"DATABASE_URL": "sqlite:////no/x.db"}, "DATABASE_URL", True, id="a ledger in no folder"
        ),
    ],
)
async def test_a_bot_that_cannot_start_says_why_and_leaves_no_task_or_connection(
    slack: LocalSlack, start: Start, spoil: dict[str, str], problem: str, wrong_setup: bool
) -> None:
    assert problem in await problems_of(slack, start(**spoil), wrong_setup=wrong_setup)


async def test_a_ledger_that_was_not_there_is_logged_with_its_place(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        async with start(DATABASE_URL=f"sqlite:///{tmp_path}/new.db"):
            pass
    [made] = [vars(line) for line in caplog.records if line.msg == "an empty ledger was made"]
    assert made["database"] == f"{tmp_path}/new.db"


async def test_a_ledger_in_memory_is_no_ledger_that_somebody_may_miss(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with start(DATABASE_URL="sqlite://"):
        pass
    told = [line.msg for line in caplog.records if "ledger" in line.msg]
    assert told == ["the ledger is in memory, and lost at a stop"]


async def test_a_ledger_that_cannot_be_written_ends_the_start(
    slack: LocalSlack, start: Start, database: Path
) -> None:
    async with start():
        pass
    deny = "CREATE TRIGGER no BEFORE INSERT ON replicas BEGIN SELECT raise(ABORT, 'made up'); END"
    rows(database, deny)
    assert "takes nothing (made up)" in await problems_of(slack, start(), wrong_setup=False)


async def test_a_damaged_ledger_ends_the_start_until_somebody_brings_back_a_backup(
    slack: LocalSlack, start: Start, database: Path
) -> None:
    async with start():
        pass
    damage(database)
    assert "put a backup of the ledger at" in await problems_of(slack, start(), wrong_setup=True)


async def test_a_second_bot_on_the_same_file_does_not_start(start: Start) -> None:
    async with start():
        with pytest.raises(CannotStartError, match="Another share-env-bot already uses") as caught:
            async with start():
                pass
    assert not caught.value.wrong_setup


async def test_a_port_in_use_is_named_with_the_fix(slack: LocalSlack, start: Start) -> None:
    slack.fail("usergroups.list", Slow(30))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bot = start(**over_http(taken.getsockname()[1]))
        problem = await problems_of(slack, bot, wrong_setup=False)
    assert re.search(r"PORT .* Choose others", problem)


# Stopping.


@pytest.mark.parametrize("text", ["help", ASK])
async def test_no_task_and_no_connection_outlives_the_bot(
    slack: LocalSlack, start: Start, text: str
) -> None:
    async with assert_nothing_left(slack), start():
        await slack.command(REQUESTER, RELEASES, text)


async def test_a_command_that_waits_for_slack_is_cancelled_when_the_bot_stops(
    slack: LocalSlack, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("users.info", Slow(30))
    async with assert_nothing_left(slack):
        async with start():
            typed = asyncio.create_task(slack.command(REQUESTER, RELEASES, ASK))
            await slack.until(lambda slack: slack.calls[-1].error == "Slow")
        typed.cancel()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_in_http_mode_no_task_and_no_connection_outlives_the_bot(
    slack: LocalSlack, start: Start
) -> None:
    port = free_port()
    slack.request_url = address_at(port)
    async with assert_nothing_left(slack), start(**over_http(port)):
        await slack.command(REQUESTER, RELEASES, ASK)
    assert replies(slack) == shared(slack)


async def test_a_call_in_progress_is_finished_before_the_bot_stops(
    slack: LocalSlack, wechat: TokenWeChat, start: Start
) -> None:
    wechat.fail("shareenv", Slow(0.3, after_effect=True))
    async with start():
        await slack.command(REQUESTER, RELEASES, ASK)
        await wechat.until(lambda wechat: bool(wechat.calls))
    assert replies(slack) == shared(slack)


async def test_a_call_that_exceeds_the_grace_is_cancelled_and_the_next_start_finishes_it(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, database: Path
) -> None:
    wechat.fail("shareenv", Slow(30, after_effect=True))
    async with assert_nothing_left(slack), prompt_stop(start(SHUTDOWN_GRACE="0.1")):
        await slack.command(REQUESTER, RELEASES, ASK)
        await wechat.until(lambda wechat: bool(wechat.calls))
    assert replies(slack) == []
    assert not ended(slack)
    assert rows(database, "SELECT state, holder, fence FROM requests") == [("placed", None, 1)]
    async with start():
        await soon(lambda: states(database) == ["ended"])
    assert replies(slack) == shared(slack, called_again=True)
    assert len(wechat.calls) == 2


async def test_a_silent_slack_does_not_delay_the_stop_and_the_next_start_answers(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, database: Path
) -> None:
    async with assert_nothing_left(slack), prompt_stop(start(SHUTDOWN_GRACE="0")):
        with wechat.thinking():
            await slack.command(REQUESTER, RELEASES, ASK)
            await slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
            slack.fail("chat.postMessage", Slow(30))
        await slack.until(lambda slack: slack.calls[-1].error == "Slow")
    assert states(database) == ["answered"]
    async with start():
        await soon(lambda: states(database) == ["ended"])
    assert replies(slack) == shared(slack)
    assert len(wechat.calls) == 1


async def test_a_ledger_that_is_down_does_not_delay_the_stop(
    slack: LocalSlack,
    wechat: TokenWeChat,
    start: Start,
    database: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wechat.fail("shareenv", Slow(after_effect=True))
    async with assert_nothing_left(slack), prompt_stop(start(SHUTDOWN_GRACE="0.2")):
        await slack.command(REQUESTER, RELEASES, ASK)
        await wechat.until(lambda wechat: bool(wechat.calls))
        rows(database, "ALTER TABLE requests RENAME TO elsewhere")
        wechat.clear("shareenv")
        await soon(lambda: "the ledger does not take a step" in caplog.messages)
    rows(database, "ALTER TABLE elsewhere RENAME TO requests")
    assert len(states(database)) == 1
    async with start():
        await soon(lambda: states(database) == ["ended"])
    assert len(replies(slack)) == 1


async def test_a_ledger_that_hangs_does_not_delay_the_stop(
    slack: LocalSlack, start: Start, database: Path
) -> None:
    async with assert_nothing_left(slack):
        async with prompt_stop(start(SHUTDOWN_GRACE="0.2")):
            lock = locked(database)
            lock.__enter__()
            typed = asyncio.create_task(slack.command(REQUESTER, RELEASES, ASK))
            await slack.until(lambda slack: slack.calls[-1].method == "users.info")
        lock.__exit__(None, None, None)
        typed.cancel()
        await asyncio.wait([typed])


@pytest.mark.parametrize("mode", ["socket", "http"])
async def test_commands_during_the_stop_are_answered_that_the_bot_is_stopping(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, mode: str
) -> None:
    port = free_port()
    settings = over_http(port) if mode == "http" else {}
    slack.request_url = address_at(port) if mode == "http" else None
    wechat.fail("shareenv", Slow(after_effect=True))
    stop = asyncio.Event()

    async def run() -> None:
        async with start(**settings):
            await slack.command(REQUESTER, RELEASES, ASK)
            await wechat.until(lambda wechat: bool(wechat.calls))
            stop.set()

    bot = asyncio.create_task(run())
    await stop.wait()
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert ack.payload is not None
    assert ack.payload["text"] == stopping(ENGLISH).text
    wechat.clear("shareenv")
    await bot
    assert replies(slack) == shared(slack)
    assert len(wechat.calls) == 1


async def test_an_unfinished_http_request_does_not_delay_the_stop(
    slack: LocalSlack, start: Start
) -> None:
    port = free_port()
    async with prompt_stop(start(**over_http(port))):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        sign = f"X-Slack-Request-Timestamp: 1\r\nX-Slack-Signature: v0={'0' * 64}\r\n\r\n"
        writer.write((head + sign).encode())
        await writer.drain()
        await slack.until(lambda slack: bool(slack.calls))
    writer.close()


# Secrets.


MALFORMED = {
    "request line": b"GET /wechat/events?access_token=s3cret-1 HTTP/1.1 s3cret-2\r\nHost: x\r\n\r\n",
    "method": b"s3cret-1 \x16\x03\x01 / HTTP/1.1\r\n\r\n",
    "header": b"POST /wechat/events HTTP/1.1\r\nHost: x\r\ns3cret-1 s3cret-2\r\n\r\n",
    "length": b"POST /wechat/events HTTP/1.1\r\nHost: x\r\nContent-Length: s3cret-1\r\n\r\n",
    "address": b"POST http://[s3cret-1 HTTP/1.1\r\nHost: [s3cret-2\r\n\r\n",
    "packed body": b"POST /wechat/events HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
    b"Connection: close\r\nContent-Length: 8\r\n\r\ns3cret-1",
    "chunk": b"POST /wechat/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"s3cret-1\r\n\r\n",
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
async def test_malformed_requests_fill_no_log_and_leave_no_content_in_it(
    slack: LocalSlack,
    wechat: TokenWeChat,
    environ: dict[str, str],
    runtime: Runtime,
    capsys: pytest.CaptureFixture[str],
    level: str,
    malformed: bytes,
) -> None:
    port = free_port()
    chain = slack_environment(slack) | chain_environment(wechat, port)
    chain |= {name: environ[name] for name in ("DATABASE_URL", "SHARE_ENV_ALLOWED_GROUPS")}
    with logging_as_in_production(level):
        async with running(settings_of(chain | {"WECHAT_AUTHORIZER_APPID": OWNER}), runtime):
            await wechat.until(lambda wechat: bool(wechat.platform.calls))
            capsys.readouterr()
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(malformed)
                answer = await reader.read()
                writer.close()
    assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer)
    log = capsys.readouterr().err
    assert not re.search("s3cret|Traceback|handling request", log)
    assert "wrongly packed" not in log  # it was not decompressed
    assert log.count("delivery refused") <= 1


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
async def test_no_log_line_shows_a_secret(
    slack: LocalSlack,
    wechat: TokenWeChat,
    environ: dict[str, str],
    runtime: Runtime,
    caplog: pytest.LogCaptureFixture,
    level: int,
) -> None:
    caplog.set_level(level)
    for library in ("slack_sdk", "slack_bolt"):
        caplog.set_level(level, library)
    token = wechat.issue(OWNER)
    settings = settings_of(environ)
    wechat.fail("shareenv", Code(85088), Drop())
    async with running(settings, runtime):
        for channel, env in ((RELEASES, "prod-1"), ("C0SECRET", "prod-2")):
            ack = await slack.command(REQUESTER, channel, f"{APPID} {env}")
        await slack.until(lambda slack: len(slack.shown_to(REQUESTER)) == 3)
        await slack.until(lambda slack: bool(slack.parents("D0BOT")))
        slack.sockets.expire_tickets()
    secrets = [*settings.secrets, token, str(ack.request["response_url"]), "ticket=made-up"]
    log = caplog.text if level > logging.DEBUG else Redactor(settings.secrets).clean(caplog.text)
    assert [secret for secret in secrets if secret in log] == []
