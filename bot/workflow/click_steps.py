"""What a click is decided by, the closed set of steps that can result, and the reply to one that came too late. Pure."""

from dataclasses import dataclass

from bot.command.grammar import Share
from bot.domain.outcome import Cancelled, Denied, Expired, Skipped
from bot.domain.request import Click, Origin, Retry, State
from bot.ledger.click_moves import Move
from bot.ledger.entries import Entry
from bot.messages import Message
from bot.messages.approvals import sent_to_approvers, waiting
from bot.messages.blocks import read_ref
from bot.messages.click_replies import too_late
from bot.messages.conversation import answer
from bot.messages.words import Words
from bot.policy.kinds import Person, Policy, Unreadable


@dataclass(frozen=True, slots=True)
class ClickContext:
    """All that a click is decided by, read once; `failed` are the receivers that a retry would be for."""

    click: Click
    entry: Entry
    policy: Policy
    words: Words
    clicker: Person | Unreadable
    requester: Person | Unreadable
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to the user who clicked, privately; with `replaces` in place of the message with the button, if only they see it.

    With `spent` the message stays, but its buttons are removed, since they are of no more use to anybody. With `refused`
    it is recorded that this user tried what they may not. `unsure` if Slack did not tell enough, but may in a few seconds.
    """

    message: Message
    replaces: bool = False
    spent: bool = False
    refused: bool = False
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class ApplyMove:
    """Move the request, and then reply; if its state has changed meanwhile, the reply says that instead."""

    move: Move
    message: Message
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class CancelRest:
    """Cancel the items of a batch that have not begun."""


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Submit a new request from `origin`, for `requester`."""

    origin: Origin
    share: Share
    requester: Person | Unreadable
    retry: Retry | None = None
    replaces: bool = False


ClickStep = Reply | ApplyMove | CancelRest | Resubmit
"""What can result from a click."""


def is_unsure(step: ClickStep) -> bool:
    """Tell whether the step would be better known once Slack tells who somebody is, which may be in a few seconds."""
    match step:
        case Reply():
            return step.unsure
        case Resubmit(requester=Person() as person):
            return any(why.passes for why in person.unreadable.values())
        case Resubmit(requester=Unreadable() as why):
            return why.passes
        case _:
            return False


_REPLIED = Denied | Cancelled | Skipped
"""How a request can end by the click on its confirmation, whose reply is then its only answer."""


def late(words: Words, click: Click, entry: Entry) -> Reply:
    """Reply that a click came too late, and how the request ended, or for whom it waits.

    An answer that was only the reply to an earlier click is given again, since this one may replace it.
    """
    request, waits = entry.request, entry.state is State.WAITING
    if waits and click.origin.user_id == request.origin.user_id:
        message: Message = sent_to_approvers(words, request)
    elif waits:
        message = waiting(words, request)  # they cancelled it just when its requester confirmed it
    elif entry.state is State.ENDED and not entry.place and isinstance(entry.outcome, _REPLIED):
        message = answer(words, request, entry.outcome)
    else:
        message = too_late(words, request, entry.outcome)
    return Reply(message, replaces=click.message is None, spent=_is_orphan(click, entry))


def _is_orphan(click: Click, entry: Entry) -> bool:
    """Tell whether the clicked message is no recorded one, so that the bot does not edit it when the request ends.

    Such are the direct question for a confirmation, and a duplicate that was posted because of a crash.
    """
    if entry.state is not State.ENDED and entry.outcome != Expired("confirmation"):
        return False
    return is_unrecorded(click, entry)


def is_unrecorded(click: Click, entry: Entry) -> bool:
    """Tell whether the clicked message is none that the ledger records for a request."""
    known = [*read_ref(entry.place), *read_ref(entry.asked)]
    return any(clicked not in known for clicked in read_ref(click.message))
