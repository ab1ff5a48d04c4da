"""What the requester and the channel see while a request waits for people, and if it ends before WeChat is called."""

from bot.domain.click import Act
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Rejected,
    Skipped,
    Stopped,
)
from bot.domain.request import Request
from bot.messages.blocks import Announcement, Button, Buttons, Message, Part, message, small
from bot.messages.outcomes import ENDINGS, kind_of, next_step, who_ended
from bot.messages.request import (
    FOR_GOOD,
    all_appids,
    appids,
    in_channel,
    name,
    reason,
    with_comment,
)
from bot.messages.words import Words, sentences, when
from bot.policy.kinds import Rule

NotCalled = Rejected | Cancelled | Expired | Denied | Skipped | Stopped
"""The ways in which a request can end before WeChat is called."""


def confirmation(
    words: Words, request: Request, until: float, retried_by: str | None = None
) -> Message:
    """Ask the requester to confirm, and say until when: the bot cannot remove the buttons after that.

    `retried_by` is the user who retries the request for them.
    """
    say = words.about(request)
    return message(
        say("<@{by}> tries this again for you, and you have to confirm it.", by=retried_by)
        if retried_by
        else None,
        say("Share {env}, which {owner} owns, with {receivers}?"),
        appids(request, words("All of them are listed below.")),
        sentences(words, words(FOR_GOOD), words("Nothing happens until you confirm.")),
        small(reason(words, request)),
        Buttons(
            (
                Button(words("Share it"), Act.CONFIRM, request.id, "primary"),
                Button(words("Cancel"), Act.CANCEL, request.id),
            )
        ),
        small(
            say(
                "You can confirm until {when}; a later click shares nothing. Request {id}.",
                when=when(until),
            )
        ),
        *all_appids(words, request),
    )


def sent_to_approvers(words: Words, request: Request) -> Announcement:
    """Tell the requester at once that the approvers are being asked."""
    say = words.about(request)
    said = say(
        "Sharing {env} with {receivers} needs an approval, so I am asking the approvers. "
        "The answer follows. Request {id}."
    )
    return Announcement((Part(said),))


def no_approver(words: Words, rule: Rule) -> Message:
    """Say that the request has no possible approver, so nothing was done."""
    return message(
        words(
            "🚫 Rule “{rule}” asks for an approval, and nobody can give it. Nothing was done.",
            rule=rule.name,
        ),
        words(
            "None of its approvers is an active member of this workspace who may decide about this request."
        ),
        words("*Who can fix it:* {contact}."),
    )


def waiting(words: Words, request: Request) -> Message:
    """Tell the channel that the request waits for an approval, with a button to cancel it."""
    say = words.about(request)
    return in_channel(
        words,
        request,
        say("🕓 {who} asks to share {env} with {receivers}. It waits for an approval."),
        below=Buttons((Button(words("Cancel the request"), Act.CANCEL, request.id),)),
    )


def answer(words: Words, request: Request, outcome: NotCalled) -> Message:
    """Tell the requester why the request ended, and what to do next."""
    say = words.about(request)
    ending = ENDINGS[kind_of(outcome)]
    comment = outcome.comment if isinstance(outcome, Rejected) else None
    return message(
        with_comment(words, say(ending.why, by=who_ended(outcome)), comment),
        next_step(words, request, outcome, request.receivers[0]),
        small(name(words, request)),
    )
