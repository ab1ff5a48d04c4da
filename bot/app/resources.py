"""Open the resources: the HTTP session, Slack with its tokens checked, and the ledger."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.request import getproxies

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.ledger.database import Opened, is_no_ledger, open_database, remedy
from bot.ledger.engine import CannotOpenError, file_of, in_memory, parse
from bot.ledger.ledger import Ledger
from bot.ledger.thread import WriterThread
from bot.ledger.writer import LedgerDownError, Writer
from bot.observe.logs.events import RepeatedFailures, log_event
from bot.observe.metrics import Metrics
from bot.policy.kinds import Policy
from bot.policy.lint import only_denies
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers
from bot.runtime.tasks import Tasks
from bot.settings.access import SlackSettings
from bot.settings.load import Settings
from bot.settings.secrets import SecretsInForce, secrets_of
from bot.slack.api import SlackApi, web_client
from bot.slack.preflight import REINSTALL, Ready, Unusable, missing, not_granted, preflight
from bot.wechat.transport import WeChatApi, client_over
from bot.workflow.ports import PolicyInForce

_CONNECTIONS = 200
_HOLDER = 8  # bytes of a replica's name in the ledger, which no other ever has

_log = logging.getLogger(__name__)


class CannotStartError(Exception):
    """The bot cannot start; `problems` has a sentence per reason, `wrong_setup` tells whether a setting is to blame."""

    def __init__(self, problems: tuple[str, ...], *, wrong_setup: bool) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.wrong_setup = wrong_setup


@dataclass(frozen=True, slots=True)
class Slack:
    """Bolt's client for Slack, the bot's own, what the preflight found, and what it finds with another bot token."""

    client: AsyncWebClient
    api: SlackApi
    ready: Ready
    check: Callable[[str], Awaitable[Ready | Unusable]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What all parts share, open until the stack is closed; `metrics` is None without an HTTP listener."""

    runtime: Runtime
    metrics: Metrics | None
    observers: Observers
    in_force: PolicyInForce
    secrets: SecretsInForce
    tasks: Tasks
    wechat: WeChatApi
    failures: RepeatedFailures
    slack: Slack
    ledger: Ledger


async def open_resources(stack: AsyncExitStack, settings: Settings, runtime: Runtime) -> Resources:
    """Return the resources, in the order in which they are opened; raises CannotStartError."""
    metrics = Metrics(__version__, runtime.clock, runtime.idle) if settings.listener else None
    observers = metrics.observers if metrics else Observers()
    session = await stack.enter_async_context(_session())
    wechat = WeChatApi(
        client_over(session, getproxies()),
        settings.wechat_url,
        runtime.clock,
        observers.called_wechat,
    )
    secrets = SecretsInForce(secrets_of(settings.slack, settings.tokens))
    slack = await open_slack(settings.slack, secrets, session, runtime, observers)
    failures = RepeatedFailures(runtime.clock)
    listeners = [
        log_event,
        failures.on_event,
        *([metrics.on_event] if metrics else []),
    ]
    opened = _database(settings.database_url, runtime)
    transacted = observers.transacted
    writer = WriterThread(opened.engine, runtime.clock, listeners=listeners, transacted=transacted)
    writer.start()
    ledger = await open_ledger(stack, opened, writer, runtime)
    in_force = PolicyInForce(settings.policy)
    _warn_if_nobody_may(settings.policy)
    in_force.subscribe(_warn_if_nobody_may)
    return Resources(
        runtime=runtime,
        metrics=metrics,
        observers=observers,
        in_force=in_force,
        secrets=secrets,
        tasks=Tasks(),
        wechat=wechat,
        failures=failures,
        slack=slack,
        ledger=ledger,
    )


def _warn_if_nobody_may(policy: Policy) -> None:
    """Log a warning if a policy that came into force denies everybody everything."""
    if nobody := only_denies(policy):
        _log.warning("the policy only denies", extra={"reason": nobody.found, "fix": nobody.fix})


def _session() -> aiohttp.ClientSession:
    """Return the HTTP session that Slack and WeChat share.

    Not with `trust_env`, by which aiohttp reads ~/.netrc at each request and sends the password for a host in it, or raises
    ValueError where there is a token already. The clients name the proxy.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=15, connect=5),  # of a call to Slack
    )


async def open_slack(
    settings: SlackSettings,
    in_force: SecretsInForce,
    session: aiohttp.ClientSession,
    runtime: Runtime,
    observers: Observers,
) -> Slack:
    """Return the clients once Slack has accepted the tokens; raises CannotStartError."""

    def api_with(token: str) -> SlackApi:
        client = web_client(settings, token, session)
        return SlackApi(client, runtime.sleep, observers.called_slack)

    async def check(token: str) -> Ready | Unusable:
        return await preflight(api_with(token), None, "then reload once more")

    app = api_with(settings.app_token) if settings.app_token else None
    checked = await preflight(api_with(settings.bot_token), app)
    if isinstance(checked, Unusable):
        raise CannotStartError(checked.problems, wrong_setup=checked.wrong_setup)
    warn_of_scopes(checked)
    client = web_client(settings, None, session)
    in_use = lambda: in_force.secrets.bot_token  # noqa: E731  # read at each call
    api = SlackApi(client, runtime.sleep, observers.called_slack, in_use)
    return Slack(client, api, checked, check)


def warn_of_scopes(ready: Ready) -> None:
    """Log a warning if Slack has not granted all scopes."""
    if lacking := missing(ready.scopes):
        facts = {"reason": not_granted(lacking), "fix": REINSTALL}
        _log.warning("Slack has not granted all scopes", extra=facts)


def _database(url: str, runtime: Runtime) -> Opened:
    """Open the database, and log what is odd about it; raises CannotStartError."""
    try:
        opened = open_database(url, runtime)
    except CannotOpenError as error:
        raise CannotStartError((error.problem,), wrong_setup=not error.transient) from error
    parsed = parse(url)
    if brief := in_memory(parsed):
        why, fix = brief
        _log.warning(
            "the ledger is in memory, and lost at a stop", extra={"reason": why, "fix": fix}
        )
    elif opened.new:
        # After a wrong DATABASE_URL, the history and the tokens are missing without an error.
        where = str(file_of(parsed) or parsed.database)
        _log.info("an empty ledger was made", extra={"database": where})
    return opened


async def open_ledger(
    stack: AsyncExitStack, opened: Opened, writer: Writer, runtime: Runtime
) -> Ledger:
    """Return the ledger in this database, which is closed with the stack, as is its writer; raises CannotStartError."""
    ledger = Ledger(
        opened,
        writer,
        runtime.token_hex(_HOLDER),
        clock=runtime.since_boot,
        recheck_after=runtime.recheck_after,
    )
    stack.push_async_callback(ledger.close)
    try:
        await ledger.start()
    except LedgerDownError as error:
        why, path = str(error), file_of(opened.engine.url)
        fix = remedy(path, why, Sentence("Check DATABASE_URL and the disk, then start again."))
        problem = Problem(Sentence("The ledger takes nothing ({why})", why=why), fix)
        raise CannotStartError((problem,), wrong_setup=is_no_ledger(why)) from error
    return ledger
