import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from slack_sdk.web.async_client import AsyncWebClient

from bot.observe.output import UNSAFE
from bot.playground.screen import Screen
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.surfaces import View
from tests.conftest import opened
from tests.playground.conftest import (
    App,
    a_trigger,
    asks,
    buttons,
    home,
    line,
    modal,
    option,
    plain,
)

ENV = {"type": "external_select", "action_id": "env"}
BOXES = {"type": "checkboxes", "action_id": "how", "options": [option("dry"), option("loud")]}


@pytest.fixture
def screen(slack: LocalSlack) -> Screen:
    screen = Screen(slack.world, Console(file=io.StringIO(), highlight=False))
    slack.on_change, slack.on_view = screen.observe, screen.observe_view
    return screen


def printed(screen: Screen) -> list[str]:
    file: Any = screen.console.file
    return [row.rstrip() for row in file.getvalue().splitlines()]


async def test_a_messages_buttons_are_shown_below_its_text(
    api: AsyncWebClient, screen: Screen
) -> None:
    [block] = buttons("approve", "reject")
    said = {"type": "section", "text": plain("hello")}
    await api.chat_postMessage(channel="C0RELEASES", text="hello", blocks=[said, block])
    assert printed(screen) == [
        "  @share-env",
        "  │ hello",
        "  │ [ Approve ]  [ Reject ]",
    ]


@pytest.mark.parametrize(
    ("many", "shown"),
    [(1, ["1"]), (3, ["1", "2", "3"]), (4, ["1", "2", "…", "4"]), (99, ["1", "2", "…", "99"])],
)
async def test_of_a_long_list_the_beginning_and_the_end_are_shown(
    api: AsyncWebClient, screen: Screen, many: int, shown: list[str]
) -> None:
    lines = "\n".join(str(number) for number in range(1, many + 1))
    await api.chat_postMessage(channel="C0RELEASES", text=f"*all*\n```\n{lines}\n```\nend")
    assert printed(screen)[1:] == [f"  │ {line}" for line in ("all", *shown, "end")]


async def test_of_a_form_all_its_words_are_shown(
    slack: LocalSlack, api: AsyncWebClient, app: App, screen: Screen
) -> None:
    app.acks("form", response_action="errors", errors={"appid": "no such appid"})
    view = modal(
        {"type": "section", "text": plain("Who and what")},
        asks("appid", line("appid", placeholder=plain("wx…")), hint=plain("The receiver.")),
        asks("env", ENV),
        asks("how", BOXES, optional=True),
        close=plain("Not now"),
    )
    await api.views_open(trigger_id=a_trigger(slack), view=view)
    slack.offered["env"] = [option("test")]
    entries: dict[str, Any] = {"appid": "wx1", "env": "test", "how": ["loud"]}
    await slack.submit("U0SECOND", await opened(slack, "U0SECOND"), entries)
    slack.close("U0SECOND", await opened(slack, "U0SECOND"))
    assert printed(screen) == [
        "  Share · modal of @second · opened",
        "  │ Who and what",
        "  │ Appid",
        "  │ wx…",
        "  │ The receiver.",
        "  │ Env",
        "  │ How",
        "  │ Dry",
        "  │ Loud",
        "  Share · modal of @second · refused",
        "  Share · modal of @second · closed",
    ]


async def test_a_home_is_shown_with_every_kind_of_block(
    api: AsyncWebClient, screen: Screen
) -> None:
    words = [{"type": "text", "text": "four\nfive"}]
    listing = [{"type": "rich_text_preformatted", "elements": words}]
    view = home(
        {"type": "section", "text": plain("one")},
        {"type": "context", "elements": [plain("two"), plain("three")]},
        {"type": "rich_text", "elements": listing},
    )
    await api.views_publish(user_id="U0CHINESE", view=view)
    assert printed(screen) == [
        "  Home · home of @mei · published",
        "  │ one",
        "  │ two",
        "  │ three",
        "  │ four",
        "  │ five",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_wrapped_lines_keep_their_indent(slack: LocalSlack, width: int) -> None:
    screen = Screen(slack.world, Console(file=io.StringIO(), highlight=False, width=width))
    screen.console.width = width
    words = "word " * 60
    text = f"{words}\n1. {words}\n• {words}\n  {words}"
    screen.observe(
        PostedMessage("1.0", "C0RELEASES", "U0SHAREENV", text, thread_ts="0.9"), "posted"
    )
    _, *lines = printed(screen)
    assert max(map(len, lines)) <= width
    assert all(line.startswith("      │ ") for line in lines)
    assert not any(line.endswith(" ") for line in lines)
    inner = [line.removeprefix("      │ ") for line in lines]
    first, second = inner.index(next(x for x in inner if x.startswith("1. "))), len(inner)
    assert inner[first + 1].startswith("   word")
    assert sum(line.startswith("• ") for line in inner[:second]) == 1
    assert all(line.startswith("  word") for line in inner[-3:])


def test_texts_are_bright_and_frames_are_dim(slack: LocalSlack) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    screen = Screen(slack.world, console)
    screen.observe(PostedMessage("1.0", "C0RELEASES", "U0SHAREENV", "All is well"), "posted")
    file: Any = console.file
    assert "\x1b[2m  │ \x1b[0mAll is well" in file.getvalue()


HOSTILE = "\x1b[2J\x1b]0;title\x07\r\b\x9b1A\u202eab\u200bc\u200d\u2066\ufeff\x00\ud800"
READABLE = "🚒 ❤️ 中文"
FORGED = f"{READABLE}\n  @share-env {HOSTILE}"


def form() -> View:
    field = asks("appid", line("appid", placeholder=plain(HOSTILE)))
    return View(
        id="V1", user="U0SECOND", body=modal(field, title=plain(FORGED), submit=plain(FORGED))
    )


@pytest.mark.parametrize(
    "show",
    [
        lambda screen: screen.note(f"{READABLE}\t{HOSTILE}"),
        lambda screen: screen.typed("U0SECOND", "C0RELEASES", f"/share-env {READABLE} {HOSTILE}"),
        lambda screen: screen.clicked("U0SECOND", FORGED),
        lambda screen: screen.submitted("U0SECOND", form(), [FORGED]),
        lambda screen: screen.observe_view(form(), "opened"),
        lambda screen: screen.observe(
            PostedMessage("1.0", "C0RELEASES", f"U{FORGED}", f"*{FORGED}* `{HOSTILE}`"), "posted"
        ),
        lambda screen: screen.observe(
            PostedMessage("1.0", "D0DIRECT", "U0SECOND", f"<#C0RELEASES> {READABLE}"), "posted"
        ),
    ],
    ids=["note", "typed", "clicked", "submitted", "form", "message", "names"],
)
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_hostile_text_is_escaped_and_emoji_and_chinese_stay_readable(
    slack: LocalSlack, show: Callable[[Screen], None], *, terminal: bool
) -> None:
    channels = [replace(each, name=f"{each.name}{FORGED}") for each in slack.world.channels]
    people = [replace(each, name=f"{each.name}{FORGED}") for each in slack.world.people]
    world = replace(slack.world, channels=tuple(channels), people=tuple(people))
    file = io.StringIO()
    console = Console(
        file=file, highlight=False, force_terminal=terminal, color_system=None, width=1000
    )
    show(Screen(world, console))
    rows = file.getvalue().split("\n")
    assert [row for row in rows if re.search(UNSAFE, row)] == []
    assert READABLE in file.getvalue()
    assert not any(row.startswith("  @share-env") for row in rows)
