"""The composition root: the only place where the parts meet."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.request import getproxies

import aiohttp
import httpx
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.carrying import Carrying
from bot.ledger import Ledger, LedgerDownError
from bot.ledger.opening import CannotOpenError
from bot.settings import FixedTokenSettings, Settings, SlackSettings, TokenServerSettings
from bot.sharing import Ports, Sharing
from bot.slack.api import SlackApi
from bot.slack.connection import Ready, SocketMode, Unusable, preflight
from bot.slack.directory import Directory
from bot.slack.events import http_app
from bot.slack.listeners import bolt_app
from bot.slack.posts import Posts
from bot.slack.thread import Threads
from bot.wechat.client import WeChat, http_client
from bot.wechat.tokens import FixedToken, TokenServer, TokenSource

_SLACK_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_CONNECTIONS = 200
_ACK_TAKES = 0.001
_LAST_MOMENT = 2.0  # seconds for what is cut short to come to its end
_LAST_ACKS = 3.0  # seconds for HTTP requests under way; Slack does not wait longer
_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that is taken for another when read aloud

_log = logging.getLogger(__name__)


def new_id() -> str:
    """Return a request's id: short enough to be read out, and one of 600,000,000,000."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


@dataclass(frozen=True, slots=True)
class Nature:
    """What the bot takes from the world around it; tests bring their own."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    new_id: Callable[[], str] = new_id


class CannotStartError(Exception):
    """Slack or this machine does not let the bot start; `problems` has a sentence for each reason."""

    def __init__(self, problems: tuple[str, ...], *, wrong_setup: bool) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.wrong_setup = wrong_setup


class Tasks:
    """The work in the background, which a stop waits for."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._over = False

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` once the ack that it follows has gone out; what goes wrong in it is logged.

        After the stop nothing begins: it is in the ledger, and the next start finds it there.
        """
        if self._over:
            work.close()
            return
        task = asyncio.create_task(_after_ack(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        task.add_done_callback(lambda _: work.close())  # where it was cut short before it began

    async def drain(self, grace: float) -> None:
        """Wait up to `grace` seconds for what is under way, then cut the rest short.

        What was started has begun by then even without any grace.
        """
        now = asyncio.get_running_loop().time
        end = now() + max(grace, 2 * _ACK_TAKES)
        while self._running and now() < end:
            await asyncio.wait(self._running, timeout=end - now())
        self._over = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=_LAST_MOMENT)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("unforeseen error", exc_info=error)


async def _after_ack(work: Coroutine[None, None, None]) -> None:
    await asyncio.sleep(_ACK_TAKES)
    await work


@asynccontextmanager
async def running(settings: Settings, nature: Nature | None = None) -> AsyncIterator[str]:
    """Run the bot for as long as the context is open; yields the line that says that it is ready.

    Raises CannotStartError. On leaving, no more commands are taken and those under way are finished.
    """
    nature = nature or Nature()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(_session())
        http = await stack.enter_async_context(http_client(session))
        slack = settings.slack
        client = _web_client(slack, slack.bot_token, session)
        api = SlackApi(client, nature.sleep)
        app_client = slack.app_token and _web_client(slack, slack.app_token, session)
        checked = await preflight(api, SlackApi(app_client, nature.sleep) if app_client else None)
        if isinstance(checked, Unusable):
            raise CannotStartError(checked.problems, wrong_setup=checked.wrong_setup)
        ledger = await _ledger(stack, settings)
        tasks = Tasks()
        places, carrying = _carrying(settings, nature, api, http, checked, ledger, tasks)
        stack.callback(places.close)
        people = Directory(api, _told(checked, "team_id"), settings.policy.groups, nature.clock)
        stack.callback(people.close)
        people.ahead()
        ports = Ports(people, ledger, carrying.carry, places.link, nature.new_id, tasks.start)
        sharing = Sharing(settings.policy, ports)
        app = bolt_app(client, checked.identity, slack.signing_secret, sharing)
        if slack.app_token:
            socket = SocketMode(app, slack.app_token, checked.socket_url)
            stack.push_async_callback(socket.close)
            if not await socket.open():
                problem = "Slack's socket does not open. Check the network and the proxy, then start again."
                raise CannotStartError((problem,), wrong_setup=False)
            how = "over Socket Mode"
        else:
            how = f"at {await _listen(stack, http_app(app), settings)}"
        # Held until the drain is over, or another replica would begin what this one still works on.
        keeping = asyncio.create_task(carrying.keep(lambda: not sharing.stopping))
        stack.callback(keeping.cancel)
        stack.push_async_callback(tasks.drain, settings.shutdown_grace)
        stack.callback(sharing.stop)
        where = f"{_told(checked, 'team')} as {_told(checked, 'user')}"
        yield f"share-env-bot {__version__} is ready: {where}, {how}."


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the one session for Slack and WeChat: its own time limits, and the proxies of the environment."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    # With trust_env aiohttp reads files in a thread at each request, so only where there is a proxy to find.
    proxied = bool(getproxies())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_SLACK_TIMEOUT,
        trust_env=proxied,
    ) as session:
        yield session


def _web_client(slack: SlackSettings, token: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    logger = logging.getLogger("slack_sdk")
    # The SDK compares this very logger's level, and an unset one counts as DEBUG and costs time.
    logger.setLevel(logger.getEffectiveLevel())
    return AsyncWebClient(
        token=token,
        base_url=slack.api_url,
        session=session,
        logger=logger,
        retry_handlers=[],
        user_agent_prefix=f"share-env-bot/{__version__}",
    )


async def _ledger(stack: AsyncExitStack, settings: Settings) -> Ledger:
    """Open the ledger until the stack is left."""
    try:
        ledger = Ledger.open(settings.database_url, secrets.token_hex(8))
    except CannotOpenError as error:
        raise CannotStartError((str(error),), wrong_setup=True) from error
    stack.push_async_callback(ledger.close)
    try:
        await ledger.start()
    except LedgerDownError as error:
        problem = f"The ledger takes nothing ({error}). Check DATABASE_URL and the disk, then start again."
        raise CannotStartError((problem,), wrong_setup=False) from error
    return ledger


def _carrying(  # noqa: PLR0913, PLR0917  # what the composition root has to join
    settings: Settings,
    nature: Nature,
    api: SlackApi,
    http: httpx.AsyncClient,
    ready: Ready,
    ledger: Ledger,
    tasks: Tasks,
) -> tuple[Threads, Carrying]:
    posts = Posts(api, _told(ready, "user_id"), nature.sleep)
    places = Threads(api, posts, nature.clock, _told(ready, "url"))
    owners = WeChat(
        http,
        settings.wechat_url,
        _token_source(settings, http, nature),
        timeout=settings.wechat_timeout,
        clock=nature.clock,
        sleep=nature.sleep,
        jitter=nature.jitter,
    )
    return places, Carrying(ledger, places, owners, nature.sleep, tasks.start)


def _told(ready: Ready, what: str) -> str:
    return str(ready.identity.get(what) or "")


def _token_source(settings: Settings, http: httpx.AsyncClient, nature: Nature) -> TokenSource:
    match settings.tokens:
        case FixedTokenSettings(owner, token):
            return FixedToken(owner, token)
        case TokenServerSettings(url, authorization):
            return TokenServer(http, url, authorization, nature.clock)


async def _listen(stack: AsyncExitStack, server: web.Application, settings: Settings) -> str:
    """Serve HTTP until the stack is left; return the address."""
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=_LAST_ACKS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
    except OSError as error:
        problem = (
            f"HOST {settings.host} and PORT {settings.port} cannot be used ({error.strerror}). "
            "Choose others, or stop what uses them."
        )
        raise CannotStartError((problem,), wrong_setup=True) from error
    return f"http://{settings.host}:{settings.port}"
