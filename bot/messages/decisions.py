"""What waits for people, and how it ends without a call: confirmations, approvals, cancellations."""

from collections.abc import Sequence
from typing import assert_never

from bot.click import Act
from bot.messages.asked import name, reason, receivers
from bot.messages.blocks import (
    Button,
    Buttons,
    Message,
    Part,
    bullets,
    buttons,
    code,
    escape,
    message,
    small,
    when,
)
from bot.messages.lists import sentences
from bot.messages.rules import contact
from bot.messages.words import Words
from bot.outcome import (
    Cancelled,
    Denied,
    Expired,
    Finished,
    Outcome,
    Rejected,
    Shared,
    Unknown,
)
from bot.policy import Policy, Rule
from bot.request import Request

_LISTED_APPIDS = 10
_PAST = 3

Undecided = Rejected | Cancelled | Expired | Denied
"""How a request can end before WeChat is asked."""

Past = tuple[Request, float, str | None]
"""An earlier share: when it ended, and the address of its thread."""


def confirmation(words: Words, request: Request, minutes: int) -> Message:
    """Ask the requester, alone, whether they are sure."""
    return message(
        words(
            "Share {env}, which {owner} owns, with {receivers}?",
            env=code(request.env),
            owner=code(request.owner),
            receivers=receivers(words, request),
        ),
        appids(request),
        words("It cannot be undone through WeChat's API. Nothing happens until you confirm."),
        reason(words, request),
        buttons(
            Button(words("Share it"), Act.CONFIRM, request.id, "primary"),
            Button(words("Cancel"), Act.CANCEL, request.id),
        ),
        small(
            words.count(
                "You have {count} minute. Request {id}.",
                "You have {count} minutes. Request {id}.",
                minutes,
                id=code(request.id),
            )
        ),
    )


def sent_to_approvers(words: Words, request: Request) -> Message:
    """Say at once, to the requester alone, that the approvers are being asked."""
    return message(
        words(
            "Sharing {env} with {receivers} needs an approval, so I am asking the approvers. "
            "The answer follows here. Request {id}.",
            env=code(request.env),
            receivers=receivers(words, request),
            id=code(request.id),
        )
    )


def no_approver(words: Words, rule: Rule, policy: Policy) -> Message:
    """Say at once that nobody could approve the request; nothing was done."""
    return message(
        words(
            "🚫 Rule “{rule}” asks for an approval, and nobody can give it. Nothing was done.",
            rule=escape(rule.name),
        ),
        words(
            "None of its approvers is an active member of this workspace who may decide about your request."
        ),
        words("*Who can fix it:* {who}.", who=contact(words, policy)),
    )


def waiting(words: Words, request: Request) -> Message:
    """Say where it was asked that the request waits for an approval; whoever asked can take it back."""
    return message(
        words(
            "🕓 {who} asks to share {env} with {receivers}. It waits for an approval.",
            who=f"<@{request.origin.user_id}>",
            env=code(request.env),
            receivers=receivers(words, request),
        ),
        reason(words, request),
        buttons(Button(words("Cancel the request"), Act.CANCEL, request.id)),
        name(words, request),
    )


def question(
    words: Words, request: Request, past: Sequence[Past], until: float, approvers: str
) -> Message:
    """Ask the approvers: who wants what, why, from where, by which rule, and what was shared before.

    `approvers` mentions them; it is empty where everybody may decide.
    """
    return message(
        words(
            "🕓 {approvers}: <@{user}> asks to share {env} with {receivers}.",
            approvers=approvers or words("Everybody here"),
            user=request.origin.user_id,
            env=code(request.env),
            receivers=receivers(words, request),
        ),
        appids(request),
        details(words, request),
        _before(words, past),
        choice(words, request),
        limits(words, request, until),
    )


def limits(words: Words, request: Request, until: float) -> Part:
    """Return what a decision cannot undo, and when it comes too late."""
    return small(
        words(
            "It cannot be undone through WeChat's API. Without a decision it ends {when}. Request {id}.",
            when=when(until),
            id=code(request.id),
        )
    )


def choice(words: Words, request: Request) -> Buttons | None:
    """Return the buttons of a decision."""
    return buttons(
        Button(words("Approve"), Act.APPROVE, request.id, "primary"),
        Button(words("Reject"), Act.REJECT, request.id, "danger"),
    )


def details(words: Words, request: Request) -> str:
    """Return what an approver needs to know besides who wants what."""
    lines = [
        words("*Why:* {reason}", reason=escape(request.reason))
        if request.reason
        else words("*Why:* no reason was given"),
        words("*From:* {channel}", channel=_channel(words, request)),
        words("*Owner of the env:* {owner}", owner=code(request.owner)),
        words("*Rule:* “{rule}”", rule=escape(request.rule)),
    ]
    return "\n".join(lines)


def _channel(words: Words, request: Request) -> str:
    channel = request.origin.channel_id
    return f"<#{channel}>" if channel.startswith(("C", "G")) else words("a direct message")


