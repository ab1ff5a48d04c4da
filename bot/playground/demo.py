"""`python -m bot demo`: the real bot with a local Slack and a local WeChat, in the browser and on the terminal."""

import asyncio
import errno
import os
import resource
import sys
import webbrowser
from dataclasses import replace
from itertools import count
from pathlib import Path

from bot.app.resources import CannotStartError
from bot.command.grammar import SLASH_COMMAND
from bot.observe.logs.setup import set_up
from bot.observe.output import FINE, complain
from bot.playground.acts import Acts
from bot.playground.orders import Orders, content
from bot.playground.page.server import served
from bot.playground.screen import Screen
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.stage import stage
from bot.playground.world import APPID, PLACES, ROLES
from bot.runtime.clock import Runtime
from bot.settings.files import environment
from bot.settings.table import SETTINGS

_REAL = [each.name for each in SETTINGS if each.secret]
_SCENARIO = Path(__file__).with_name("scenario.txt")
_TIMEOUT = "2"  # seconds; the default of ten would make the demo slow
_MOST_PORT = 65_535
_LEAST_FILES = 128  # the scenario needs half as many; the page adds a few
_UNREACHABLE = (
    "The demo's own servers cannot be reached at 127.0.0.1. A firewall or a sandbox may block that address: "
    "allow it, then start the demo again."
)
_WHERE = "The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it."


def demo(  # noqa: PLR0913  # the options of the command
    role: str | None,
    place: str | None,
    line: str | None,
    *,
    script: str | None,
    opens: bool,
    port: int,
) -> int:
    """Run the demo and return the exit code: a script, one line, or a page and a prompt on a terminal.

    `script` is a file, or empty for the fixed scenario; `opens` lets it open a browser; `port` is the page's, 0 for a free
    one.
    """
    role, place = role or "requester", place or "public"
    problem = _problem(role, place, line, script, port)
    if problem:
        return complain([problem])
    set_up("ERROR", "text", ())
    for name in [each for each in os.environ if each.upper().endswith("_PROXY")]:
        del os.environ[name]  # all servers are on this machine
    os.environ["no_proxy"] = "*"  # an operating system may have proxy settings, too
    if script is None and line is None and not sys.stdin.isatty():
        script = ""
    try:
        asyncio.run(_run(role, place, line, script, opens=opens, port=port))
    except KeyboardInterrupt:
        print()
    except OSError as error:
        return complain([_not_listening(error, port)])
    except CannotStartError:
        return complain([_UNREACHABLE])
    except SystemExit:  # of rich, since nobody reads on, as in `demo | head`
        pass
    return FINE


def _problem(role: str, place: str, line: str | None, script: str | None, port: int) -> str | None:
    found = [name for name in _REAL if environment().get(name)]
    if found:
        are, them = ("is", "it") if len(found) == 1 else ("are", "them")
        return (
            f"{', '.join(found)} {are} set, here or in .env. The demo has no use for real tokens: "
            f"unset {them}, or start the demo in another folder."
        )
    if role not in ROLES:
        return f"There is no role “{role}”. Use one of {', '.join(ROLES)}."
    if place not in PLACES:
        return f"There is no place “{place}”. Use one of {', '.join(PLACES)}."
    if not 0 <= port <= _MOST_PORT:
        return f"There is no port {port}. Use one from 1 to {_MOST_PORT}."
    if line is not None and line.split()[:1] != [SLASH_COMMAND]:
        return f"A line begins with {SLASH_COMMAND}, such as '{SLASH_COMMAND} help'."
    if line is not None and script is not None:
        return "--script plays a whole scenario. Leave out either it or the line."
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < _LEAST_FILES:
        return (
            f"The demo needs {_LEAST_FILES} open files and connections, and {limit} are allowed here. "
            "Run ulimit -n 1024, then start the demo again."
        )
    try:
        content(script or str(_SCENARIO))
    except ImpossibleError as impossible:
        return f"{impossible} Save a script from the demo's page, or with :save."
    return None


def _not_listening(error: OSError, port: int) -> str:
    """Return why the demo cannot listen on this machine, and what to do."""
    if port and error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Stop what listens there, or choose another --port."
    why = error.strerror or str(error)
    return f"The demo cannot listen at 127.0.0.1 ({why}). Allow it that address, also in a sandbox."


async def _run(  # noqa: PLR0913  # see above
    role: str, place: str, line: str | None, script: str | None, *, opens: bool, port: int
) -> None:
    numbers = count(1)
    runtime = replace(Runtime(), new_id=lambda: f"demo{next(numbers):04}", jitter=lambda: 0.5)
    async with stage(runtime, WECHAT_TIMEOUT=_TIMEOUT) as on:
        screen = Screen(on.slack.world)
        on.slack.on_change = screen.observe
        on.slack.on_view = screen.observe_view
        acts = Acts(on)
        orders = Orders(acts, screen, role, place)
        if line is not None:
            await orders.play([line])
        elif script is not None:
            if not script:
                screen.note(_WHERE)
            await orders.play(content(script or str(_SCENARIO)).split("\n"))
        else:
            await _serve(acts, orders, screen, opens=opens, port=port)


async def _serve(acts: Acts, orders: Orders, screen: Screen, *, opens: bool, port: int) -> None:
    """Serve the page, and read lines from the prompt until it is ended."""
    from bot.playground.terminal import prompt  # noqa: PLC0415  # prompt_toolkit is needed only here

    async with served(acts, port) as page:
        opened = opens and _has_browser() and await asyncio.to_thread(webbrowser.open, page.url)
        look = "Look at your browser" if opened else "Open this in your browser"
        screen.note(
            f"{look}: {page.url}\nOr go on here: type {SLASH_COMMAND} {APPID} prod-1, or help.\n{_WHERE}"
        )
        await prompt(acts, orders)


def _has_browser() -> bool:
    """Return whether there is a graphical browser; a text browser would take the terminal from the prompt."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return any(environment().get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
