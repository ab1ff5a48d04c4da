"""The composition root: the only place where the parts meet."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.request import getproxies

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.app.policy_watcher import PolicyWatcher
from bot.app.token_source import token_source
from bot.app.wiring import Outside, Rooms, furnish
from bot.ledger import Ledger, LedgerDownError
from bot.ledger.address import CannotOpenError
from bot.ledger.events import Told, all_told
from bot.ops.listener import CannotListenError
from bot.ops.logs.event_log import log_event
from bot.ops.repeated import Repeated
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers, nobody
from bot.runtime.tasks import Tasks
from bot.settings.load import Settings
from bot.settings.slack import SlackSettings
from bot.slack.api import SLACK_TIMEOUT, SlackApi
from bot.slack.connection import TOO_MANY_CONNECTIONS, Ready, SocketMode, Unusable, preflight
from bot.slack.scopes import REINSTALL, missing
from bot.wechat.client import http_client
from bot.workflow.policy_in_force import InForce

if TYPE_CHECKING:
    from bot.ops.metrics import Metrics

_CONNECTIONS = 200

_log = logging.getLogger(__name__)


class CannotStartError(Exception):
    """Slack or this machine does not let the bot start; `problems` has a sentence for each reason."""

    def __init__(self, problems: tuple[str, ...], *, wrong_setup: bool) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.wrong_setup = wrong_setup


@asynccontextmanager
async def running(
    settings: Settings,
    runtime: Runtime | None = None,
    reload: asyncio.Event | None = None,
    reloaded: Callable[[bool], None] = nobody,
) -> AsyncIterator[str]:
    """Run the bot for as long as the context is open; yields the line that says that it is ready.

    Raises CannotStartError. Whenever `reload` is set, the policy file is read at once; `reloaded` hears whether a newer
    one was taken. On leaving, no more commands are taken and those under way are finished.
    """
    runtime = runtime or Runtime()
    async with AsyncExitStack() as stack:
        metrics = _metrics(runtime.clock) if settings.listens else None
        observers = metrics.observers if metrics else Observers()
        session = await stack.enter_async_context(_session())
        http = await stack.enter_async_context(http_client(session))
        client, api, checked = await _slack(settings.slack, session, runtime, observers)
        told = [log_event, Repeated(runtime.clock).told, *([metrics.told] if metrics else [])]
        ledger = await _ledger(stack, settings, observers, *told)
        tasks, in_force = Tasks(), InForce(settings.policy, runtime.now)
        source = token_source(
            stack, settings, in_force, runtime, http, ledger, tasks.start, observers
        )
        outside = Outside(
            settings,
            in_force,
            runtime,
            client,
            api,
            checked,
            http,
            ledger,
            source,
            tasks.start,
            observers,
        )
        rooms = furnish(stack, outside)
        kept = list[asyncio.Task[None]]()
        how = await _reachable(stack, outside, rooms, tasks, kept, metrics)

        def judged(taken: bool) -> None:
            observers.reloaded(taken)
            reloaded(taken)

        watcher = PolicyWatcher(
            in_force,
            settings,
            reload or asyncio.Event(),
            sleep=runtime.sleep,
            told=judged,
        )
        carry = rooms.carrying.keep(lambda: not rooms.submitting.stopping)
        # Held until the drain is over, or another replica would begin what this one still works on.
        for keep in (source.keep(), carry, watcher.keep()):
            kept.append(asyncio.create_task(keep))
            stack.callback(kept[-1].cancel)
        stack.push_async_callback(tasks.drain, settings.shutdown_grace)
        stack.callback(source.stop)
        stack.callback(rooms.submitting.stop)
        where = f"{checked.told('team')} as {checked.told('user')}"
        yield f"share-env-bot {__version__} is ready: {where}, {' and '.join(how)}."


async def _reachable(  # noqa: PLR0913, PLR0917  # what is opened to the outside, and looked at from there
    stack: AsyncExitStack,
    outside: Outside,
    rooms: Rooms,
    tasks: Tasks,
    kept: Sequence[asyncio.Task[None]],
    metrics: "Metrics | None",
) -> list[str]:
    """Take what Slack and WeChat send until the stack is left; return how, in words."""
    token, url, how = outside.settings.slack.app_token, outside.slack.socket_url, list[str]()
    socket = SocketMode(rooms.app, token, url, observers=outside.observers) if token else None
    if socket:
        stack.push_async_callback(socket.close)
    if metrics:
        from bot.app.http import Running, serve  # noqa: PLC0415  # see _metrics

        running = Running(outside, rooms, socket, tasks, kept)
        try:
            how.append(f"at {await serve(stack, running, metrics)}")
        except CannotListenError as error:
            raise CannotStartError((str(error),), wrong_setup=not error.taken) from error
    if socket:
        if not await socket.open():
            problem = (
                f"{TOO_MANY_CONNECTIONS}. Stop the other copies of the bot, then start again."
                if socket.refused
                else "Slack's socket does not open. Check the network and the proxy, then start again."
            )
            raise CannotStartError((problem,), wrong_setup=False)
        how.insert(0, "over Socket Mode")
    return how


def _metrics(clock: Callable[[], float]) -> "Metrics":
    """Return what counts, for where there is a listener; others need not load its library."""
    from bot.ops.metrics import Metrics  # noqa: PLC0415  # prometheus-client is loaded only where there is a listener

    return Metrics(__version__, clock)


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the one session for Slack and WeChat: its own time limits, and the proxies of the environment."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    # With trust_env aiohttp reads files in a thread at each request, so only where there is a proxy to find.
    proxied = bool(getproxies())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=SLACK_TIMEOUT,
        trust_env=proxied,
    ) as session:
        yield session


async def _slack(
    slack: SlackSettings, session: aiohttp.ClientSession, runtime: Runtime, observers: Observers
) -> tuple[AsyncWebClient, SlackApi, Ready]:
    """Return two ways to call Slack, and what it says of the bot once its tokens are known to be good."""
    client = _web_client(slack, slack.bot_token, session)
    api = SlackApi(client, runtime.sleep, observers.called_slack)
    app_api = None
    if slack.app_token:
        app_client = _web_client(slack, slack.app_token, session)
        app_api = SlackApi(app_client, runtime.sleep, observers.called_slack)
    checked = await preflight(api, app_api)
    if isinstance(checked, Unusable):
        raise CannotStartError(checked.problems, wrong_setup=checked.wrong_setup)
    for scope in missing(checked.scopes):
        facts = {"scope": scope.name, "without": scope.without, "fix": REINSTALL}
        _log.warning("Slack has not granted a scope", extra=facts)
    return client, api, checked


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


async def _ledger(
    stack: AsyncExitStack, settings: Settings, observers: Observers, *told: Told
) -> Ledger:
    """Open the ledger until the stack is left; each of `told` hears of its events."""
    try:
        ledger = Ledger.open(
            settings.database_url,
            secrets.token_hex(8),
            told=all_told(*told),
            transacted=observers.transacted,
        )
    except CannotOpenError as error:
        raise CannotStartError((str(error),), wrong_setup=not error.passing) from error
    stack.push_async_callback(ledger.close)
    try:
        await ledger.start()
    except LedgerDownError as error:
        problem = f"The ledger takes nothing ({error}). Check DATABASE_URL and the disk, then start again."
        raise CannotStartError((problem,), wrong_setup=False) from error
    return ledger
