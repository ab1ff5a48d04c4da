"""The bot as a process: its signals, the line it prints when it is ready, and its exit code."""

import asyncio
import gc
import logging
import re
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from bot import __version__
from bot.observe.logs.setup import set_up
from bot.observe.output import FAILED, FINE, WRONG_SETUP, complain, speaking
from bot.runtime.clock import Runtime
from bot.runtime.tasks import in_daemon_thread
from bot.settings.environ import Reader, blamed, overridden, overriding
from bot.settings.load import Settings, load, read_parts
from bot.settings.policy import policy_path, settles_in
from bot.settings.secrets import Reread

# New objects until the next collection. Few of a command's are in cycles, so Python's 700 would find little; 10,000 let
# Bolt's and httpx's garbage take 2 MB more.
_COLLECT_AFTER = 3_000

_MOST_LOADS = 5

_ENDING = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


def run(read: Callable[[], Mapping[str, str]]) -> int:
    """Run the bot with the environment that `read` returns, until a signal; return the exit code.

    It is read again on SIGHUP.
    """
    stop, reload = asyncio.Event(), asyncio.Event()
    on_first_signal(stop.set)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something that can be read again
    try:
        return _run_until(read, stop, reload)
    finally:
        ignore_signals()


def _run_until(
    read: Callable[[], Mapping[str, str]], stop: asyncio.Event, reload: asyncio.Event
) -> int:
    environ = read()
    runtime, words = Runtime(), speaking(environ)
    settings = load_settled(environ, runtime)
    if not isinstance(settings, Settings):
        return _complain(settings, environ, read_parts(environ).secrets)
    # Imported here: neither a signal nor the report of a wrong setup should wait 0.6 s for Slack's libraries.
    from bot.app.resources import CannotStartError  # noqa: PLC0415
    from bot.app.running import running  # noqa: PLC0415

    hide = set_up(settings.log_level, settings.log_format, settings.secrets)
    reread = Reread(lambda: in_daemon_thread(read), environ, hide)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        on_first_signal(setter_of(stop, loop))  # from here on, the loop may have to be woken
        requests = [setter_of(event, loop) for event in (reload, reread.requested)]
        signal.signal(signal.SIGHUP, lambda *_: [request() for request in requests])
        async with AsyncExitStack() as stack:
            starting = stack.enter_async_context(running(settings, runtime, reload, reread=reread))
            if line := await cancel_on(stop, starting):
                _ready(settings, words.told(line))
                await stop.wait()
                _log.info("stopping")
        _log.info("stopped")

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())
    except CannotStartError as error:
        _complain(error.problems, environ, settings.secrets)
        return WRONG_SETUP if error.wrong_setup else FAILED
    return FINE


def load_settled(environ: Mapping[str, str], runtime: Runtime) -> Settings | list[str]:
    """Load the settings; again, at most five times, if the policy file was changed in the last second, as it may be half written."""
    path = policy_path(Reader(environ))
    for _ in range(_MOST_LOADS):
        loaded = load(environ)
        left = _unsettled(path, runtime.now()) if path else 0.0
        if not left:
            break
        runtime.block(left)
    return loaded


def _unsettled(path: Path, now: float) -> float:
    """Return in how many seconds a policy file can be believed; 0 if it is not there."""
    try:
        return settles_in(path.stat().st_mtime, now)
    except OSError:
        return 0.0


def _complain(problems: Sequence[str], environ: Mapping[str, str], secrets: Iterable[str]) -> int:
    """Print why the bot does not start; first that `.env` was corrected in vain, if so."""
    names = blamed(problems, overridden(environ))
    told = [*([overriding(names)] if names else []), *problems]
    return complain(told, secrets, speaking(environ))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory, which needs less CPU, if it is installed; else None."""
    try:
        import uvloop  # noqa: PLC0415  # an extra, which only the running bot needs
    except ImportError:
        return None
    return uvloop.new_event_loop


def _ready(settings: Settings, line: str) -> None:
    _log.info("started", extra=_about(settings))
    gc.freeze()  # what exists by now stays, so the collector need not scan it
    gc.set_threshold(_COLLECT_AFTER)
    gc.enable()
    with suppress(OSError):  # stdout may be closed
        print(line, flush=True)


def _about(settings: Settings) -> dict[str, object]:
    """Return the facts of the first log line: version, connection mode and database."""
    how = "socket mode" if settings.slack.app_token else "http"
    kind, *_ = re.split("[+:]", settings.database_url)  # the rest is an address
    return {"version": __version__, "how": how, "database": kind}


def on_first_signal(stop: Callable[[], object]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT; later ones do nothing as long as the interpreter runs.

    The handler stays installed instead of SIG_IGN: for a signal that arrives just then, Python would print that it was lost.
    """
    told = False

    def first(_sign: int, _frame: object) -> None:
        nonlocal told
        if not told:
            told = True
            stop()

    for sign in _ENDING:
        signal.signal(sign, first)


def ignore_signals() -> None:
    """Ignore all signals until the process has ended: while it shuts down, Python runs no handlers.

    Call this outside of a signal handler, where Python handles pending signals first.
    """
    for sign in (*_ENDING, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)


def setter_of(event: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Return a function that sets `event` from a signal handler; it does nothing once the loop is closed."""

    def set_it() -> None:
        with suppress(RuntimeError):  # the loop has closed
            loop.call_soon_threadsafe(event.set)

    return set_it


async def cancel_on(event: asyncio.Event, work: Awaitable[str | None]) -> str | None:
    """Return the result of `work`, or None if `event` is set first, which cancels the work."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        working.cancel()  # no effect once it is done
        await asyncio.wait([working])
    return None if working.cancelled() else working.result()
