"""What probes of the bot get: whether it is ready, whether it lives, and its metrics."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from bot.app.resources import Resources
from bot.app.wiring import Wired
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
from bot.observe.metrics import Metrics
from bot.runtime.listener import FewDescriptors, Handler
from bot.slack.api import SlackApi
from bot.slack.socket_mode import SocketClient


def probes(
    stack: AsyncExitStack,
    resources: Resources,
    parts: Wired,
    metrics: Metrics,
    socket: SocketClient | None,
) -> Mapping[str, Handler]:
    """Return what answers probes, by path, and watch the loop and the file descriptors until the stack is closed."""
    runtime, source = resources.runtime, parts.source
    watch = Watch(resources.observers.lagged, runtime.clock, runtime.idle)
    ready, alive = _ready(resources, parts, socket), _alive(resources, watch, socket)
    metrics.register_gauges(
        ready,
        {
            "work_under_way": resources.tasks.__len__,
            "batch_items_waiting": lambda: parts.worker.batches.waiting,
            "ledger_queue": lambda: resources.ledger.writer.queued,
            "loop_tasks": lambda: len(asyncio.all_tasks()),
            "events_unsent": lambda: parts.sender.unsent if parts.sender else 0,
            "events_unsent_seconds": lambda: parts.sender.behind() if parts.sender else 0.0,
            "owed_seconds": lambda: resources.ledger.replica.owed_seconds,
        },
        source.states if source.pushes else None,
    )
    descriptors = FewDescriptors(runtime.clock)
    watching = asyncio.create_task(watch.run(metrics.refusals.log_new, descriptors.warn))
    stack.callback(watching.cancel)
    return {HEALTHZ: alive.respond, READYZ: ready.respond, METRICS: metrics.answer}


def _ready(resources: Resources, parts: Wired, socket: SocketClient | None) -> Health:
    """Return the readiness check: major parts, which the bot needs to work, and minor ones that only need attention."""
    replica, in_force, source = resources.ledger.replica, resources.in_force, parts.source
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
        "shares": resources.failures.trouble,
    }
    major["slack"] = lambda: _slack_trouble(resources.slack.api, socket)
    if source.pushes:
        minor["ticket"] = unless(
            lambda: is_good(source.states(), Link.TICKET), "there is no good ticket from WeChat"
        )
    return Health(major, minor=minor, before=replica.prove_writable)


def _alive(resources: Resources, watch: Watch, socket: SocketClient | None) -> Health:
    """Return the liveness check: the parts that only a restart repairs."""
    ledger, tasks = resources.ledger, resources.tasks
    major: dict[str, PartCheck] = {
        "loop": watch.trouble,
        "ledger": unless(lambda: ledger.writer.alive, "its thread has died"),
        "tasks": lambda: ended(tasks.kept),
    }
    if socket:
        major["slack"] = unless(lambda: socket.alive, "what reads the socket has died")
    return Health(major)


def _slack_trouble(api: SlackApi, socket: SocketClient | None) -> str | None:
    """Return why Slack sends or takes nothing; None as far as all is well."""
    if api.refused:
        return api.refused.found
    if socket is None or socket.connected:
        return None
    return socket.refused.found if socket.refused else "Socket Mode is not connected"
