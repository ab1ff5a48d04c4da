"""The HTTP side of the bot: posts from Slack and WeChat, health probes and metrics."""

import asyncio
from contextlib import AsyncExitStack

from bot.app.resources import Resources
from bot.app.token_source import PUSHES, Source
from bot.app.wiring import Wired
from bot.ops.health import Health, PartCheck, Watch, ended, refusal, ticket_trouble, unless
from bot.ops.listener import HEALTHZ, METRICS, READYZ, answering, listen
from bot.ops.metrics import Metrics
from bot.settings.load import Address
from bot.slack.events import PATH as EVENTS
from bot.slack.events import slack_events
from bot.slack.socket_mode import TOO_MANY_CONNECTIONS, SocketClient


async def serve(  # noqa: PLR0913, PLR0917  # all parts meet here
    stack: AsyncExitStack,
    resources: Resources,
    source: Source,
    parts: Wired,
    metrics: Metrics,
    listener: Address,
) -> str:
    """Listen until the stack is closed; return the address, or raise CannotListenError."""
    settings, observers = resources.settings, resources.observers
    watch = Watch(observers.lagged)
    ready, alive = _ready(resources, source, parts), _alive(resources, parts, watch)
    metrics.register_gauges(
        ready,
        {
            "work_under_way": resources.tasks.__len__,
            "batch_items_waiting": lambda: parts.worker.batches.waiting,
            "ledger_queue": lambda: resources.ledger.writer.queued,
            "loop_tasks": lambda: len(asyncio.all_tasks()),
        },
        source.left,
        lambda: resources.ledger.replica.owed_seconds,
    )
    posts = {PUSHES: source.pushes} if source.pushes else {}
    secret = settings.slack.signing_secret
    if secret and not parts.socket:
        posts[EVENTS] = slack_events(parts.app, secret, observers.acked, observers.refused)
    gets = {
        HEALTHZ: answering(alive),
        READYZ: answering(ready),
        METRICS: metrics.answer,
    }
    where = await listen(stack, listener.host, listener.port, posts, gets, observers.refused)
    stack.callback(asyncio.create_task(watch.run(metrics.refusals.log_new)).cancel)
    return where


def _ready(resources: Resources, source: Source, parts: Wired) -> Health:
    """Return the readiness check: major parts, which the bot needs to work, and minor ones that only need attention."""
    replica, in_force = resources.ledger.replica, resources.in_force
    major: dict[str, PartCheck] = {
        "commands": unless(parts.intake.accepts, "the bot is stopping"),
        "ledger": unless(
            lambda: replica.writable, "it did not take the last sign of life, see the log"
        ),
    }
    minor: dict[str, PartCheck] = {
        "policy": lambda: refusal(in_force.trouble),
        "tokens": source.trouble,
    }
    if socket := parts.socket:
        major["slack"] = lambda: socket_trouble(socket)
    if left := source.left:
        minor["ticket"] = lambda: ticket_trouble(left())
    return Health(major, minor=minor)


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


def socket_trouble(socket: SocketClient) -> str | None:
    """Return why Slack sends nothing; None while the socket is connected."""
    if socket.connected:
        return None
    return TOO_MANY_CONNECTIONS if socket.refused else "Socket Mode is not connected"
