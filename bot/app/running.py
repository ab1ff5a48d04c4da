"""The composition root: resources, then the token source, then the parts wired together, then what serves them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from bot import __version__
from bot.app.policy_watcher import PolicyWatcher
from bot.app.resources import CannotStartError, Resources, open_resources
from bot.app.token_source import PUSHES, Source, token_source
from bot.app.wiring import Wired, wire
from bot.domain.link import Link
from bot.observe.health import (
    HEALTHZ,
    METRICS,
    READYZ,
    Health,
    PartCheck,
    Watch,
    ended,
    is_good,
    unless,
)
from bot.runtime.clock import Runtime
from bot.runtime.listener import FewDescriptors, is_taken, listen, unusable
from bot.runtime.observers import no_op
from bot.settings.load import Settings
from bot.slack.events import PATH as EVENTS
from bot.slack.events import slack_events
from bot.slack.socket_mode import TOO_MANY_CONNECTIONS, SocketClient


@asynccontextmanager
async def running(
    settings: Settings,
    runtime: Runtime | None = None,
    reload: asyncio.Event | None = None,
    reloaded: Callable[[bool], None] = no_op,
) -> AsyncIterator[str]:
    """Run the bot while the context is open; yields the line to print when it is ready. Raises CannotStartError.

    Whenever `reload` is set, the policy file is read at once; `reloaded` is called with whether a new policy was taken.
    On exit, no more commands are accepted, and those under way are finished.
    """
    runtime = runtime or Runtime()
    async with AsyncExitStack() as stack:
        resources = await open_resources(stack, settings, runtime)
        source = token_source(stack, resources)
        parts = wire(stack, resources, source)
        how = await _serve(stack, resources, source, parts)

        def on_reload(taken: bool) -> None:
            resources.observers.reloaded(taken)
            reloaded(taken)

        watcher = PolicyWatcher(
            resources.in_force,
            settings,
            reload or asyncio.Event(),
            reloaded=on_reload,
        )
        # The worker keeps the leases until the drain is over, or another replica would take over what is under way.
        kept = [parts.worker.leased.run(parts.worker.resume), parts.recheck.run(), watcher.run()]
        for work in kept + ([source.run()] if source.run else []):
            stack.callback(resources.tasks.keep(work).cancel)
        stack.push_async_callback(resources.tasks.drain, settings.shutdown_grace)
        ready = resources.slack.ready
        where = f"{ready.field('team')} as {ready.field('user')}"
        yield f"share-env-bot {__version__} is ready: {where}, {' and '.join(how)}."


async def _serve(
    stack: AsyncExitStack, resources: Resources, source: Source, parts: Wired
) -> list[str]:
    """Accept what Slack and WeChat send until the stack is closed; return how, in words."""
    how, socket = list[str](), parts.socket
    if socket:
        stack.push_async_callback(socket.close)
    if where := await _listen(stack, resources, source, parts):
        how.append(f"at {where}")
    if socket:
        await _open(socket)
        how.insert(0, "over Socket Mode")
    return how


async def _listen(
    stack: AsyncExitStack, resources: Resources, source: Source, parts: Wired
) -> str | None:
    """Serve posts from Slack and WeChat, health probes and metrics; return the address, None without a listener."""
    settings, observers, metrics = resources.settings, resources.observers, resources.metrics
    if settings.listener is None or metrics is None:
        return None
    runtime = resources.runtime
    watch = Watch(observers.lagged, runtime.clock, runtime.idle)
    descriptors = FewDescriptors(runtime.clock)
    ready, alive = _ready(resources, source, parts), _alive(resources, parts, watch)
    metrics.register_gauges(
        ready,
        {
            "work_under_way": resources.tasks.__len__,
            "batch_items_waiting": lambda: parts.worker.batches.waiting,
            "ledger_queue": lambda: resources.ledger.writer.queued,
            "loop_tasks": lambda: len(asyncio.all_tasks()),
            "owed_seconds": lambda: resources.ledger.replica.owed_seconds,
        },
        source.states if source.pushes else None,
    )
    posts = {PUSHES: source.pushes} if source.pushes else {}
    secret = settings.slack.signing_secret
    if secret and not parts.socket:
        posts[EVENTS] = slack_events(
            parts.app, secret, resources.runtime, observers.acked, observers.refused
        )
    gets = {
        HEALTHZ: alive.respond,
        READYZ: ready.respond,
        METRICS: metrics.answer,
    }
    host, port = settings.listener.host, settings.listener.port
    try:
        where = await listen(stack, host, port, posts, gets, observers.refused)
    except (OSError, ValueError) as error:
        problems = (unusable(host, port, error),)
        raise CannotStartError(problems, wrong_setup=not is_taken(error)) from error
    stack.callback(
        asyncio.create_task(watch.run(metrics.refusals.log_new, descriptors.warn)).cancel
    )
    return where


async def _open(socket: SocketClient) -> None:
    if await socket.open():
        return
    problem = (
        f"{TOO_MANY_CONNECTIONS}. Stop the other copies of the bot, then start again."
        if socket.refused
        else "Slack's socket does not open. Check the network and the proxy, then start again."
    )
    raise CannotStartError((problem,), wrong_setup=False)


def _ready(resources: Resources, source: Source, parts: Wired) -> Health:
    """Return the readiness check: major parts, which the bot needs to work, and minor ones that only need attention."""
    replica, in_force = resources.ledger.replica, resources.in_force
    major: dict[str, PartCheck] = {
        "commands": unless(lambda: not resources.tasks.stopping(), "the bot is stopping"),
        "ledger": unless(
            lambda: replica.writable, "it did not take the last sign of life, see the log"
        ),
    }
    minor: dict[str, PartCheck] = {
        "policy": unless(  # the mistakes may name people
            lambda: not in_force.trouble,
            "the policy file is gone or has a mistake; the old policy is in force, see the log",
        ),
        "tokens": source.trouble,
    }
    if socket := parts.socket:
        major["slack"] = lambda: _socket_trouble(socket)
    if source.pushes:
        minor["ticket"] = unless(
            lambda: is_good(source.states(), Link.TICKET), "there is no good ticket from WeChat"
        )
    return Health(major, minor=minor, before=replica.prove_writable)


def _alive(resources: Resources, parts: Wired, watch: Watch) -> Health:
    """Return the liveness check: the parts that only a restart repairs."""
    ledger, tasks = resources.ledger, resources.tasks
    major: dict[str, PartCheck] = {
        "loop": watch.trouble,
        "ledger": unless(lambda: ledger.writer.alive, "its thread has died"),
        "tasks": lambda: ended(tasks.kept),
    }
    if socket := parts.socket:
        major["slack"] = unless(lambda: socket.alive, "what reads the socket has died")
    return Health(major)


def _socket_trouble(socket: SocketClient) -> str | None:
    """Return why Slack sends nothing; None while the socket is connected."""
    if socket.connected:
        return None
    return TOO_MANY_CONNECTIONS if socket.refused else "Socket Mode is not connected"
