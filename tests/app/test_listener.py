import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest
from aiohttp import web

from bot.app.resources import CannotStartError
from bot.app.running import running
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER
from bot.runtime.clock import Runtime
from bot.runtime.listener import FewDescriptors, listen
from bot.slack.events import PATH
from tests.conftest import ASK, RELEASES, REQUESTER, Clock, ended, settings_of
from tests.end_to_end.conftest import finished
from tests.served import PATHS, Served


@pytest.fixture(params=["a fixed token", "a token server", "HTTP mode"])
def any_bot(
    request: pytest.FixtureRequest,
    listening: dict[str, str],
    slack: LocalSlack,
    wechat: LocalWeChat,
) -> dict[str, str]:
    """The environment of a bot with PORT set, in each mode without a token chain."""
    match request.param:
        case "a fixed token":
            del listening["WECHAT_TOKEN_SERVER_URL"], listening["WECHAT_TOKEN_SERVER_AUTHORIZATION"]
            return listening | {"WECHAT_AUTHORIZER_ACCESS_TOKEN": wechat.issue(OWNER)}
        case "HTTP mode":
            del listening["SLACK_APP_TOKEN"]
            return listening | {"SLACK_SIGNING_SECRET": slack.world.signing_secret}
        case _:
            return listening


async def test_with_port_set_the_bot_listens_and_reports_its_health(
    any_bot: dict[str, str], runtime: Runtime, served: Served
) -> None:
    async with running(settings_of(any_bot), runtime) as line:
        assert line.endswith(f"at {served.origin}.")
        assert [(await served.get(path))[0] for path in PATHS[:1]] == [200]
        await served.becomes(200, {})
        assert (await served.get("/metrics"))[0] == 200
        assert ("over Socket Mode" in line) is ("SLACK_APP_TOKEN" in any_bot)
        posted = 401 if "SLACK_SIGNING_SECRET" in any_bot else 404
        async with served.http.post(f"{served.origin}{PATH}") as answer:
            assert answer.status == posted
    with pytest.raises(OSError, match="Cannot connect"):
        await served.get("/healthz")


async def test_without_port_nothing_listens(
    environ: dict[str, str], runtime: Runtime, served: Served
) -> None:
    async with running(settings_of(environ), runtime) as line:
        assert line.endswith("over Socket Mode.")
        with socket.socket() as free:
            free.bind(("127.0.0.1", served.port))


async def test_each_path_accepts_only_get_and_head(watched: Served) -> None:
    for path in PATHS:
        async with watched.http.head(watched.origin + path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert int(answer.headers["Content-Length"]) > 0
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            async with watched.http.request(method, watched.origin + path) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert (await watched.get("/"))[0] == 404


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        pytest.param("192.0.2.1", "address", id="another machine's"),
        pytest.param("a" * 300, "no address is found", id="too long"),
        pytest.param("a..b", "no address is found", id="an empty part"),
        pytest.param("a.invalid", "no address is found", id="unknown"),
    ],
)
async def test_a_host_that_cannot_be_listened_on_is_one_sentence_with_the_fix(
    listening: dict[str, str], runtime: Runtime, host: str, reason: str
) -> None:
    with pytest.raises(CannotStartError) as caught:
        async with running(settings_of(listening | {"HOST": host}), runtime):
            pass
    assert caught.value.wrong_setup
    (problem,) = caught.value.problems
    assert problem.startswith(f"HOST {host} and PORT ")
    assert reason in problem
    assert problem.endswith("Choose others, or stop what uses them.")


async def test_a_port_in_use_ends_the_start_with_one_sentence_and_exit_code_1(
    listening: dict[str, str], served: Served, tmp_path: Path
) -> None:
    with closing(socket.create_server(("127.0.0.1", served.port))):
        code, out, err = await finished(listening | {"LOG_LEVEL": "INFO"}, tmp_path)
    assert (code, out) == (1, "")
    printed = [line for line in err.splitlines() if not line.startswith("{")]  # not the log
    where = f"HOST 127.0.0.1 and PORT {served.port}"
    fix = "Choose others, or stop what uses them."
    assert printed == [f"{where} cannot be used (Address already in use). {fix}"]


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
async def test_an_ipv6_address_is_printed_as_it_is_typed() -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        try:
            where = await listen(stack, "::1", port, {}, {})
        except OSError as error:
            pytest.skip(str(error))
        assert where == f"http://[::1]:{port}"


async def test_slow_readers_delay_neither_other_clients_nor_the_stop(
    listening: dict[str, str], runtime: Runtime, served: Served, slack: LocalSlack
) -> None:
    async with running(settings_of(listening | {"SHUTDOWN_GRACE": "60"}), runtime):
        requests = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200
        writers = []
        for data in (requests, requests, requests[:20], b""):
            _, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1)
            writer.write(data)
            writers.append(writer)
        await served.becomes(200, {})
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)
        assert (await served.get("/metrics"))[0] == 200
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 50  # not the grace for work in progress
    for writer in writers:
        writer.close()
    gc.collect()


async def test_an_error_of_a_handler_is_logged_and_answered_with_500(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: web.Request) -> web.Response:
        raise RuntimeError("made-up")

    async with AsyncExitStack() as stack:
        await listen(stack, "127.0.0.1", served.port, {}, {"/healthz": fail})
        assert (await served.get("/healthz"))[0] == 500
        assert (await served.get("/elsewhere"))[0] == 404
    (logged,) = [line for line in caplog.records if line.name == "bot.runtime.listener"]
    assert "made-up" in str(logged.exc_info)


_AGAIN = 0.2  # seconds until asyncio listens again; a second, as it comes


@contextmanager
def file_descriptors(left: int) -> Iterator[None]:
    """Let this process open only so many more files."""
    used = {int(each.name) for each in Path("/proc/self/fd").iterdir()}
    before = getrlimit(RLIMIT_NOFILE)
    free = (number for number in count() if number not in used)
    setrlimit(RLIMIT_NOFILE, (list(islice(free, left + 1))[-1], before[1]))
    try:
        yield
    finally:
        setrlimit(RLIMIT_NOFILE, before)


async def test_few_file_descriptors_are_reported_once_a_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    few = FewDescriptors(clock)
    few.warn()
    assert caplog.messages == []
    with file_descriptors(left=1):
        few.warn()
        few.warn()
        clock.now += 60.0
        few.warn()
    assert caplog.messages == ["file descriptors run out"] * 2


@pytest.mark.parametrize("closes_at_once", [False, True])
async def test_connections_without_a_file_descriptor_do_not_flood_the_log(
    served: Served,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    closes_at_once: bool,
) -> None:
    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", _AGAIN)

    async def fine(_: web.Request) -> web.Response:
        return web.Response()

    async with AsyncExitStack() as stack:
        await listen(stack, "127.0.0.1", served.port, {}, {"/healthz": fine})
        with file_descriptors(left=1), socket.socket() as client:
            client.settimeout(0)
            with suppress(BlockingIOError):
                client.connect(("127.0.0.1", served.port))
            await asyncio.sleep(0.01)  # the loop tries to accept it
        if not closes_at_once:
            assert (await served.get("/healthz"))[0] == 200
    await asyncio.sleep(2 * _AGAIN)  # asyncio tries to listen again
    assert caplog.messages == []
