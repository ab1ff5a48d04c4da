"""Serve what comes over HTTP, and tell there how the bot is; a room of the composition root, beside `furnish`."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.app.token_source import PUSHES
from bot.app.wiring import Outside, Rooms
from bot.ops.health import (
    Health,
    Trouble,
    chain_trouble,
    ended,
    refusal,
    ticket_trouble,
    unless,
)
from bot.ops.listener import HEALTHZ, METRICS, READYZ, answering, listen
from bot.ops.metrics import Metrics
from bot.ops.watch import Watch
from bot.runtime.tasks import Tasks
from bot.slack.connection import TOO_MANY_CONNECTIONS, SocketMode
from bot.slack.events import PATH as EVENTS
from bot.slack.events import slack_events


@dataclass(frozen=True, slots=True)
class Running:
    """The bot as far as it is served and looked at; None for `socket` is HTTP mode.

    `must_run` may still be filled.
    """

    outside: Outside
    rooms: Rooms
    socket: SocketMode | None
    tasks: Tasks
    must_run: Sequence[asyncio.Task[None]]

    def ready(self) -> Health:
        """Return the parts without which people are not served, and those that only want to be looked at."""
        parts: dict[str, Trouble] = {
            "commands": unless(lambda: not self.rooms.submitting.stopping, "the bot is stopping"),
            "ledger": unless(
                lambda: self.outside.ledger.replica.writable,
                "it did not take the last sign of life",
            ),
        }
        in_force = self.outside.in_force
        minor: dict[str, Trouble] = {"policy": lambda: refusal(in_force.trouble)}
        if socket := self.socket:
            parts["slack"] = lambda: socket_trouble(socket)
        if left := self.outside.source.left:
            parts["tokens"] = lambda: chain_trouble(left())
            minor["ticket"] = lambda: ticket_trouble(left())
        else:
            minor["tokens"] = self.outside.source.trouble
        return Health(parts, self.outside.runtime.clock, minor=minor)

    def alive(self, watch: Watch) -> Health:
        """Return the parts that nothing but a new start brings back."""
        parts: dict[str, Trouble] = {
            "loop": watch.trouble,
            "ledger": unless(lambda: self.outside.ledger.alive, "its thread has died"),
            "tasks": lambda: ended(self.must_run),
        }
        if socket := self.socket:
            parts["slack"] = unless(lambda: socket.alive, "what reads the socket has died")
        return Health(parts, self.outside.runtime.clock)


def socket_trouble(socket: SocketMode) -> str | None:
    """Return why Slack sends nothing."""
    if socket.connected:
        return None
    return TOO_MANY_CONNECTIONS if socket.refused else "Socket Mode is not connected"


async def serve(stack: AsyncExitStack, running: Running, metrics: Metrics) -> str:
    """Listen until the stack is left; return the address, or raise CannotListenError."""
    outside, rooms = running.outside, running.rooms
    settings, source, observers = outside.settings, outside.source, outside.observers
    watch = Watch(observers.lagged)
    ready, alive = running.ready(), running.alive(watch)
    metrics.look_at(
        ready,
        {
            "work_under_way": running.tasks.__len__,
            "batch_items_waiting": lambda: rooms.carrying.batches.waiting,
            "ledger_queue": lambda: outside.ledger.queued,
            "loop_tasks": lambda: len(asyncio.all_tasks()),
        },
        source.left,
        lambda: outside.ledger.replica.owed_seconds,
    )
    posts = {PUSHES: source.pushes} if source.pushes else {}
    if secret := settings.slack.signing_secret if running.socket is None else None:
        posts[EVENTS] = slack_events(rooms.app, secret, observers.acked, observers.refused)
    gets = {
        HEALTHZ: answering(alive),
        READYZ: answering(ready),
        METRICS: metrics.answer,
    }
    where = await listen(stack, settings.host, settings.port, posts, gets, observers.refused)
    looks = ready.look, alive.look, metrics.refusals.look
    stack.callback(asyncio.create_task(watch.keep(*looks)).cancel)
    return where