def _before(words: Words, past: Sequence[Past]) -> str:
    if not past:
        return words("*This env was never shared before.*")
    lines = [
        words(
            "with {receivers} by <@{user}>, {when}",
            receivers=receivers(words, earlier),
            user=earlier.origin.user_id,
            when=when(ended),
        )
        + (f" · <{link}|{words('thread')}>" if link else "")
        for earlier, ended, link in past[:_PAST]
    ]
    shown = [*lines, *([words("and earlier ones")] if len(past) > _PAST else [])]
    return f"{words('*This env was shared before*')}\n{bullets(shown)}"


def reminder(words: Words, request: Request, until: float, approvers: str) -> Message:
    """Remind the approvers, once, below the question."""
    return message(
        words(
            "{approvers}: this still waits for a decision, and ends {when}. Request {id}.",
            approvers=approvers or words("Everybody here"),
            when=when(until),
            id=code(request.id),
        )
    )


def decided(words: Words, request: Request, outcome: Outcome | None, at: float) -> Message:
    """Replace the question by who decided and when and, once it is known, by how it ended."""
    asked = words(
        "<@{user}> asked to share {env} with {receivers}.",
        user=request.origin.user_id,
        env=code(request.env),
        receivers=receivers(words, request),
    )
    return message(
        _verdict(words, request, outcome, at), asked, reason(words, request), name(words, request)
    )


def _verdict(words: Words, request: Request, outcome: Outcome | None, at: float) -> str:
    if request.approval:
        by = words("✅ <@{by}> approved this, {when}.", by=request.approval.by, when=when(at))
        end = _end(words, outcome) if outcome else None
        return sentences(words, by, _quoted(request.approval.comment), end)
    match outcome:
        case Rejected(by, comment):
            told = words("❌ <@{by}> rejected this, {when}.", by=by, when=when(at))
            return sentences(words, told, _quoted(comment))
        case Cancelled(by):
            return words("🚫 <@{by}> cancelled this, {when}.", by=by, when=when(at))
        case Expired():
            return words("⌛ Nobody decided in time.")
        case _:
            return words("🚫 This ended without a decision.")


def _quoted(comment: str | None) -> str | None:
    return f"“{escape(comment)}”" if comment else None


def _end(words: Words, outcome: Outcome) -> str:
    match outcome:
        case Shared():
            return words("It was shared.")
        case Finished():
            return words("The batch is through.")
        case Unknown():
            return words("It may or may not have been shared; the requester knows more.")
        case _:
            return words("It did not succeed; the requester knows why.")


def parent(words: Words, request: Request, outcome: Undecided) -> Message:
    """Say in the channel how it ended before WeChat was asked."""
    mark = "⌛" if isinstance(outcome, Expired) else "🚫"
    line = words(
        "{mark} {who} asked to share {env} with {receivers}. It was not shared.",
        mark=mark,
        who=f"<@{request.origin.user_id}>",
        env=code(request.env),
        receivers=receivers(words, request),
    )
    return message(line, reason(words, request), name(words, request))


def answer(words: Words, request: Request, outcome: Undecided) -> Message:
    """Say why it ended before WeChat was asked, and what to do next."""
    return message(*_why(words, request, outcome), name(words, request))


def _why(words: Words, request: Request, outcome: Undecided) -> tuple[str, str]:
    match outcome:
        case Rejected(by, comment):
            line = words("🚫 *Rejected* by <@{by}>. Nothing was shared.", by=by)
            said = words("They said: “{comment}”", comment=escape(comment or ""))
            ask = words("Talk to them before you ask again.")
            return line, f"{said}\n{ask}" if comment else ask
        case Cancelled(by):
            line = words("🚫 *Cancelled* by <@{by}>. Nothing was shared.", by=by)
            return line, words("To share it after all, send the command again.")
        case Expired("confirmation"):
            line = words("⌛ *You did not confirm in time.* Nothing was shared.")
            return line, words("To share it after all, send the command again.")
        case Expired():
            line = words("⌛ *No approver decided in time.* Nothing was shared.")
            return line, words("Talk to an approver, then send the command again.")
        case Denied(other_owner=True):
            line = words("🚫 *The env has another owner by now.* Nothing was shared.")
            return line, words(
                "The policy named {owner} when you asked, and does not any more. To share it all the same, send the command again.",
                owner=code(request.owner),
            )
        case Denied():
            line = words("🚫 *The policy does not allow this any more.* Nothing was shared.")
            return line, words(
                "{command} says what it takes now.",
                command=code(f"/share-env why {request.receivers[0]} {request.env}", 120),
            )
        case _:
            assert_never(outcome)


def appids(request: Request) -> str | None:
    """Return the first appids of a batch."""
    if not request.is_batch:
        return None
    shown = [code(appid) for appid in request.appids[:_LISTED_APPIDS]]
    return " ".join([*shown, *(["…"] if len(request.appids) > _LISTED_APPIDS else [])])
