"""What a request is about, in the words that every message about it uses."""

from collections.abc import Sequence

from bot.domain.request import Request
from bot.messages.blocks import Part, code, escape, small
from bot.messages.words import Words


def receivers(words: Words, request: Request) -> str:
    """Return who is to receive access: the appid or, of a batch, how many there are."""
    return how_many(words, request.receivers)


def how_many(words: Words, appids: Sequence[str]) -> str:
    """Return one appid as it is, or the number of several."""
    if len(appids) == 1:
        return code(appids[0])
    return words.count("{count} mini program", "{count} mini programs", len(appids))


def asks(words: Words, request: Request) -> str:
    """Return who asks for what, for those who decide."""
    return words(
        "<@{user}> asks to share {env} with {receivers}.",
        user=request.origin.user_id,
        env=code(request.env),
        receivers=receivers(words, request),
    )


def reason(words: Words, request: Request) -> Part | None:
    """Return why it is asked for."""
    if not request.reason:
        return None
    return small(words("Reason: {reason}", reason=escape(request.reason)))


def name(words: Words, request: Request) -> Part:
    """Return the id by which the request is found again."""
    return small(words("Request {id}", id=code(request.id)))
