"""`python -m bot demo`: the real bot with a local Slack and a local WeChat, in the browser and on the terminal."""

import asyncio
import os
import sys
import webbrowser
from dataclasses import replace
from itertools import count
from pathlib import Path

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
from bot.settings.environ import environment
from bot.settings.table import SETTINGS

_REAL = [each.name for each in SETTINGS if each.secret]
_SCENARIO = Path(__file__).with_name("scenario.txt")
_TIMEOUT = "2"  # seconds; the default of ten would make the demo slow
_WHERE = "The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it."


def demo(
    role: str | None, place: str | None, line: str | None, *, script: str | None, opens: bool
) -> int:
    """Run the demo and return the exit code: a script, one line, or a page and a prompt on a terminal.

    `script` is a file, or empty for the fixed scenario; `opens` lets it open a browser.
    """
    role, place = role or "requester", place or "public"
    problem = _problem(role, place, line, script)
    if problem:
        return complain([problem])
    set_up("ERROR", "text", ())
    for name in [each for each in os.environ if each.upper().endswith("_PROXY")]:
        del os.environ[name]  # all servers are on this machine
    os.environ["no_proxy"] = "*"  # an operating system may have proxy settings, too
    if script is None and line is None and not sys.stdin.isatty():
        script = ""
    try:
        asyncio.run(_run(role, place, line, script, opens=opens))
    except KeyboardInterrupt:
        print()
    except SystemExit:  # of rich, since nobody reads on, as in `demo | head`
        pass
    return FINE


def _problem(role: str, place: str, line: str | None, script: str | None) -> str | None:
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
    if line is not None and line.split()[:1] != [SLASH_COMMAND]:
        return f"A line begins with {SLASH_COMMAND}, such as '{SLASH_COMMAND} help'."
    if line is not None and script is not None:
        return "--script plays a whole scenario. Leave out either it or the line."
    try:
        content(script or str(_SCENARIO))
    except ImpossibleError as impossible:
        return f"{impossible} Save a script from the demo's page, or with :save."
    return None


async def _run(role: str, place: str, line: str | None, script: str | None, *, opens: bool) -> None:
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
            await _serve(acts, orders, screen, opens=opens)


async def _serve(acts: Acts, orders: Orders, screen: Screen, *, opens: bool) -> None:
    """Serve the page, and read lines from the prompt until it is ended."""
    from bot.playground.terminal import prompt  # noqa: PLC0415  # prompt_toolkit is needed only here

    async with served(acts) as page:
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
