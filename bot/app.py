"""The composition root: the only place where the parts meet."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.request import getproxies

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.furnish import Outside, furnish
from bot.ledger import Ledger, LedgerDownError
from bot.ledger.opening import CannotOpenError
from bot.nature import Nature
from bot.ops.event_log import log_event
from bot.settings import Settings, SlackSettings
from bot.slack.api import SlackApi
from bot.slack.connection import SocketMode, Unusable, preflight
from bot.slack.events import BODY_LIMIT, slack_events
from bot.slack.events import PATH as EVENTS
from bot.tasks import Tasks
from bot.token_source import PUSHES, Handler, token_source
from bot.wechat.client import http_client

_SLACK_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_CONNECTIONS = 200
_LAST_ACKS = 3.0  # seconds for HTTP requests under way; Slack does not wait longer

_log = logging.getLogger(__name__)


class CannotStartError(Exception):
    """Slack or this machine does not let the bot start; `problems` has a sentence for each reason."""

    def __init__(self, problems: tuple[str, ...], *, wrong_setup: bool) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.wrong_setup = wrong_setup


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
        source = token_source(stack, settings, nature, http, ledger, tasks.start)
        opened = Outside(settings, nature, client, api, checked, http, ledger, source, tasks.start)
        rooms = furnish(stack, opened)
        how = await _reachable(stack, settings, rooms.app, source.pushes, checked.socket_url)
        # Held until the drain is over, or another replica would begin what this one still works on.
        for keep in (source.keep(), rooms.carrying.keep(lambda: not rooms.submitting.stopping)):
            stack.callback(asyncio.create_task(keep).cancel)
        stack.push_async_callback(tasks.drain, settings.shutdown_grace)
        stack.callback(source.stop)
        stack.callback(rooms.submitting.stop)
        where = f"{checked.told('team')} as {checked.told('user')}"
        yield f"share-env-bot {__version__} is ready: {where}, {' and '.join(how)}."


async def _reachable(
    stack: AsyncExitStack,
    settings: Settings,
    app: AsyncApp,
    pushes: Handler | None,
    socket_url: str | None,
) -> list[str]:
    """Take what Slack and WeChat send until the stack is left; return how, in words."""
    server = web.Application(client_max_size=BODY_LIMIT)
    if pushes:
        server.router.add_post(PUSHES, pushes)
    if not settings.slack.app_token:
        server.router.add_post(EVENTS, slack_events(app))
    how = [f"at {await _listen(stack, server, settings)}"] if server.router.routes() else []
    if settings.slack.app_token:
        socket = SocketMode(app, settings.slack.app_token, socket_url)
        stack.push_async_callback(socket.close)
        if not await socket.open():
            problem = (
                "Slack's socket does not open. Check the network and the proxy, then start again."
            )
            raise CannotStartError((problem,), wrong_setup=False)
        how.insert(0, "over Socket Mode")
    return how


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
        ledger = Ledger.open(settings.database_url, secrets.token_hex(8), told=log_event)
    except CannotOpenError as error:
        raise CannotStartError((str(error),), wrong_setup=True) from error
    stack.push_async_callback(ledger.close)
    try:
        await ledger.start()
    except LedgerDownError as error:
        problem = f"The ledger takes nothing ({error}). Check DATABASE_URL and the disk, then start again."
        raise CannotStartError((problem,), wrong_setup=False) from error
    return ledger


async def _listen(stack: AsyncExitStack, server: web.Application, settings: Settings) -> str:
    """Serve HTTP until the stack is left; return the address."""
    runner = web.AppRunner(
        server,
        access_log=None,
        auto_decompress=False,  # neither Slack nor WeChat packs what it sends
        shutdown_timeout=_LAST_ACKS,
    )
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
