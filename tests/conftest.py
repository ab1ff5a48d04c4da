"""Fixtures and helpers: the real bot with a local Slack and a local WeChat, over real sockets."""

import asyncio
import gc
import logging
import os
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
)
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import hypothesis
import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from bot.app.running import running
from bot.domain.request import Origin, Request
from bot.ledger.database import open_database
from bot.ledger.writer import PATIENCE
from bot.playground.loopback import Handler, Loopback, free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.slack.surfaces import View
from bot.playground.world import APPID, OWNER, World
from bot.runtime.clock import Runtime
from bot.settings.load import Settings, load
from bot.settings.policy import SETTINGS_RULE
from bot.slack.api import SlackApi
from bot.slack.socket_mode import Pace, socket_mode
from tests.blocking import blocked, let_nothing_block
from tests.databases import (
    Database,
    PostgreSQL,
    compile_once,
    running_postgresql,
)
from tests.patience import PATIENT, let_answers_take, let_the_ledger_take
from tests.production_log import logging_as_before
from tests.served import Served
from tests.token_server import TokenWeChat, environment

if TYPE_CHECKING:
    from tests.rig import Rig

RELEASES = "C0RELEASES"
REQUESTER = "U0REQUESTER"
ENV = "prod-1"
ASK = f"{APPID} {ENV}"
Change = Callable[[str], Awaitable[None]]
Start = Callable[..., AbstractAsyncContextManager[str]]
FINAL = ("✅", "❌", "❔", "🚫", "⌛")

_NOT_IN_TESTS = ("SLACK_", "WECHAT_", "SHARE_ENV_", "DATABASE_URL")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options: more kills and outages, PgBouncer in front of PostgreSQL, and new pictures for the README."""
    parser.addoption("--pictures", action="store_true", help="take README's pictures anew")
    parser.addoption("--kills", type=int, default=30, help="how often test_killed.py kills a bot")
    parser.addoption(
        "--pgbouncer", type=int, help="test_replicas.py behind it, with so many connections"
    )


def pytest_configure() -> None:
    """Remove the machine's settings, share compiled bytecode and SQL, speed up properties and databases, and let nothing block."""
    for setting in list(os.environ):
        if setting.upper().endswith("_PROXY") or setting.startswith(_NOT_IN_TESTS):
            del os.environ[setting]
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name, times in (("quick", 10), ("whole", 100)):
        hypothesis.settings.register_profile(name, deadline=None, max_examples=times)
    hypothesis.settings.load_profile("quick")
    let_the_ledger_take(PATIENT)
    let_answers_take(10)
    event.listen(Engine, "engine_connect", compile_once)
    event.listen(Pool, "connect", _may_pause)
    event.listen(Pool, "checkout", _need_not_last)
    let_nothing_block()


def examples(wanted: int) -> int:
    """Return the number of examples for a property: all that it wants only with the profile `whole`."""
    return wanted * hypothesis.settings().max_examples // 100


