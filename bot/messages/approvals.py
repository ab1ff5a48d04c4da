"""While a request waits for people: what its requester, the channel and the approvers see, and what replaces the question or answers a click on it."""

from collections.abc import Iterable, Sequence
from enum import Enum

from bot.domain.kept import KeptShare
from bot.domain.outcome import Expired, Finished, Outcome, Party, Rejected
from bot.domain.request import Act, Agreement, Approval, BrokenGlass, Request
from bot.messages.blocks import Announcement, Button, Buttons, Message, Part, message, small
from bot.messages.endings import became, mark
from bot.messages.history import Line
from bot.messages.request import all_appids, appids, in_channel, name, reason
from bot.messages.words import (
    FOR_GOOD,
    Mrkdwn,
    Words,
    bullets,
    channel_name,
    code,
    group_name,
    how_many,
    mention,
    msgid,
    sentences,
    when,
)
from bot.policy.kinds import ANYONE, Rule

_PAST = 3
_NAMED = 5
_LISTED = msgid("All of them are listed in the thread below.")


def confirmation(
    words: Words, request: Request, until: float, retried_by: str | None = None
) -> Announcement:
    """Ask the requester to confirm, and say until when: what only they see in a channel keeps its buttons after that.

    `retried_by` is the user who retries the request for them.
    """
    say = words.about(request)
    asked = message(
        say("<@{by}> tries this again for you, and you have to confirm it.", by=retried_by)
        if retried_by
        else None,
        say("Share {env}, which {owner} owns, with {receivers}?"),
        appids(request, words("All of them are listed below.")),
        sentences(words, words(FOR_GOOD), words("Nothing happens until you confirm.")),
        small(reason(words, request)),
        Buttons(
            (
                Button(words("Share it"), Act.CONFIRM, request.id, style="primary"),
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
    return Announcement(asked.parts, request.id)


def sent_to_approvers(words: Words, request: Request, *, breakable: bool = False) -> Announcement:
    """Tell the requester at once that the approvers are being asked; `breakable` if they need not wait for them."""
    say = words.about(request)
    said = say(
        "Sharing {env} with {receivers} needs an approval, so I am asking the approvers. "
        "The answer follows. Request {id}."
    )
    if not breakable:
        return Announcement((Part(said),), request.id)
    button = Button(words("Share without approval"), Act.BREAK_GLASS, request.id, style="danger")
    cannot_wait = words("If it cannot wait, say why, and I share it now. The approvers are told.")
    return Announcement((Part(said), Part(cannot_wait), Buttons((button,))), request.id)


def without_approval(words: Words, request: Request) -> Announcement:
    """Tell the requester at once that their request no longer waits."""
    say = words.about(request)
    said = say(
        "On it, without an approval: sharing {env} with {receivers}. I tell the approvers why. "
        "The answer follows. Request {id}."
    )
    return Announcement((Part(said),), request.id)


def skipped(words: Words, request: Request, approvers: str, *, commented: bool) -> Message:
    """Tell the approvers that their approval was not waited for; why, only if `commented`."""
    say = words.about(request)
    why = request.approval.comment if request.approval and commented else None
    return message(
        say(
            "🚨 {approvers}: {who} did not wait for your approval to share {env} with {receivers}.",
            approvers=Mrkdwn(approvers) or words("Everybody here"),
        ),
        words("*Why it could not wait:* {why}", why=why) if why else None,
        appids(request, words("All of them are listed with the question.")),
        details(words, request),
        small(sentences(words, words(FOR_GOOD), name(words, request))),
    )


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


def question(  # noqa: PLR0913, PLR0917  # one part of the message each
    words: Words,
    request: Request,
    past: Sequence[Line | KeptShare],
    until: float,
    approvers: str,
    agreed: str = "",
) -> Message:
    """Ask the approvers to decide.

    `past` holds earlier shares of the env. `agreed` says who agreed so far (see `so_far`). `approvers` mentions the approvers; it is empty if everybody may decide.
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
        agreed or None,
        choice(words, request),
        limits(words, request, until),
    )


def limits(words: Words, request: Request, until: float) -> Part:
    """Return that a share cannot be undone, and when the question expires."""
    say = words.about(request)
    expiry = say("Without a decision the request expires {when}. Request {id}.", when=when(until))
    return small(sentences(words, words(FOR_GOOD), expiry))


def choice(words: Words, request: Request) -> Buttons:
    """Return the buttons Approve and Reject."""
    which = f"{request.env}, {request.id}"
    approve = Button(words("Approve"), Act.APPROVE, request.id, style="primary", about=which)
    reject = Button(words("Reject"), Act.REJECT, request.id, style="danger", about=which)
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


def _before(words: Words, past: Sequence[Line | KeptShare]) -> str:
    if not past:
        return words("*I have not shared this env before.*")
    lines = [_earlier(words, earlier) for earlier in past[:_PAST]]
    shown = [*lines, *([words("and earlier ones")] if len(past) > _PAST else [])]
    return f"{words('*This env was shared before*')}\n{bullets(shown)}"


def _earlier(words: Words, earlier: Line | KeptShare) -> str:
    if isinstance(earlier, KeptShare):
        return words("with {appid}, {when}", appid=code(earlier.appid), when=when(earlier.ended))
    say, receivers = words.about(earlier.request), how_many(words, earlier.request.receivers)
    if isinstance(earlier.outcome, Finished):
        count = earlier.outcome.tally.shared
        receivers = words.count("{count} app", "{count} apps", count)
    shared = say("with {receivers} by {who}, {when}", receivers=receivers, when=when(earlier.at))
    return shared + (f" · <{earlier.link}|{say('thread')}>" if earlier.link else "")


def reminder(
    words: Words, request: Request, until: float, approvers: str, agreed: str = ""
) -> Message:
    """Remind the approvers of the question, as in `question`; `approvers` is empty too if the rule is gone."""
    say = words.about(request)
    return message(
        say(
            "{approvers}: this still waits for a decision, and expires {when}. Request {id}.",
            approvers=Mrkdwn(approvers) or words("Approvers"),
            when=when(until),
        ),
        agreed or None,
    )


def decided(  # noqa: PLR0913  # one part of the message each
    words: Words,
    request: Request,
    outcome: Outcome | None,
    at: float,
    *,
    commented: bool = True,
    quietly: bool = False,
) -> Message:
    """Replace the question: who decided, when and, once known, how the request ended; also the comment, if `commented`.

    Also who agreed before, and who was missing; `quietly` as in `so_far`.
    """
    said, say = _verdict(words, request, outcome, at), words.about(request)
    return in_channel(
        words,
        request,
        with_comment(words, said, _comment(request, outcome) if commented else None),
        before(words, request, outcome, commented=commented, quietly=quietly),
        say("{who} asked to share {env} with {receivers}."),
        many=words(_LISTED),
    )


def before(
    words: Words,
    request: Request,
    outcome: Outcome | None,
    *,
    commented: bool = True,
    quietly: bool = False,
) -> str | None:
    """Return who agreed before somebody decided or the time was over, and who was missing then; None if nobody."""
    missing = outcome.missing if isinstance(outcome, Expired) else ()
    lines = _agreements(words, request.agreed, commented=commented)
    lines += [still_missing(words, missing, quietly=quietly)] if missing else []
    return "\n".join(lines) or None


def agreed_before(words: Words, request: Request, outcome: Outcome) -> Part | None:
    """Return for the requester who agreed before, and how many were missing; of whom is only for approvers."""
    missing = outcome.missing if isinstance(outcome, Expired) else ()
    lines = _agreements(words, request.agreed, commented=True)
    if count := sum(each.count for each in missing):
        text = words.count(
            "{count} approval was missing.", "{count} approvals were missing.", count
        )
        lines.append(text)
    return small("\n".join(lines)) if lines else None


def with_comment(words: Words, told: str, comment: str | None) -> str:
    """Return `told` and, below it, the approver's comment, if any."""
    return f"{told}\n{words('They said: “{comment}”', comment=comment)}" if comment else told


def _comment(request: Request, outcome: Outcome | None) -> str | None:
    if request.approval:
        return request.approval.comment
    return outcome.comment if isinstance(outcome, Rejected) else None


def _verdict(words: Words, request: Request, outcome: Outcome | None, at: float) -> str:
    sign, ended = mark(outcome) if outcome else "⏳", became(words, request, outcome)
    by, text = "", msgid("{mark} {when}: {state}.")
    match request.approval:
        case BrokenGlass(by):
            text = msgid("{mark} <@{by}> did not wait for an approval, {when}: {state}.")
        case Approval(by) if outcome:
            text = msgid("{mark} <@{by}> approved this, {when}: {state}.")
        case _:
            pass
    return words(text, mark=sign, by=by, when=when(at), state=ended)


def you_approved(words: Words, request: Request) -> Announcement:
    """Tell an approver that the request goes on."""
    say = words.about(request)
    said = say("You approved sharing {env} with {receivers}. It is under way.")
    return Announcement((Part(said),), request.id)


def you_agreed(
    words: Words, request: Request, missing: Sequence[Party], *, before: bool = False
) -> Message:
    """Tell an approver that they agreed, now or `before`, and who is missing."""
    say = words.about(request)
    return message(
        say("You agreed already to sharing {env} with {receivers}.")
        if before
        else say("You agreed to sharing {env} with {receivers}."),
        still_missing(words, missing),
    )


def so_far(
    words: Words,
    agreed: Sequence[Agreement],
    missing: Sequence[Party],
    *,
    commented: bool = True,
    quietly: bool = False,
) -> str:
    """Return who agreed so far, with their comments if `commented`, and who is missing; empty if one approval is enough.

    `quietly` names who is missing without a mention, which would notify them.
    """
    if not agreed and sum(each.count for each in missing) <= 1:
        return ""
    lines = _agreements(words, agreed, commented=commented)
    lines += [still_missing(words, missing, quietly=quietly)] if missing else []
    return "\n".join(lines)


def _agreements(words: Words, agreed: Iterable[Agreement], *, commented: bool) -> list[str]:
    return [
        with_comment(
            words, words("<@{by}> agreed", by=each.by), each.comment if commented else None
        )
        for each in agreed
    ]


def still_missing(words: Words, missing: Sequence[Party], *, quietly: bool = False) -> str:
    """Return of whom how many still have to agree; `quietly` without a mention, which would notify them."""
    named = ids if quietly else mentions
    return bullets(
        words.count(
            "{count} approval of {party} is missing",
            "{count} approvals of {party} are missing",
            each.count,
            party=named(each) or words("anybody"),
        )
        for each in missing
    )


def mentions(party: Party) -> Mrkdwn:
    """Return mentions of a party's groups and users, so that Slack notifies them; empty if everybody may decide."""
    users = sorted(party.users - {ANYONE})
    named = [*map(group_name, sorted(party.groups)), *map(mention, users)]
    return Mrkdwn(" ".join(named[:_NAMED]))


def ids(party: Party) -> Mrkdwn:
    """Return the ids of a party's groups and users, by which Slack notifies nobody; empty if everybody may decide."""
    named = [*sorted(party.groups), *sorted(party.users - {ANYONE})]
    return Mrkdwn(" ".join(map(code, named[:_NAMED])))


class Settled(Enum):
    """How a click ended a request, for the person who clicked."""

    CANCELLED = msgid("Cancelled: {env} was not shared with {receivers}. Request {id}.")
    """In place of the question, if the requester cancels instead of confirming."""
    REJECTED = msgid("You rejected sharing {env} with {receivers}. The requester is told.")


def settled(words: Words, request: Request, what: Settled) -> Message:
    """Say how a click ended a request."""
    return message(words.about(request)(what.value))
