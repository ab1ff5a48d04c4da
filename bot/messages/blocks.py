"""Messages as parts: each part is one block, and all parts together are the text that says the whole thing.

Sources: docs.slack.dev, "Formatting message text" (escaping) and "Block Kit" (limits). Screen readers and
notifications read the text alone, so nothing may stand in blocks only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from bot.domain.click import Act, value_of

Block = dict[str, object]


class Mrkdwn(str):
    """Text with Slack's markup, which `escape` leaves as it is."""

    __slots__ = ()


SECTION_LIMIT = 3000
TEXT_LIMIT = 4000
_LABEL_LIMIT = 75
_WORD_LIMIT = 64  # as long as an env can be


@dataclass(frozen=True, slots=True)
class Part:
    """One paragraph of Slack's mrkdwn; a small one is set as context, a whole one without Slack's “see more”."""

    text: str
    small: bool = False
    whole: bool = False

    def block(self) -> Block:
        """Return the part as Block Kit; `verbatim` keeps Slack from making mentions and links of words."""
        text = {"type": "mrkdwn", "text": _cut(self.text, SECTION_LIMIT), "verbatim": True}
        if self.small:
            return {"type": "context", "elements": [text]}
        return {"type": "section", "text": text, **({"expand": True} if self.whole else {})}


@dataclass(frozen=True, slots=True)
class Button:
    """One button: what stands on it, what it does, and to which request; `reason` where it asks for a new one."""

    label: str
    act: Act
    request_id: str
    style: Literal["primary", "danger"] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Buttons:
    """A row of buttons; whoever cannot see them has the text, which says the same."""

    row: tuple[Button, ...]
    text: str = ""

    def block(self) -> Block:
        """Return the row as Block Kit."""
        elements = [
            {
                "type": "button",
                "action_id": button.act.value,
                "text": plain(shortened(button.label, _LABEL_LIMIT)),
                "value": value_of(button.request_id, button.reason),
                **({"style": button.style} if button.style else {}),
            }
            for button in self.row
        ]
        return {"type": "actions", "elements": elements}


@dataclass(frozen=True, slots=True)
class Message:
    """What the bot says in one message."""

    parts: tuple[Part | Buttons, ...]

    @property
    def text(self) -> str:
        """Everything the message says, as mrkdwn."""
        return _cut("\n".join(part.text for part in self.parts if part.text), TEXT_LIMIT)

    @property
    def blocks(self) -> list[Block]:
        """The same as Block Kit."""
        return [part.block() for part in self.parts]

    def __add__(self, other: "Message") -> "Message":
        return Message(self.parts + other.parts)


@dataclass(frozen=True, slots=True)
class Announcement(Message):
    """What says that an answer follows, and nothing else: not to be said after it."""


def message(*parts: str | Part | Buttons | None) -> Message:
    """Return the Message of these paragraphs, leaving out what is None or empty."""
    whole = (Part(part) if isinstance(part, str) else part for part in parts)
    return Message(tuple(p for p in whole if p and (isinstance(p, Buttons) or p.text)))


def buttons(*row: Button | None) -> Buttons | None:
    """Return a row of those buttons that are there."""
    there = tuple(button for button in row if button)
    return Buttons(there) if there else None


def small(text: str) -> Part:
    """Return a paragraph in small print."""
    return Part(text, small=True)


def listing(title: str, lines: Iterable[str]) -> Part:
    """Return lines of code below a title, to be read one by one."""
    shown = "\n".join(escape(line).replace("`", "ˋ") for line in lines)
    return Part(f"{title}\n```\n{shown}\n```", whole=True)


def plain(text: str) -> Block:
    """Return text without markup, as labels and fields of forms have it."""
    return {"type": "plain_text", "text": text}


def escape(text: str) -> Mrkdwn:
    """Return `text` from people or from WeChat such that Slack shows it and does nothing else with it."""
    if isinstance(text, Mrkdwn):
        return text
    line = " ".join(text.split())
    return Mrkdwn(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def as_typed(text: str) -> str:
    """Return the text of a command as it was typed; Slack escapes three characters before it sends it."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def code(text: str, most: int = _WORD_LIMIT) -> Mrkdwn:
    """Return `text` as inline code, up to `most` characters of it; a backtick in it would end it early."""
    return Mrkdwn(f"`{escape(shortened(text, most).replace('`', 'ˋ')) or ' '}`")


def mention(user_id: str) -> Mrkdwn:
    """Return what Slack shows as the user's name."""
    return Mrkdwn(f"<@{user_id}>")


def shortened(text: str, most: int) -> str:
    """Return plain `text`, with a “…” for what is past `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cut(text: str, most: int) -> str:
    """Return mrkdwn such that it fits, and ends in no half of an entity or a mention."""
    return text if len(text) <= most else re.sub(r"[&<][^;>]*\Z", "", text[: most - 1]) + "…"


def steps(lines: Iterable[str]) -> str:
    """Return numbered lines."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def bullets(lines: Iterable[str]) -> str:
    """Return lines with bullets."""
    return "\n".join(f"• {line}" for line in lines)


def when(at: float) -> Mrkdwn:
    """Return a date that Slack shows in the reader's time zone; the text behind it is for those who cannot."""
    utc = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Mrkdwn(f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{utc}>")