def pytest_collection(session: pytest.Session) -> None:
    """Import a different part of the test files first in each worker, so that each file's bytecode is compiled only once."""
    worker = getattr(session.config, "workerinput", None)
    if worker:
        root = session.config.rootpath
        found = sorted(file for arg in session.config.args for file in Path(arg).rglob("test_*.py"))
        part = found[int(worker["workerid"][2:]) :: worker["workercount"]]
        for file in part:
            import_module(".".join(file.resolve().relative_to(root).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the files with the slowest tests first; exclude from coverage what takes long and adds little.

    Tracing doubles a test's time. Excluded are the tests on PostgreSQL, which also run on SQLite, and properties, for which
    there are tables of examples too.
    """
    items.sort(key=lambda item: item.path.name not in {"test_socket_mode.py", "test_owed.py"})
    for item in items:
        if "postgresql" in item.name or item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")


def pytest_collection_finish() -> None:
    """Exempt all existing objects from garbage collection; scanning them repeatedly takes a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Reset the level of the SDK's logger, which a bot under test may have set; fail if it blocked the loop until its end."""
    logging.getLogger("slack_sdk").setLevel(logging.NOTSET)
    found, blocked[:] = [*blocked], []
    assert found == [], "the event loop was blocked"


@pytest.fixture(name="logging_as_before")
def _logging_as_before() -> Iterator[None]:
    """For tests in whose process the bot sets up its log, as its command line does."""
    with logging_as_before():
        yield


class Sleep:
    """A sleep that returns almost at once, and records the requested seconds."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    async def __call__(self, seconds: float) -> None:
        """Yield to other tasks for a millisecond, so that a loop of sleeps does not occupy the processor."""
        self.naps.append(seconds)
        await asyncio.sleep(0.001)


class Clock:
    """A clock, in seconds, that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sleep() -> Sleep:
    return Sleep()


@pytest.fixture
def runtime(sleep: Sleep) -> Runtime:
    """The real clock, a sleep that does not wait, and consecutive ids: request1, request2."""
    numbers = count(1)
    return Runtime(sleep=sleep, jitter=lambda: 0.5, new_id=lambda: f"request{next(numbers)}")


@pytest.fixture
def ack_timeout() -> float:
    """Seconds that Slack waits for an ack: more than the real three, since test machines may be busy."""
    return 30.0


@pytest.fixture
def world() -> World:
    """Slack's initial state."""
    return World()


@pytest.fixture
async def slack(world: World, ack_timeout: float) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(world, ack_timeout=ack_timeout) as slack:
        yield slack


@pytest.fixture
async def wechat() -> AsyncIterator[TokenWeChat]:
    async with TokenWeChat() as wechat:
        yield wechat


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield http


@pytest.fixture
def client(slack: LocalSlack, http: aiohttp.ClientSession) -> AsyncWebClient:
    return web_client(slack.world.bot_token, slack.api_url, http)


@pytest.fixture
def api(client: AsyncWebClient, sleep: Sleep) -> SlackApi:
    return SlackApi(client, sleep)


@pytest.fixture
def app_api(slack: LocalSlack, http: aiohttp.ClientSession, sleep: Sleep) -> SlackApi:
    return SlackApi(web_client(slack.world.app_token, slack.api_url, http), sleep)


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with an empty ledger, to be copied: much cheaper than running the migrations again."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    opened = open_database(f"sqlite:///{path}", Runtime())
    opened.engine.dispose()
    opened.release()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_ledger: Path) -> Path:
    """The path of the bot's ledger."""
    return shutil.copyfile(empty_ledger, tmp_path / "ledger.db")


@pytest.fixture
def environ(slack: LocalSlack, wechat: TokenWeChat, database: Path) -> dict[str, str]:
    """The environment of a bot with a rule for the platform team, over Socket Mode."""
    return environment(slack, wechat) | {
        "DATABASE_URL": f"sqlite:///{database}",
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
    }


@pytest.fixture
def rig(
    slack: LocalSlack,
    wechat: TokenWeChat,
    database: Path,
    environ: dict[str, str],
    runtime: Runtime,
) -> "Rig":
    """The people and servers around a bot that is not started yet."""
    from tests.rig import Rig  # noqa: PLC0415  # it imports this module

    return Rig(slack, wechat, database, environ, runtime)


@pytest.fixture
def change(rig: "Rig", caplog: pytest.LogCaptureFixture) -> Change:
    """A function that puts other rules into force while the bot runs."""
    caplog.set_level("INFO", logger="bot")

    def told() -> int:
        return sum(record.message == "policy in force" for record in caplog.records)

    async def change(rules: str) -> None:
        before = told()
        rig.write(rules)
        rig.reload.set()
        await soon(lambda: told() > before)

    return change


@pytest.fixture
def start(environ: dict[str, str], runtime: Runtime) -> Start:
    """A function that runs a bot while a context is open; it takes changes of the settings.

    The value of the context is the line that the bot prints when it is ready.
    """

    def start(**changes: str) -> AbstractAsyncContextManager[str]:
        return running(settings_of(environ | changes), runtime)

    return start


@pytest.fixture
async def bot(start: Start) -> AsyncIterator[str]:
    """The running bot; the value is the line that it prints when it is ready."""
    async with start() as line:
        yield line


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with running_postgresql() as server:
        yield server


@pytest.fixture
async def sqlite(tmp_path: Path, empty_ledger: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{shutil.copyfile(empty_ledger, tmp_path / 'ledger.db')}")
    yield database
    await database.close()


@pytest.fixture
def lasting() -> Iterator[None]:
    """Make commits durable, as in production."""
    event.remove(Pool, "checkout", _need_not_last)
    yield
    event.listen(Pool, "checkout", _need_not_last)


@pytest.fixture
def impatient() -> Iterator[None]:
    """Use the bot's own timeouts for the ledger and for answers instead of the tests' longer ones."""
    let_the_ledger_take(PATIENCE)
    let_answers_take(1)
    yield
    let_the_ledger_take(PATIENT)
    let_answers_take(10)


@pytest.fixture
async def on_postgresql(postgresql: PostgreSQL) -> AsyncIterator[Database]:
    database = Database(postgresql.new())
    yield database
    await database.close()
    postgresql.give_back(database.url)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve HTTP with one handler; yield the origin."""
    loopback = Loopback()
    await loopback.start(handler)
    try:
        yield loopback.origin
    finally:
        await loopback.stop()


async def opened(slack: LocalSlack, user: str = REQUESTER) -> View:
    """Wait until a person has an open modal, and return it."""
    await slack.until(lambda slack: slack.modal(user) is not None)
    view = slack.modal(user)
    assert view
    return view


def web_client(token: str, api_url: str, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=api_url, session=http)


def settings_of(environ: dict[str, str]) -> Settings:
    settings = load(environ)
    assert isinstance(settings, Settings), settings
    return settings


@pytest.fixture
def unused_tcp_port() -> int:
    """An unused port: `free_port` instead of one of the kernel's."""
    return free_port()


@pytest.fixture
def unused_tcp_port_factory() -> Callable[[], int]:
    """A function that returns an unused port each time."""
    return free_port


def over_http(port: int) -> dict[str, str]:
    """Return the settings of a bot in HTTP mode, at `address_at(port)`."""
    secret = World().signing_secret
    return {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": secret, "PORT": str(port)}


def address_at(port: int) -> str:
    """Return the URL for Slack's requests to a bot in HTTP mode."""
    return f"http://127.0.0.1:{port}/slack/events"


def request_of(
    slack: LocalSlack,
    channel_id: str = RELEASES,
    user_id: str = REQUESTER,
    response_url: str | None = None,
    rule: str = SETTINGS_RULE,
) -> Request:
    """Return a request like one made by a command in a channel, by the rule of the bot of `environ`."""
    origin = Origin(
        team_id=slack.world.team_id,
        user_id=user_id,
        channel_id=channel_id,
        channel_name=slack.name_in_commands(slack.channels[channel_id]),
        trigger_id=slack.next_trigger(),
        response_url=response_url or slack.response_url(user_id, channel_id),
    )
    return Request(id="request1", origin=origin, appid=APPID, env=ENV, owner=OWNER, rule=rule)


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Run a query on the ledger's file, past the bot; changes are committed."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return connection.execute(query).fetchall()


def kinds(database: Path, about: str = "") -> list[str]:
    """Return the kinds of the ledger's events, oldest first: all, or those of one request."""
    found = rows(database, "SELECT kind, request FROM events ORDER BY id")
    return [kind for kind, request in found if about in {"", request}]


def states(database: Path) -> list[str]:
    """Return the states of all requests, oldest first."""
    return [state for (state,) in rows(database, "SELECT state FROM requests ORDER BY created")]


@contextmanager
def ledger_down(database: Path) -> Iterator[None]:
    """Make every query of the ledger fail at once: its tables are renamed."""
    tables = ("requests", "events", "replicas")
    for table in tables:
        rows(database, f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
    try:
        yield
    finally:
        for table in tables:
            rows(database, f"ALTER TABLE {table}_elsewhere RENAME TO {table}")


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold a write lock, so that other writers wait and then give up."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def no_room() -> Iterator[None]:
    """Let no file of this process grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def damage(ledger: Path) -> None:
    """Overwrite the pages of the requests and the events in a ledger that nobody has open."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((size,),) = connection.execute("PRAGMA page_size")
        roots = "SELECT rootpage FROM sqlite_master WHERE tbl_name IN ('requests', 'events')"
        pages = [page for (page,) in connection.execute(roots)]
    with ledger.open("r+b") as file:
        for page in filter(None, pages):
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)


def let_hang(database: Path, table: str) -> None:
    """Make each insert into a table by this process take three seconds, longer than the ledger's timeout."""
    _before_each_insert(database, table, "SELECT pause(3.0)")


def let_toil(database: Path, table: str) -> None:
    """Make each insert into a table take about three seconds, by any process, also on a fast machine."""
    million, began = 1_000_000, time.thread_time()
    rows(database, _count_to(million))
    slowly = _count_to(round(3.0 * million / (time.thread_time() - began)))
    _before_each_insert(database, table, slowly)


def _before_each_insert(database: Path, table: str, statement: str) -> None:
    rows(database, f"CREATE TRIGGER slow BEFORE INSERT ON {table} BEGIN {statement}; END")


def _may_pause(raw: object, _record: object) -> None:
    """Register the function that `let_hang` uses on a connection."""
    if isinstance(raw, sqlite3.Connection):
        raw.create_function("pause", 1, time.sleep)


def _count_to(end: int) -> str:
    numbers = f"WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n WHERE x < {end})"  # noqa: S608  # names of the tests
    return f"SELECT count(*) FROM ({numbers} SELECT x FROM n)"  # noqa: S608  # names of the tests


def _need_not_last(raw: object, *_: object) -> None:
    """Turn off fsync: tests do not lose power, and tests that kill bots use real files."""
    if isinstance(raw, sqlite3.Connection):
        raw.execute("PRAGMA synchronous=OFF")


async def soon(condition: Callable[[], object], seconds: float = 90.0) -> None:
    """Poll until a condition holds that has no event to wait for."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.01)


async def use_up(http: aiohttp.ClientSession, url: str) -> None:
    """Use up all five uses of a response_url."""
    for _ in range(5):
        async with http.post(url, json={"text": "used"}) as response:
            assert response.status == 200


def replies(slack: LocalSlack, channel: str = RELEASES) -> list[str]:
    """Return the replies under the only parent in a channel."""
    [parent] = slack.parents(channel)
    return [reply.text for reply in slack.thread(channel, parent.ts)]


def calls_of(slack: LocalSlack, method: str) -> int:
    """Return how often the bot has called a method of the Web API."""
    return sum(call.method == method for call in slack.calls)


def without_history(slack: LocalSlack) -> None:
    """Revoke the scopes for reading messages."""
    slack.scopes -= {scope for scope in slack.scopes if scope.endswith(":history")}


def appids(count: int) -> list[str]:
    """Return this many appids."""
    return [f"wx{number:016x}" for number in range(1, count + 1)]


def ended(slack: LocalSlack) -> bool:
    """Return whether a parent message shows that its request has ended."""
    return any(m.text.startswith(FINAL) and not m.thread_ts for m in slack.messages)


@pytest.fixture
def served(http: aiohttp.ClientSession) -> Served:
    """The listener of a bot to be started."""
    return Served(http, free_port())


@pytest.fixture
def listening(environ: dict[str, str], served: Served) -> dict[str, str]:
    """The environment of a bot over Socket Mode with an HTTP listener."""
    return environ | {"PORT": str(served.port)}


@pytest.fixture
async def watched(
    listening: dict[str, str], runtime: Runtime, served: Served, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    """The listener of a bot that runs over Socket Mode, is ready, and soon connects anew."""
    assert socket_mode.__kwdefaults__
    monkeypatch.setitem(socket_mode.__kwdefaults__, "pace", Pace(apart=0.05))
    async with running(settings_of(listening), runtime):
        await served.becomes(200, {})
        yield served
