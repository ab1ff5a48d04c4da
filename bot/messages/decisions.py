"""What the requester and the channel see while a request waits for people, and if it ends before WeChat is called."""

from collections.abc import Mapping
from typing import Final

from bot.domain.click import Act
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Ground,
    Rejected,
    Skipped,
    SkipReason,
    Stopped,
)
from bot.domain.request import Request
from bot.messages.blocks import Announcement, Button, Buttons, Message, Part, message, small
from bot.messages.outcomes import Kind, kind_of
from bot.messages.request import (
    FOR_GOOD,
    all_appids,
    appids,
    in_channel,
    name,
    reason,
    why_command,
    with_comment,
)
from bot.messages.words import Words, code, msgid, sentences, when
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


NO_LONGER: Final = msgid(
    "The policy allowed this when you asked, and no longer does. {command} shows what it says now."
)
_WHY: Final[Mapping[Kind, tuple[str, str]]] = {
    Rejected: (
        msgid("🚫 *Rejected* by <@{by}>. Nothing was shared."),
        msgid("Talk to them before you ask again."),
    ),
    Cancelled: (
        msgid("🚫 *Cancelled* by <@{by}>. Nothing was shared."),
        msgid("To share it after all, send the command again."),
    ),
    "confirmation": (
        msgid("⌛ *You did not confirm in time.* Nothing was shared."),
        msgid("To share it after all, try again."),
    ),
    "approval": (
        msgid("⌛ *No approver decided in time.* Nothing was shared."),
        msgid("Talk to an approver, then try again. If you know none, ask {contact}."),
    ),
    Ground.NOT_ALLOWED: (
        msgid("🚫 *The policy does not allow this any more.* Nothing was shared."),
        msgid("{command} shows what the policy says now."),
    ),
    Ground.SEVERAL_RULES: (
        msgid("🚫 *Different rules now apply to these mini programs.* Nothing was shared."),
        msgid(
            "When you asked, one rule covered all of them. Now send one command for each rule. {command} shows the rule for one appid; type it for the others too."
        ),
    ),
    Ground.OTHER_OWNER: (
        msgid("🚫 *The env has another owner now.* Nothing was shared."),
        msgid(
            "The policy named {owner} when you asked, and does not any more. To share it all the same, send the command again."
        ),
    ),
    Stopped: (msgid("🚫 *Stopped by the policy.* Nothing was shared."), NO_LONGER),
    SkipReason.SHARED_BEFORE: (
        msgid("✅ *Another request shared it* while this one waited, so I did nothing more."),
        msgid("To share it once more, send the command with `--again`."),
    ),
    SkipReason.UNDER_WAY: (
        msgid(
            "🚫 *Another request is sharing it just now, or waiting to*, so this one did nothing."
        ),
        msgid("{history} tells how that one ends. If it fails, send the command again."),
    ),
}
"""Why a request ended, and what to do next."""


def answer(words: Words, request: Request, outcome: NotCalled) -> Message:
    """Tell the requester why the request ended, and what to do next."""
    say = words.about(request)
    why, then = _WHY[kind_of(outcome)]
    by = outcome.by if isinstance(outcome, Rejected | Cancelled) else ""
    comment = outcome.comment if isinstance(outcome, Rejected) else None
    return message(
        with_comment(words, say(why, by=by), comment),
        say(
            then,
            command=why_command(request.receivers[0], request.env),
            history=code(f"/share-env history {request.appid}"),
        ),
        small(name(words, request)),
    )
