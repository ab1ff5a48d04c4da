"""What only the person who clicked sees: why the click did nothing, what it did, or that it came too late."""

from collections.abc import Sequence
from typing import assert_never

from bot.domain.outcome import Ground, Outcome, SkipReason
from bot.domain.request import Request
from bot.messages.blocks import Message, message
from bot.messages.outcomes import became
from bot.messages.request import why_command
from bot.messages.words import Words, code, how_many, mention, when
from bot.policy import Ask


def no_such_request(words: Words) -> Message:
    """Say that the ledger has no such request in this workspace."""
    return message(
        words("I do not know this request here. Nothing was done."),
        words("It may be too old, or from another workspace. Send the command again."),
    )


def not_yours(words: Words, request: Request) -> Message:
    """Say that only the requester may do this."""
    say = words.about(request)
    return message(say("Only {who}, who asked for it, can do that. Nothing was done."))


def not_an_approver(words: Words, *, own: bool) -> Message:
    """Say that this person may not decide; `own`: only because it is their own request."""
    if own:
        return message(
            words("This is your own request, so another approver has to decide. Nothing was done.")
        )
    return message(
        words("Only the approvers of this rule can decide. Nothing was done."),
        words("To become an approver, ask {contact}: they can add you in the policy file."),
    )


def not_for_cancel(words: Words, request: Request) -> Message:
    """Say who may cancel."""
    say = words.about(request)
    return message(
        say(
            "Only {who}, who asked for it, and approvers or operators named in the policy can cancel it. Nothing was done. Ask one of them."
        )
    )


def not_for_retry(words: Words, request: Request) -> Message:
    """Say who may try again."""
    say = words.about(request)
    return message(
        say("Only {who}, who asked for it, or an approver can try again. Nothing was done.")
    )


def retried_already(words: Words) -> Message:
    """Say that the button was used before."""
    return message(
        words("This was tried again already. Look below for the answer, or send the command again.")
    )


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


def cannot_tell_requester(words: Words, user_id: str) -> Message:
    """Say that Slack did not return the requester, or the members of a group."""
    return message(
        words(
            "I could not find out from Slack who {who} is, so I did nothing. Please click again in a minute.",
            who=mention(user_id),
        )
    )


def cannot_tell_who(words: Words) -> Message:
    """Say that Slack did not return the person who clicked."""
    return message(
        words(
            "I could not find out from Slack who you are, so I did nothing. Please click again in a minute."
        )
    )


def not_opened(words: Words) -> Message:
    """Say that the decision's form may not have opened."""
    return message(
        words(
            "Slack did not confirm that the form opened. If you do not see it, please click again; "
            "nothing was done so far."
        )
    )


def click_not_recorded(words: Words) -> Message:
    """Say that the ledger did not record the click, so nothing was done."""
    return message(
        words("I could not save this, so nothing was done. Please click again in a minute.")
    )


def cancelled(words: Words, request: Request) -> Message:
    """Replace the question to the requester after they cancelled."""
    say = words.about(request)
    return message(say("Cancelled: {env} was not shared with {receivers}. Request {id}."))


def skipped(words: Words, request: Request, why: SkipReason) -> Message:
    """Say that another request makes the same share, or made it."""
    say = words.about(request)
    if why is SkipReason.SHARED_BEFORE:
        return message(
            say("Another request shared {env} with {receivers} meanwhile, so I did nothing more.")
        )
    return message(
        say("Another request is sharing {env} with {receivers} just now, so this one did nothing.")
    )


def rest_cancelled(words: Words, count: int) -> Message:
    """Say how many requests of a batch were cancelled."""
    return message(
        words.count(
            "Cancelled {count} that had not begun. Those under way go on.",
            "Cancelled {count} that had not begun. Those under way go on.",
            count,
        )
    )


def decision_taken(words: Words, request: Request, *, approved: bool) -> Message:
    """Tell the approver that their decision is recorded."""
    say = words.about(request)
    return message(
        say("You approved sharing {env} with {receivers}. It is under way.")
        if approved
        else say("You rejected sharing {env} with {receivers}. The requester is told.")
    )


def over_by_policy(words: Words, request: Request, ground: Ground) -> Message:
    """Tell an approver why the current policy leaves nothing to decide."""
    say = words.about(request)
    match ground:
        case Ground.NOT_ALLOWED:
            line = say(
                "The policy does not let {who} share {env} with {receivers} any more, so nothing was shared. They are told."
            )
        case Ground.SEVERAL_RULES:
            line = say(
                "Different rules now apply to these mini programs, so one decision cannot cover them all. Nothing was shared. {who} is told to ask again, once for each rule."
            )
        case Ground.OTHER_OWNER:
            line = say(
                "The policy does not name {owner} as the owner of {env} any more, so nothing was shared. {who} is told to ask again."
            )
        case _:
            assert_never(ground)
    return message(line)


def too_late(words: Words, request: Request, outcome: Outcome | None) -> Message:
    """Say that the click came too late, and how the request ended."""
    return message(words("That came too late: {end}", end=became(words, request, outcome)))
