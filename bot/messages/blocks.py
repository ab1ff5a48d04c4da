"""A message and its parts: each part becomes one block, and the parts' texts together become the message's text.

Screen readers and notifications use only the text, so it must contain everything that the blocks show. Sources:
docs.slack.dev, "Formatting message text" (escaping) and "Block Kit" (limits).

Also the reference of a posted message, as the ledger and the modal of a decision keep it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from itertools import chain
from typing import ClassVar, Final, Literal

from bot.domain.request import Act
from bot.messages.words import as_typed, code, escape, shortened

Block = dict[str, object]


SECTION_LIMIT = 3000
TEXT_LIMIT = 4000
_LONGEST_TEXT = 40_000  # of any message; beyond TEXT_LIMIT a notification shows less
COPIED_LIMIT = SECTION_LIMIT - 100
_LABEL_LIMIT = 75
_ON_A_PAGE = 10  # rows of a table
_WORDS = re.compile(
    r"<@(?P<user>\w+)>|<(?P<url>https?://[^|>]+)\|(?P<label>[^>]*)>|<!date[^|>]*\|(?P<utc>[^>]*)>"
    r"|`(?P<code>[^`]*)`|(?P<plain>[^<`]+|.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One paragraph of mrkdwn. `small`: a context block. `drawn` is shown before it in the block, but left out of the text."""

    text: str
    small: bool = False
    drawn: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)

    def block(self) -> Block:
        """Return the part as Block Kit; `verbatim` stops Slack from turning words into mentions and links."""
        seen = _cut(self.drawn + self.text, SECTION_LIMIT)
        text = {"type": "mrkdwn", "text": seen, "verbatim": True}
        if self.small:
            return {"type": "context", "elements": [text]}
        # `expand`: otherwise Slack folds long sections behind “see more”, which would hide steps.
        return {"type": "section", "text": text, "expand": True}


small = partial(Part, small=True)
"""A paragraph as a context block."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A line to copy, in a block of its own, so that nothing else is copied with it."""

    line: str

    @property
    def text(self) -> str:
        """The line for the message's text."""
        return code(self.line, COPIED_LIMIT)

    def block(self) -> Block:
        """Return the line as Block Kit."""
        line = {"type": "text", "text": shortened(self.line, COPIED_LIMIT)}
        return {
            "type": "rich_text",
            "elements": [{"type": "rich_text_preformatted", "elements": [line]}],
        }


@dataclass(frozen=True, slots=True)
class Button:
    """A button for one request; `reason` is the reason of the new request, if the button makes one.

    `about` tells users of screen readers which of several such buttons it is.
    """

    label: str
    act: Act
    request_id: str
    _: KW_ONLY
    style: Literal["primary", "danger"] | None = None
    reason: str | None = None
    about: str = ""


def value_of(request_id: str, reason: str | None) -> str:
    """Return a button's value: the request's id and, if there is one, the reason."""
    return f"{request_id} {reason}" if reason else request_id


def read_value(value: str) -> tuple[str, str | None]:
    """Return the request's id and the reason from a button's value."""
    request_id, _, reason = value.partition(" ")
    return request_id, reason or None


@dataclass(frozen=True, slots=True)
class Buttons:
    """A row of buttons, which adds nothing to the message's text."""

    text: ClassVar[str] = ""

    row: tuple[Button, ...]

    def block(self) -> Block:
        """Return the row as Block Kit."""
        elements = [
            {
                "type": "button",
                "action_id": button.act.value,
                "text": plain(button.label),
                "value": value_of(button.request_id, button.reason),
                **({"style": button.style} if button.style else {}),
                **({"accessibility_label": _heard(button)} if button.about else {}),
            }
            for button in self.row
        ]
        return {"type": "actions", "elements": elements}


def _heard(button: Button) -> str:
    # Without mentions, so that it notifies nobody.
    return _cut(f"{button.label} {re.sub('[<>]', '', button.about)}", _LABEL_LIMIT)


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table that can be sorted and filtered, whose first column names each row; `instead` says the same without it.

    Its cells are mrkdwn with mentions, dates, links and code only. Its `text` has all rows, one in a line, since a screen
    reader may read nothing else. A table has 200 rows at most. Source: docs.slack.dev, "Data table block".
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: str
    instead: "tuple[Part, ...]"

    def block(self) -> Block:
        """Return the table as Block Kit."""
        return {
            "type": "data_table",
            "caption": _plain(self.caption.strip("*")),
            "rows": [[_cell(text) for text in row] for row in (self.header, *self.rows)],
            "page_size": _ON_A_PAGE,
            "row_header_column_index": 0,
        }


