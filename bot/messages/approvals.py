"""What the approvers see: the question, its reminder, and what replaces it after the decision."""

from collections.abc import Sequence

from bot.domain.click import Act
from bot.domain.outcome import Finished, Outcome, Rejected
from bot.domain.request import Request
from bot.messages.blocks import Button, Buttons, Message, Part, message, small
from bot.messages.history import Line
from bot.messages.outcomes import became, mark
from bot.messages.request import FOR_GOOD, appids, in_channel, with_comment
from bot.messages.words import (
    Mrkdwn,
    Words,
    bullets,
    channel_name,
    how_many,
    msgid,
    sentences,
    when,
)

_PAST = 3
_LISTED = msgid("All of them are listed in the thread below.")


def question(
    words: Words, request: Request, past: Sequence[Line], until: float, approvers: str
) -> Message:
    """Ask the approvers to decide.

    `past` holds earlier shares of the env. `approvers` mentions the approvers; it is empty if everybody may decide.
    """
    say = words.about(request)
    return message(
        say(
            "🕓 {approvers}: {who} asks to share {env} with {receivers}.",
            approvers=Mrkdwn(approvers) or words("Everybody here"),
        ),
        appids(request, words(_LISTED)),
        details(words, request),
        _before(words, past),
        choice(words, request),
        limits(words, request, until),
    )


def limits(words: Words, request: Request, until: float) -> Part:
    """Return that a share cannot be undone, and when the question expires."""
    say = words.about(request)
    expiry = say("Without a decision the request ends {when}. Request {id}.", when=when(until))
    return small(sentences(words, words(FOR_GOOD), expiry))


def choice(words: Words, request: Request) -> Buttons:
    """Return the buttons Approve and Reject."""
    which = f"{request.env}, {request.id}"
    approve = Button(words("Approve"), Act.APPROVE, request.id, "primary", about=which)
    reject = Button(words("Reject"), Act.REJECT, request.id, "danger", about=which)
    return Buttons((approve, reject))


def details(words: Words, request: Request) -> str:
    """Return the reason, the channel, the owner of the env, and the rule."""
    say, channel = words.about(request), request.origin.channel_id
    there = channel_name(channel) if channel.startswith(("C", "G")) else say("a direct message")
    lines = [
        say("*Why:* {reason}") if request.reason else say("*Why:* no reason was given"),
        say("*From:* {channel}", channel=there),
        say("*Owner of the env:* {owner}"),
        say("*Rule:* “{rule}”"),
    ]
    return "\n".join(lines)


def _before(words: Words, past: Sequence[Line]) -> str:
    if not past:
        return words("*I have not shared this env before.*")
    lines = [_earlier(words, earlier) for earlier in past[:_PAST]]
    shown = [*lines, *([words("and earlier ones")] if len(past) > _PAST else [])]
    return f"{words('*This env was shared before*')}\n{bullets(shown)}"


def _earlier(words: Words, earlier: Line) -> str:
    say, receivers = words.about(earlier.request), how_many(words, earlier.request.receivers)
    if isinstance(earlier.outcome, Finished):
        count = earlier.outcome.tally.shared
        receivers = words.count("{count} mini program", "{count} mini programs", count)
    shared = say("with {receivers} by {who}, {when}", receivers=receivers, when=when(earlier.at))
    return shared + (f" · <{earlier.link}|{say('thread')}>" if earlier.link else "")


def reminder(words: Words, request: Request, until: float, approvers: str | None) -> Message:
    """Remind the approvers of the question; `approvers` as in the question, or None if its rule is gone."""
    say = words.about(request)
    return message(
        say(
            "This still waits for a decision, and ends {when}. Request {id}."
            if approvers is None
            else "{approvers}: this still waits for a decision, and ends {when}. Request {id}.",
            approvers=Mrkdwn(approvers or "") or words("Everybody here"),
            when=when(until),
        )
    )


def decided(
    words: Words, request: Request, outcome: Outcome | None, at: float, *, commented: bool = True
) -> Message:
    """Replace the question: who decided, when and, once known, how the request ended; also the comment, if `commented`."""
    said, say = _verdict(words, request, outcome, at), words.about(request)
    return in_channel(
        words,
        request,
        with_comment(words, said, _comment(request, outcome) if commented else None),
        say("{who} asked to share {env} with {receivers}."),
        many=words(_LISTED),
    )


def _comment(request: Request, outcome: Outcome | None) -> str | None:
    if request.approval:
        return request.approval.comment
    return outcome.comment if isinstance(outcome, Rejected) else None


def _verdict(words: Words, request: Request, outcome: Outcome | None, at: float) -> str:
    sign, end = mark(outcome) if outcome else "⏳", became(words, request, outcome)
    if request.approval and outcome:
        by = request.approval.by
        return words(
            "{mark} <@{by}> approved this, {when}: {end}", mark=sign, by=by, when=when(at), end=end
        )
    return words("{mark} {when}: {end}", mark=sign, when=when(at), end=end)
