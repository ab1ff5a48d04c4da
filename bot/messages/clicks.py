"""What only the person who clicked sees: why the click did nothing, what it did, or that it came too late."""

from collections.abc import Collection, Sequence
from enum import Enum

from bot.domain.outcome import Outcome
from bot.domain.request import Request
from bot.messages.blocks import Message, message
from bot.messages.outcomes import became
from bot.messages.request import why_command
from bot.messages.rules import UNREADABLE, approvers, unread, who_can_fix
from bot.messages.words import Words, code, how_many, mention, msgid, when
from bot.policy.kinds import Ask, Doubt, GroupUnreadable, Rule, Unreadable


class NothingDone(Enum):
    """Why a click did nothing; the value is what the person who clicked reads, by paragraphs."""

    NO_SUCH_REQUEST = (
        msgid("I do not know this request here. Nothing was done."),
        msgid("It may be too old, or from another workspace. Send the command again."),
    )
    """The ledger has no such request in this workspace."""
    NOT_YOURS = (msgid("Only {who}, who asked for it, can do that. Nothing was done."),)
    NOT_AN_APPROVER = (
        msgid("Only {approvers} can decide about this. Nothing was done."),
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
    RETRIED_ALREADY = (
        msgid(
            "This was tried again already. Look below for the answer, or send the command again."
        ),
    )
    NOT_OPENED = (
        msgid(
            "Slack did not confirm that the form opened. If you do not see it, please click again; "
            "nothing was done so far."
        ),
    )
    """The form for a decision may not have opened."""
    NOT_RECORDED = (
        msgid("I could not save this, so nothing was done. Please click again in a minute."),
    )
    """The ledger does not answer."""


class Settled(Enum):
    """What a click did, for the person who clicked."""

    CANCELLED = msgid("Cancelled: {env} was not shared with {receivers}. Request {id}.")
    """In place of the question, if the requester cancels instead of confirming."""
    APPROVED = msgid("You approved sharing {env} with {receivers}. It is under way.")
    REJECTED = msgid("You rejected sharing {env} with {receivers}. The requester is told.")


def refused(
    words: Words, why: NothingDone, request: Request | None = None, rules: Collection[Rule] = ()
) -> Message:
    """Say why a click did nothing; {who} in the sentence needs `request`, and {approvers} also its `rules`."""
    if request is None:
        return message(*map(words, why.value))
    say, able = words.about(request), approvers(words, rules, request.origin.user_id)
    return message(*(say(text, approvers=able) for text in why.value))


def settled(words: Words, request: Request, what: Settled) -> Message:
    """Say what a click did with a request."""
    return message(words.about(request)(what.value))


def requester_asked(words: Words, request: Request, until: float) -> Message:
    """Tell somebody who tries again for the requester that the requester has to confirm first."""
    say = words.about(request)
    return message(
        say(
            "The rule wants {who} to confirm this first, so I asked them. They have until {when}. Request {id}.",
            when=when(until),
        )
    )


def denied_for_them(words: Words, ask: Ask, appids: Sequence[str]) -> Message:
    """Tell somebody who tries again for the requester that the policy denies it."""
    return message(
        words(
            "🚫 The policy does not let {who} share {env} with {receivers} any more. Nothing was done.",
            who=mention(ask.person.user_id),
            env=code(ask.env),
            receivers=how_many(words, appids),
        ),
        words(
            "They can type {command} to see what it says now.",
            command=why_command(appids[0], ask.env),
        ),
    )


def cannot_tell(
    words: Words, user_id: str, trouble: Unreadable, group: str | None = None
) -> Message:
    """Say that Slack did not return this user, or who is in `group`; and what helps."""
    who = mention(user_id)
    why = unread(words, group, trouble) if group else words(UNREADABLE[trouble])
    no = words(
        "Slack does not tell me enough about {who}, so I did nothing: {why}.", who=who, why=why
    )
    return message(no, who_can_fix(words, trouble))


def cannot_tell_requester(words: Words, user_id: str, doubt: Doubt) -> Message:
    """Say that Slack did not return the requester, or who is in one of their groups; and what helps."""
    group = doubt.group if isinstance(doubt, GroupUnreadable) else None
    return cannot_tell(words, user_id, doubt.trouble, group)


def rest_cancelled(words: Words, count: int) -> Message:
    """Say how many requests of a batch were cancelled, if any had not begun."""
    if not count:
        return message(words("Nothing is left to cancel. Those under way go on."))
    return message(
        words("Cancelled {count} that had not begun. Those under way go on.", count=count)
    )


def too_late(words: Words, request: Request, outcome: Outcome | None) -> Message:
    """Say that the click came too late for what it should do, and how the request ended."""
    return message(words("That came too late: {end}", end=became(words, request, outcome)))
