"""What only the person who clicked sees: why nothing was done, or that it came too late."""

from collections.abc import Sequence
from enum import Enum

from bot.domain.outcome import Denied, Outcome
from bot.domain.request import Request
from bot.messages.blocks import Announcement, Message, Part, message
from bot.messages.endings import became
from bot.messages.rules import UNREADABLE, who_can_fix
from bot.messages.rulings import frozen
from bot.messages.words import (
    Words,
    code,
    how_many,
    mention,
    msgid,
    when,
    why_command,
)
from bot.policy.kinds import Ask, Doubt, Freeze, GroupUnreadable, Unreadable


class NothingDone(Enum):
    """Why a click, or a command, did nothing; the value is what the person reads, by paragraphs."""

    NO_SUCH_REQUEST = (
        msgid("I do not know this request here. Nothing was done."),
        msgid("It may be too old, or from another workspace. Send the command again."),
    )
    """The ledger has no such request in this workspace."""
    NOT_YOURS = (msgid("Only {who}, who asked for it, can do that. Nothing was done."),)
    NOT_AN_APPROVER = (
        msgid("Only approvers named in the policy can decide about this. Nothing was done."),
        msgid("To become an approver, ask {contact}: they can add you in the policy file."),
    )
    OWN_REQUEST = (
        msgid("This is your own request, so another approver has to decide. Nothing was done."),
    )
    NOTHING_TO_DECIDE = (
        msgid(
            "The policy asks for no approval of this any more, so there is nothing to decide. Nothing was done."
        ),
        msgid("{who}, who asked for it, can cancel the request and send the command again."),
    )
    NOT_A_MEMBER = (
        msgid(
            "Only full members of this workspace can do that, and Slack does not list you as one. Nothing was done."
        ),
        msgid(
            "Ask somebody else who may do it, or an admin of this workspace to make you a full member."
        ),
    )
    """The policy names them, but they are a guest or from another workspace."""
    NOT_FOR_CANCEL = (
        msgid(
            "Only {who}, who asked for it, and approvers or operators named in the policy can cancel it. Nothing was done. Ask one of them."
        ),
    )
    NOT_FOR_RETRY = (
        msgid("Only {who}, who asked for it, or an approver can try again. Nothing was done."),
    )
    NOT_FOR_BREAK_GLASS = (
        msgid(
            "The policy does not let you share this without waiting for the approval. Nothing was done."
        ),
        msgid("An approver can still decide. If it cannot wait, ask {contact}."),
    )
    NO_REASON = (
        msgid("Say why it cannot wait: the approvers have to know. Nothing was done."),
        msgid("Click the button again, and write a reason."),
    )
    """Of what was written nothing can be seen."""
    RETRIED_ALREADY = (
        msgid(
            "This was tried again already. Look below for the answer, or send the command again."
        ),
    )
    NOT_OPENED = (
        msgid(
            "Slack did not confirm that the form opened. If you do not see it, please try again. Nothing was done so far."
        ),
    )
    """A form, or the one for a decision, may not have opened."""
    LEDGER_DOWN = (
        msgid("My ledger of requests does not work right now, so nothing was done."),
        msgid(
            "Please try again in a few minutes. If it happens again, tell {contact}: my ledger (`DATABASE_URL`) does not work."
        ),
    )
    """Something could not be recorded, or read."""
    IN_DOUBT = (
        msgid(
            "My ledger of requests did not answer in time, so this probably did not happen. If it did, the request's message says so."
        ),
        msgid(
            "Look there, and try again in a few minutes. If it happens again, tell {contact}: my ledger (`DATABASE_URL`) is too slow or does not work."
        ),
    )
    """Something may have been recorded, and is taken back unless another replica is faster."""


def refused(words: Words, why: NothingDone, request: Request | None = None) -> Message:
    """Say why a click did nothing; {who} in the sentence needs `request`."""
    return message(*map(words.about(request) if request else words, why.value))


def requester_asked(words: Words, request: Request, until: float) -> Announcement:
    """Tell somebody who tries again for the requester that the requester has to confirm first."""
    say = words.about(request)
    said = say(
        "The rule requires {who} to confirm this first, so I asked them. They have until {when}. Request {id}.",
        when=when(until),
    )
    return Announcement((Part(said),), request.id)


def denied_for_them(words: Words, ask: Ask, appids: Sequence[str]) -> Message:
    """Tell somebody who tries again for the requester that the policy denies it."""
    return message(
        words(
            "🚫 {who} may not share {env} with {receivers} now. Nothing was done.",
            who=mention(ask.person.user_id),
            env=code(ask.env),
            receivers=how_many(words, appids),
        ),
        words(
            "They can type {command} to see why.",
            command=why_command(appids[0], ask.env),
        ),
    )


def cannot_tell(
    words: Words, trouble: Unreadable, *, groups: bool = False, other: str | None = None
) -> Message:
    """Say that Slack did not return the reader or an `other` user, or which `groups` they are in; and what helps."""
    why = words(UNREADABLE[trouble])
    if other and groups:
        unknown = words("which groups {who} is in", who=mention(other))
    elif groups:
        unknown = words("which groups you are in")
    elif other:
        unknown = words("who {who} is", who=mention(other))
    else:
        unknown = words("who you are")
    no = words("I could not find out {unknown}, so I did nothing: {why}.", unknown=unknown, why=why)
    return message(no, who_can_fix(words))


def cannot_tell_requester(words: Words, doubt: Doubt, *, other: str | None = None) -> Message:
    """Say that Slack did not return the requester, the reader or an `other`, or one of their groups; and what helps."""
    groups = isinstance(doubt, GroupUnreadable)
    return cannot_tell(words, doubt.trouble, groups=groups, other=other)


def rest_cancelled(words: Words, request: Request, count: int) -> Announcement:
    """Say how many requests of a batch were cancelled."""
    said = words("Everything has already started, and will finish.")
    if count:
        said = words("Cancelled {count} that had not begun. Those under way go on.", count=count)
    return Announcement((Part(said),), request.id)


def too_late(words: Words, request: Request, outcome: Outcome | None) -> Message:
    """Say that the click came too late for what it should do, and how the request ended, if it has."""
    said = words(
        "This is settled already: {state}. The answer to the request says more.",
        state=became(words, request, outcome),
    )
    return message(said) if outcome else Announcement((Part(said),), request.id)


def over_by_policy(
    words: Words, request: Request, denied: Denied, freeze: Freeze | None = None
) -> Message:
    """Tell an approver that their click ended the request, since the policy lets it go on no more; of a `freeze`, why."""
    say, state = words.about(request), became(words, request, denied)
    why = frozen(words, freeze, freeze.reason) if freeze else None
    return message(say("Nothing was shared: {state}. {who} is told.", state=state), why)


def opens_later(words: Words, request: Request, opens: float, until: float | None) -> Message:
    """Say that the policy lets a request go on at certain hours only, from when it does, and `until` when it waits."""
    say = words.about(request)
    then = say("The request goes on waiting: click again from {opens} on.", opens=when(opens))
    if until is not None and until <= opens:
        text = msgid(
            "It will from {opens} on, but the request expires {until}. {who} can ask again then."
        )
        then = say(text, opens=when(opens), until=when(until))
    return message(
        say("The policy does not allow this at the present hour. Nothing was done."), then
    )
