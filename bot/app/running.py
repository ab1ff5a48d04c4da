"""The composition root: resources, then the token source, then the parts wired together, then what serves them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from bot import __version__
from bot.app.policy_watcher import PolicyWatcher
from bot.app.resources import CannotStartError, Resources, open_resources
from bot.app.token_source import Source, token_source
from bot.app.wiring import Wired, wire
from bot.ops.listener import CannotListenError
from bot.runtime.clock import Runtime
from bot.runtime.observers import no_op
from bot.settings.load import Settings
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
            sleep=runtime.sleep,
            reloaded=on_reload,
        )
        work = parts.worker.run()
        # The worker keeps the leases until the drain is over, or another replica would take over what is under way.
        for keep in (source.run(), work, watcher.run()):
            stack.callback(resources.tasks.keep(keep).cancel)
        stack.push_async_callback(resources.tasks.drain, settings.shutdown_grace)
        stack.callback(parts.intake.stop)
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
    listener, metrics = resources.settings.listener, resources.metrics
    if listener and metrics:
        from bot.app.http import serve  # noqa: PLC0415  # as for Metrics, in resources

        try:
            where = await serve(stack, resources, source, parts, metrics, listener)
        except CannotListenError as error:
            raise CannotStartError((str(error),), wrong_setup=not error.taken) from error
        how.append(f"at {where}")
    if socket:
        await _open(socket)
        how.insert(0, "over Socket Mode")
    return how


async def _open(socket: SocketClient) -> None:
    if await socket.open():
        return
    problem = (
        f"{TOO_MANY_CONNECTIONS}. Stop the other copies of the bot, then start again."
        if socket.refused
        else "Slack's socket does not open. Check the network and the proxy, then start again."
    )
    raise CannotStartError((problem,), wrong_setup=False)
