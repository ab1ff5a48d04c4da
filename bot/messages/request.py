"""The parts that messages about a request have in common: the sentence, its appids, its command."""

from typing import Final

from bot.domain.request import Request
from bot.messages.blocks import Message, Part, listing, message
from bot.messages.words import FEW_APPIDS, Mrkdwn, Words, code, msgid

ASKS: Final = msgid("{who} asks to share {env} with {receivers}.")
FOR_GOOD: Final = msgid(
    "A share cannot be undone through WeChat's API; only the owner's admin can, in WeChat DevTools."
)


def why_command(appid: str, env: str) -> Mrkdwn:
    """Return the `why` command for this appid and env."""
    return code(f"/share-env why {appid} {env}", 120)


_IN_SECTION = 100  # of 19 characters each; a section has room for 3,000
_IN_REPLY = 2  # sections; more would not fit into the text of a message


def all_appids(words: Words, request: Request) -> tuple[Part, ...]:
    """Return a batch's appids if they are more than ten, in order, one per line to fit a phone."""
    total = len(request.appids)
    starts = range(0, total, _IN_SECTION) if total > FEW_APPIDS else ()
    return tuple(_section(words, request.appids, start) for start in starts)


def _section(words: Words, listed: tuple[str, ...], start: int) -> Part:
    shown = listed[start : start + _IN_SECTION]
    end = start + len(shown)
    span = f"{start + 1}–{end}" if len(shown) > 1 else f"{end}"
    return listing(words("*{span} of {total}*", span=span, total=len(listed)), shown)


def replies(words: Words, request: Request) -> list[Message]:
    """Return a batch's appids, if they are more than ten, as messages for a thread."""
    parts = all_appids(words, request)
    return [message(*parts[at : at + _IN_REPLY]) for at in range(0, len(parts), _IN_REPLY)]