def _cell(text: str) -> Block:
    """Return mrkdwn as a table's cell: rich text where it has a mention or a link, which a header may not have.

    Dates stand in UTC, so that they can be sorted.
    """
    words = [_word(found) for found in _WORDS.finditer(text)]
    if all(word["type"] == "text" for word in words):
        return {"type": "raw_text", "text": _plain(text)}
    line = {"type": "rich_text_section", "elements": words}
    return {"type": "rich_text", "elements": [line]}


def _plain(text: str) -> str:
    """Return mrkdwn without its marks; a mention is left out."""
    return "".join(str(_word(found).get("text", "")) for found in _WORDS.finditer(text))


def _word(found: re.Match[str]) -> Block:
    if user := found["user"]:
        return {"type": "user", "user_id": user}
    if url := found["url"]:
        return {"type": "link", "url": as_typed(url), "text": as_typed(found["label"].strip("`"))}
    return {"type": "text", "text": as_typed(found["utc"] or found["code"] or found["plain"])}


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    parts: tuple[Part | Copied | Buttons | DataTable, ...]

    @property
    def text(self) -> str:
        """The whole message as mrkdwn."""
        most = _LONGEST_TEXT if self.has_table else TEXT_LIMIT
        return _cut("\n".join([part.text for part in self.parts if part.text]), most)

    @property
    def blocks(self) -> list[Block]:
        """The whole message as Block Kit."""
        return [part.block() for part in self.parts]

    @property
    def has_table(self) -> bool:
        """Whether a part of it is a table, which Slack may refuse."""
        return any(isinstance(part, DataTable) for part in self.parts)

    @property
    def without_table(self) -> "Message":
        """The same message with what says the same as its table instead of that."""
        parts = (part.instead if isinstance(part, DataTable) else (part,) for part in self.parts)
        return Message(tuple(chain.from_iterable(parts)))

    def __add__(self, other: "Message") -> "Message":
        return Message(self.parts + other.parts)


@dataclass(frozen=True, slots=True)
class Announcement(Message):
    """A message that only announces how a request will be answered: once that has ended, it is not needed, and not true."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Mended(Message):
    """A message about what somebody can mend; while their form is open, `mistake` stands at its `field` instead."""

    field: str
    mistake: str


def message(*parts: str | Part | Copied | Buttons | DataTable | None) -> Message:
    """Return a message of these parts, without those that are None or empty."""
    return Message(tuple([Part(part) if isinstance(part, str) else part for part in parts if part]))


def as_arguments(message: Message) -> dict[str, object]:
    """Return a message as arguments of chat.update, chat.postEphemeral and chat.postMessage, with nothing linked."""
    return {"text": message.text, "blocks": message.blocks, "parse": "none"}


PLAINLY: Final[Mapping[str, object]] = {"unfurl_links": False, "unfurl_media": False}
"""The arguments of chat.postMessage for a message without previews of its links."""


def as_response(message: Message) -> dict[str, object]:
    """Return a message as the body of an ack or a response_url, visible to the user only."""
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}


def listing(title: str, lines: Iterable[str]) -> Part:
    """Return a title and, below it, lines in a code block."""
    shown = "\n".join(escape(line).replace("`", "ˋ") for line in lines)
    return Part(f"{title}\n```\n{shown}\n```")


def plain(text: str) -> Block:
    """Return a plain_text object, which labels and form fields need."""
    return {"type": "plain_text", "text": text}


def _cut(text: str, most: int) -> str:
    """Return mrkdwn cut to `most` characters, but not within an entity or a mention."""
    return text if len(text) <= most else re.sub(r"[&<][^;>]*\Z", "", text[: most - 1]) + "…"


@dataclass(frozen=True, slots=True)
class Posted:
    """A posted message; `channel` is the conversation's id, also for a direct message.

    `root` is the thread that it is a reply in, else empty; two are the same message whatever their `root`. Without a `ts`,
    it is about to be posted, and `channel` may be a user's id.
    """

    channel: str
    ts: str
    root: str = field(default="", compare=False)


def ref_of(*stand: Posted) -> str:
    """Return the reference of posted messages: channel/ts, or channel/ts/root for a reply, joined by spaces.

    That of a message which is about to be posted is channel/.
    """
    return " ".join("/".join([at.channel, at.ts, *filter(None, [at.root])]) for at in stand)


def filled(ref: str | None, posted: str | None) -> str | None:
    """Return the reference in which a message that was about to be posted is the one `posted` in its conversation.

    None if no such message was about to be.
    """
    here = next(iter(read_ref(posted)), None)
    planned = read_ref(ref)
    if here is None or Posted(here.channel, "") not in planned:
        return None
    return ref_of(*(here if at == Posted(here.channel, "") else at for at in planned))


def read_ref(ref: str | None) -> list[Posted]:
    """Return the posted messages of a reference; none for a private place."""
    found = (word.split("/") for word in (ref or "").split() if "/" in word)
    return [Posted(channel, ts, "".join(root)) for channel, ts, *root in found]
