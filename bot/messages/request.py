"""A request in words, for all messages about one: the sentence, its appids, its reason and its id."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from bot.domain.request import Request
from bot.messages.blocks import TEXT_LIMIT, Buttons, Message, Part, listing, message, small
from bot.messages.words import Words, code, msgid

T = TypeVar("T")
ASKS: Final = msgid("{who} asks to share {env} with {receivers}.")


def in_channel(
    words: Words,
    request: Request,
    *above: str | Part | None,
    below: Buttons | None = None,
    many: str = "",
) -> Message:
    """Return a message for a channel: `above`, a batch's appids (see `appids`), the reason, `below`, the request's id."""
    return message(
        *above,
        appids(request, many),
        small(reason(words, request)),
        below,
        small(name(words, request)),
    )


_FEW = 10  # appids, which stand in one line


def appids(request: Request, many: str) -> str:
    """Return the appids of a batch in one line or, if there are more than ten, `many`, which says where they are listed."""
    return many if len(request.appids) > _FEW else " ".join(map(code, request.appids))


def reason(words: Words, request: Request) -> str:
    """Return the reason that the requester gave, if any."""
    say = words.about(request)
    return say("Reason: {reason}") if request.reason else ""


def name(words: Words, request: Request) -> str:
    """Return the line with the id of the request."""
    return words("Request {id}", id=code(request.id))


IN_SECTION = 100
"""Appids of 19 characters each; a section has room for 3,000."""


def all_appids(words: Words, request: Request) -> tuple[Part, ...]:
    """Return a batch's appids if they are more than ten, in order, one per line to fit a phone."""
    return parts_of(words, request.appids) if len(request.appids) > _FEW else ()


def parts_of(words: Words, appids: Sequence[str], title: str = "") -> tuple[Part, ...]:
    """Return appids, one per line, in parts that a section has room for, each below the title and which of them they are."""
    starts = range(0, len(appids), IN_SECTION)
    return tuple(_section(words, appids, start, title) for start in starts)


def _section(words: Words, listed: Sequence[str], start: int, title: str) -> Part:
    shown = listed[start : start + IN_SECTION]
    end = start + len(shown)
    span = f"{start + 1}–{end}" if len(shown) > 1 else f"{end}"
    which = words("*{span} of {total}*", span=span, total=len(listed))
    return listing("\n".join(filter(None, [title, which])), shown)


def replies(words: Words, request: Request) -> list[Message]:
    """Return a batch's appids, if they are more than ten, as messages for a thread."""
    return in_replies(all_appids(words, request))


def in_replies(parts: Sequence[Part]) -> list[Message]:
    """Return parts as messages for a thread, as many in each as the text of a message has room for."""
    return [message(*some) for some in packed(parts, lambda part: part)]


def packed(items: Sequence[T], part_of: Callable[[T], Part]) -> list[list[T]]:
    """Return items in groups, in order, as many in each as the text of a message has room for with their parts."""
    groups, room = list[list[T]](), 0
    for item in items:
        room -= len(part_of(item).text) + 1
        if room < 0:
            groups.append([])
            room = TEXT_LIMIT - len(part_of(item).text)
        groups[-1].append(item)
    return groups
