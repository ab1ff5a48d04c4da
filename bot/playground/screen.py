"""Print the conversation on a terminal as people would see it in Slack: who, where, and to whom."""

import html
import re
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.observe.output import printable
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.block_kit import texts
from bot.playground.slack.surfaces import View, ViewChange, elements, words_of
from bot.playground.slack.transcript import Change, PostedMessage
from bot.playground.world import World

_WIDTH = 96
_MANY = 20  # words
_MARKUP = re.compile(
    r"\*(?P<bold>[^*\n]+)\*|`(?P<code>[^`\n]+)`|<@(?P<user>\w+)>|<#(?P<channel>\w+)>|"
    r"<!subteam\^(?P<group>\w+)>|<!date\^[^|>]*\|(?P<date>[^>]+)>|<https?://[^|>]+\|(?P<link>[^>]+)>"
)
_ITEM = re.compile(r" *(?:\d+\. |• )?")
_FENCE = re.compile(r"```\n|\n```")
_LONG = re.compile(r"(?<=```\n)((?:[^`\n]+\n){2})(?:[^`\n]+\n)+(?=[^`\n]+\n```)")


class Screen:
    """Prints what people type and what Slack shows; `observe` is a listener for LocalSlack.on_change.

    `observe_view` is a listener for its `on_view`.
    """

    def __init__(self, world: World, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = _WIDTH
        self._names = {
            "USLACKBOT": "Slackbot",
            **{person.id: f"@{person.name}" for person in world.people},
            **{group.id: f"@{group.handle}" for group in world.groups},
            **{channel.id: f"#{channel.name}" for channel in world.channels},
        }

    def heading(self, text: str) -> None:
        """Print a heading."""
        self.console.print()
        self.console.rule(Text(text, "bold"), align="left")

    def note(self, text: str) -> None:
        """Print a note that is not part of the conversation."""
        self.console.print(Text(_safe(text)), soft_wrap=not self.console.is_terminal)

    def table(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print two columns, the second one wrapped."""
        grid = Table.grid(padding=(0, 2))
        for left, right in rows:
            grid.add_row(Text(left, "bold"), Text(right))
        self.console.print(grid)

    def typed(self, user: str, channel: str, line: str) -> None:
        """Print what a person types."""
        line = _safe(_shortened(line))
        self._who(user, f"in {self._name(channel)}")
        for part in Text(line).wrap(self.console, self.console.width - 3):
            self.console.print(Text("  ") + part)

    def clicked(self, user: str, button: str, did: str = "clicks") -> None:
        """Print what a person clicks."""
        self._who(user, f"{did} [{button}]")

    def submitted(self, user: str, view: View, entered: Iterable[Json]) -> None:
        """Print what a person enters into a form and submits."""
        words = ", ".join(f"“{_shortened(text)}”" for text in entered if isinstance(text, str))
        does = f"writes {words}, then clicks" if words else "clicks"
        self.clicked(user, words_of(view.body["submit"]), does)

    def observe(self, message: PostedMessage, change: Change) -> None:
        """Print a new or changed message."""
        marks = [
            f"only {self._name(message.ephemeral_to)} sees this" if message.ephemeral_to else "",
            "in the thread" if message.thread_ts else "",
            "" if change == "posted" else change,
        ]
        direct = message.channel.startswith("D") and not message.ephemeral_to
        place = f" in {self._name(message.channel)}" if direct else ""
        title = " · ".join(filter(None, [f"{self._name(message.user)}{place}", *marks]))
        indent = "      " if message.thread_ts else "  "
        self.console.print(Text(f"{indent}{title}", "yellow"))
        gone = change == "deleted"
        self._lines(indent, "" if gone else _without_rows(message.text))
        for block in () if gone else message.blocks:  # all else in them is in the text too
            if block["type"] == "actions":
                self._lines(indent, _buttons(block))

    def observe_view(self, view: View, change: ViewChange) -> None:
        """Print a modal or an App Home when it opens, changes or closes."""
        marks = [
            "Home" if view.kind == "home" else words_of(view.body["title"]),
            f"{view.kind} of {self._name(view.user)}",
            change,
        ]
        self.console.print(Text(_one_line(f"  {' · '.join(marks)}"), "yellow"))
        for block in () if change in {"closed", "refused"} else view.blocks:
            for words in [_buttons(block)] if block["type"] == "actions" else texts(block):
                self._lines("  ", words)

    def _who(self, user: str, does: str) -> None:
        self.console.print()
        who = Text.assemble((self._name(user), "bold green"), (f" {_one_line(does)}", "dim"))
        self.console.print(who)

    def _lines(self, indent: str, mrkdwn: str) -> None:
        bar = f"{indent}│ "
        plain = html.unescape(_MARKUP.sub(self._words, _safe(mrkdwn)))
        for part in Text(plain).split("\n", allow_blank=True):
            marker = len(_ITEM.match(part.plain)[0])  # type: ignore[index]  # it matches anything
            room = self.console.width - len(bar) - marker - 1
            wrapped = part[marker:].wrap(self.console, room) or [Text()]
            for number, line in enumerate(wrapped):
                begin = Text(" " * marker) if number else part[:marker]
                line.rstrip()
                self.console.print(Text.assemble((bar, "dim"), begin, line))

    def _name(self, id_: str | None) -> str:
        id_ = id_ or ""
        return "a direct message" if id_.startswith("D") else _one_line(self._names.get(id_, id_))

    def _words(self, found: re.Match[str]) -> str:
        """Return the words of mrkdwn's markup."""
        if found["bold"]:
            return _MARKUP.sub(self._words, found["bold"])
        named = found["user"] or found["channel"] or found["group"]
        return self._name(named) if named else found["code"] or found["date"] or found["link"]


def _shortened(text: str) -> str:
    """Return a typed line, with a long list of appids shortened."""
    words = text.split()
    return text if len(words) <= _MANY else " ".join([*words[:3], "…", *words[-2:]])


def _without_rows(text: str) -> str:
    """Return a text without code fences; long listings are reduced to their first and last rows."""
    return _FENCE.sub("", _LONG.sub(r"\1…\n", text))


def _safe(text: str) -> str:
    """Return untrusted text of one or more lines with unsafe characters escaped."""
    return "\n".join(map(printable, text.split("\n")))


def _one_line(text: str) -> str:
    return _safe(text).replace("\n", r"\n")


def _buttons(block: JsonObject) -> str:
    return "  ".join(f"[ {words_of(each['text'])} ]" for each in elements(block))
