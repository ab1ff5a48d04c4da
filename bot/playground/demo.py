"""`python -m bot demo`: the real bot against a local Slack and a local WeChat, on the terminal."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from bot.command import SLASH_COMMAND
from bot.ops.logs.setup import set_up
from bot.playground.faults import Code, Drop, Fault, Hang, Status
from bot.playground.scenario import play
from bot.playground.screen import Screen
from bot.playground.stage import APPID, PLACES, ROLES, Stage, stage
from bot.runtime.clock import Runtime
from bot.settings.environ import environment

_FINE, _WRONG_USAGE = 0, 2
_REAL = (
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "WECHAT_AUTHORIZER_ACCESS_TOKEN",
    "WECHAT_TOKEN_SERVER_URL",
    "WECHAT_TOKEN_SERVER_AUTHORIZATION",
    "WECHAT_COMPONENT_APPSECRET",
    "WECHAT_AUTHORIZER_REFRESH_TOKEN",
)
_TIMEOUT = "1"  # seconds; the real default of ten would make a demo of patience
_TROUBLES: Mapping[str, tuple[Fault, ...]] = {
    "ok": (),
    "busy": (Code(-1), Code(-1)),
    "timeout": (Hang(60),) * 4,
    "drop": (Drop(after_effect=True),) * 4,
    "html": (Status(502),),
}
_WHERE = (
    "The real bot, with a Slack and a WeChat made up on this machine. Nothing leaves it. "
    "The bot keeps the platform's tokens itself."
)
_PEOPLE = (
    "requester (platform team), second (test envs only), outsider, guest, approver, "
    "mei (reads Chinese)"
)
_CONVERSATIONS = "public, private (without the bot), dm (between two people), archived, approvals (the approvers')"
_HELP = f"""\
/share-env <appid> <env>   ask as in Slack; an appid to try: {APPID}
:as ROLE                   {_PEOPLE}
:in PLACE                  {_CONVERSATIONS}
:wechat TROUBLE            for the next call: an errcode such as 85088, or {", ".join(_TROUBLES)}
:help, :quit
Buttons and forms cannot be clicked here; `demo --script` shows what comes of them."""


def demo(role: str | None, place: str | None, line: str | None, *, script: bool) -> int:
    """Run the demo and return the exit code: the scenario, one line, or a prompt on a terminal."""
    role, place = role or "requester", place or "public"
    problem = _problem(role, place, line, script=script)
    if problem:
        print(problem, file=sys.stderr)
        return _WRONG_USAGE
    set_up("ERROR", "text", ())
    try:
        asyncio.run(_run(role, place, line, prompt=not (script or line) and sys.stdin.isatty()))
    except KeyboardInterrupt:
        print()
    return _FINE


def _problem(role: str, place: str, line: str | None, *, script: bool) -> str | None:
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
    if line is not None and script:
        return "--script plays the whole scenario. Leave out either it or the line."
    return None


async def _run(role: str, place: str, line: str | None, *, prompt: bool) -> None:
    numbers = count(1)
    runtime = replace(Runtime(), new_id=lambda: f"demo{next(numbers):04}", jitter=lambda: 0.5)
    async with stage(runtime, WECHAT_TIMEOUT=_TIMEOUT) as on:
        screen = Screen(on.slack.world)
        on.slack.on_change = screen.observe
        on.slack.on_view = screen.observe_view
        if line is not None:
            await _say(on, screen, role, place, line)
        elif prompt:
            await _Prompt(on, screen, role, place).loop()
        else:
            screen.note(f"{_WHERE}\n\nSo far, WeChat has heard and said:\n{on.wechat.transcript()}")
            await play(on, screen)


async def _say(on: Stage, screen: Screen, role: str, place: str, line: str) -> None:
    screen.typed(ROLES[role], PLACES[place], line)
    await on.type(ROLES[role], PLACES[place], line.removeprefix(SLASH_COMMAND).strip())


class _Prompt:
    """Takes commands from a person."""

    def __init__(self, on: Stage, screen: Screen, role: str, place: str) -> None:
        self._on = on
        self._screen = screen
        self._role = role
        self._place = place

    async def loop(self) -> None:
        """Take commands until :quit, the end of input, or Ctrl-C."""
        self._screen.note(f"{_WHERE}\n{_HELP}\n\nTry: {SLASH_COMMAND} {APPID} prod-1")
        keys = _keyboard()
        while True:
            print(f"\n{self._role} in {self._place}> ", end="", flush=True)
            typed = await keys.readline()
            if not typed:
                print()  # Ctrl-D leaves the cursor behind the prompt
            line = typed.decode(errors="replace")
            words = line.split()
            if not typed or words[:1] in ([":quit"], [":q"], [":exit"]):
                return
            if words[:1] == [SLASH_COMMAND]:
                await _say(self._on, self._screen, self._role, self._place, line.strip())
            elif words:
                self._screen.note(self._order(words[0], " ".join(words[1:])))

    def _order(self, order: str, value: str) -> str:
        """Follow an order to the playground and return what to say about it."""
        match order:
            case ":as" if value in ROLES:
                self._role = value
                return f"You are {value}."
            case ":as":
                no = f"There is no role “{value}”. " if value else ""
                return f"{no}You are still {self._role}. The roles: {_PEOPLE}."
            case ":in" if value in PLACES:
                self._place = value
                return f"You are in {value}."
            case ":in":
                no = f"There is no place “{value}”. " if value else ""
                return f"{no}You are still in {self._place}. The places: {_CONVERSATIONS}."
            case ":wechat":
                return self._wechat(value)
            case ":help":
                return _HELP
            case _:
                return f"Type {SLASH_COMMAND} … as in Slack, or :help."

    def _wechat(self, value: str) -> str:
        if value in _TROUBLES:
            self._on.wechat.fail("shareenv", *_TROUBLES[value])
            return f"The next call to WeChat meets: {value}."
        try:
            self._on.wechat.fail("shareenv", Code(int(value)))
        except ValueError:
            return f"Use an errcode such as 85088, or one of {', '.join(_TROUBLES)}."
        return f"The next call to WeChat meets errcode {value}."


def _keyboard() -> asyncio.StreamReader:
    """Return the terminal's lines; read by the loop itself, so that Ctrl-C ends it at once."""
    keys = asyncio.StreamReader()
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        if typed := os.read(stdin, 4096):
            keys.feed_data(typed)
        else:
            loop.remove_reader(stdin)
            keys.feed_eof()

    loop.add_reader(stdin, readable)
    return keys
