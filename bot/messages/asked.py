"""What all messages about a request have in common: its values in sentences, its reason, its id."""

from collections.abc import Sequence

from bot.domain.request import Request
from bot.messages.blocks import Mrkdwn, Part, code, escape, mention, small
from bot.messages.words import Words


def about(words: Words, request: Request) -> Words:
    """Return words that fill `{id}`, `{who}`, `{env}` and the other places below from the request."""
    user = request.origin.user_id
    return words.knowing(
        id=lambda: code(request.id),
        user=lambda: escape(user),
        who=lambda: mention(user),
        env=lambda: code(request.env),
        owner=lambda: code(request.owner),
        appid=lambda: code(request.appid),
        receivers=lambda: how_many(words, request.receivers),
        rule=lambda: escape(request.rule),
        reason=lambda: escape(request.reason or ""),
    )


def how_many(words: Words, appids: Sequence[str]) -> Mrkdwn:
    """Return the appid if there is one, else how many there are."""
    if len(appids) == 1:
        return code(appids[0])
    return words.count("{count} mini program", "{count} mini programs", len(appids))


def asks(words: Words, request: Request) -> str:
    """Tell an approver who asks for what."""
    say = about(words, request)
    return say("<@{user}> asks to share {env} with {receivers}.")


def why_command(appid: str, env: str) -> Mrkdwn:
    """Return the `why` command for this appid and env."""
    return code(f"/share-env why {appid} {env}", 120)


def reason(words: Words, request: Request) -> Part | None:
    """Return the reason that the requester gave, if any."""
    if not request.reason:
        return None
    return small(words("Reason: {reason}", reason=request.reason))


def name(words: Words, request: Request) -> Part:
    """Return the line with the id of the request."""
    return small(words("Request {id}", id=code(request.id)))
