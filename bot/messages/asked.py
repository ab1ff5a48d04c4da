"""What a request is about, in the words that every message about it uses."""

from collections.abc import Sequence

from bot.domain.request import Request
from bot.messages.blocks import Mrkdwn, Part, code, mention, small
from bot.messages.words import Words


def about(words: Words, request: Request) -> Words:
    """Return words that know the request, so that its places in a sentence need not be given."""
    user = request.origin.user_id
    return words.knowing(
        id=code(request.id),
        user=user,
        who=mention(user),
        env=code(request.env),
        owner=code(request.owner),
        appid=code(request.appid),
        receivers=how_many(words, request.receivers),
        rule=request.rule,
        reason=request.reason or "",
    )


def how_many(words: Words, appids: Sequence[str]) -> Mrkdwn:
    """Return one appid as it is, or the number of several."""
    if len(appids) == 1:
        return code(appids[0])
    return words.count("{count} mini program", "{count} mini programs", len(appids))


def asks(words: Words, request: Request) -> str:
    """Return who asks for what, for those who decide."""
    say = about(words, request)
    return say("<@{user}> asks to share {env} with {receivers}.")


def why_command(appid: str, env: str) -> Mrkdwn:
    """Return the command that says which rule decides about them, and why."""
    return code(f"/share-env why {appid} {env}", 120)


def reason(words: Words, request: Request) -> Part | None:
    """Return why it is asked for."""
    if not request.reason:
        return None
    return small(words("Reason: {reason}", reason=request.reason))


def name(words: Words, request: Request) -> Part:
    """Return the id by which the request is found again."""
    return small(words("Request {id}", id=code(request.id)))
