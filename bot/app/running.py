"""The composition root: opens the resources, wires the parts together, and serves until the end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from bot import __version__
from bot.app.listening import accept_payloads
from bot.app.policy_watcher import PolicyFile, PolicyWatcher, on_disk
from bot.app.resources import open_resources
from bot.app.secrets_reload import SecretsReload
from bot.app.wiring import Wired, wire
from bot.domain.sentence import Sentence, joined
from bot.runtime.clock import Runtime
from bot.runtime.observers import no_op
from bot.runtime.tasks import Tasks
from bot.settings.load import Settings, policy_of
from bot.settings.secrets import Reread


@asynccontextmanager
async def running(
    settings: Settings,
    runtime: Runtime | None = None,
    reload: asyncio.Event | None = None,
    reloaded: Callable[[bool], None] = no_op,
    reread: Reread | None = None,
) -> AsyncIterator[str]:
    """Run the bot while the context is open; yields the line to print when it is ready. Raises CannotStartError.

    Whenever `reload` is set, the policy file is read at once; `reloaded` is called with whether a new policy was taken.
    With `reread`, changed secrets are taken up.
    On exit, no more commands are accepted, and those under way are finished.
    """
    async with AsyncExitStack() as stack:
        resources = await open_resources(stack, settings, runtime or Runtime())
        parts = wire(
            stack,
            resources,
            settings.tokens,
            settings.language,
            settings.wechat_timeout,
            collector=settings.collector,
            keep_days=settings.keep_days,
        )
        how = await accept_payloads(stack, resources, parts, settings.slack, settings.listener)

        def on_reload(taken: bool) -> None:
            resources.observers.reloaded(taken)
            reloaded(taken)

        file, reload = _policy_file(settings), reload or asyncio.Event()
        watcher = PolicyWatcher(resources.in_force, file, reload, reloaded=on_reload)
        serve(stack, resources.tasks, parts, watcher, settings.shutdown_grace)
        if reread:
            secrets = SecretsReload(reread, resources, parts.source.prove)
            stack.callback(resources.tasks.keep(secrets.run()).cancel)
        ready = resources.slack.ready
        team, user = ready.field("team"), ready.field("user")
        where = (
            Sentence("the organisation {team} as {user}", team=team, user=user)
            if ready.installation.is_wide
            else Sentence("{team} as {user}", team=team, user=user)
        )
        yield Sentence(
            "share-env-bot {version} is ready: {where}, {how}.",
            version=__version__,
            where=where,
            how=joined(how),
        )


def _policy_file(settings: Settings) -> PolicyFile | None:
    path = settings.policy_file
    if path is None:
        return None
    judge = partial(policy_of, path, settings.policy.default_owner, settings.tokens)
    return on_disk(path, settings.policy_text, judge)


def serve(
    stack: AsyncExitStack, tasks: Tasks, parts: Wired, watcher: PolicyWatcher, grace: float
) -> None:
    """Work on what is recorded until the stack is closed; then finish what is under way within `grace` seconds."""
    # The worker keeps the leases until the drain is over, or another replica would take over what is under way.
    kept = [parts.worker.leased.run(parts.worker.resume), parts.recheck.run(), watcher.run()]
    kept += [parts.source.run()] if parts.source.run else []
    kept += [parts.sender.run()] if parts.sender else []
    kept += [parts.retention.run()] if parts.retention else []
    for work in kept:
        stack.callback(tasks.keep(work).cancel)
    stack.push_async_callback(tasks.drain, grace)
