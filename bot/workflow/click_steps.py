"""What a click is decided by, and what it can come to. Pure."""

from dataclasses import dataclass

from bot.command import Share, ShareMany
from bot.domain.click import Click
from bot.domain.outcome import Expired
from bot.domain.request import Origin, Request, Retry, State
from bot.ledger import Entry
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages.clicks import too_late
from bot.messages.words import Words
from bot.policy import Person, Policy, Unreadable
from bot.workflow.ruling import Decided, decide_all


@dataclass(frozen=True, slots=True)
class ClickContext:
    """All that a click is decided by, read once; `failed` are the receivers whom a new try would be for."""

    click: Click
    entry: Entry
    policy: Policy
    words: Words
    clicker: Person | Unreadable
    requester: Person | Unreadable
    failed: tuple[str, ...] = ()

    @property
    def request(self) -> Request:
        """The request that the button is about."""
        return self.entry.request

    @property
    def own(self) -> bool:
        """Whether the requester clicked."""
        return self.click.user_id == self.request.origin.user_id

    def decisions(self) -> list[Decided]:
        """Return what the policy says now to what was asked then."""
        request = self.request
        return decide_all(
            self.policy, request.origin, self.requester, request.receivers, request.env
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell whoever clicked, alone; `settles` where it takes the place of the message with the button.

    `spent` where the message stays, and its buttons are of no more use to anybody.
    """

    message: Message
    settles: bool = False
    spent: bool = False


def late(words: Words, click: Click, entry: Entry) -> Reply:
    """Say that a click came too late, and what became of the request."""
    told = too_late(words, entry.request, entry.outcome)
    return Reply(told, settles=click.message is None, spent=_is_left_over(click, entry))


def _is_left_over(click: Click, entry: Entry) -> bool:
    """Tell whether nobody edits the message that was clicked: what became of the request is shown in others, if at all.

    It is a question to confirm that was asked directly, or was posted twice, since a crash left nobody who knew of it.
    """
    if entry.state is not State.ENDED and entry.outcome != Expired("confirmation"):
        return False
    known = [_where(ref) for ref in f"{entry.place or ''} {entry.asked or ''}".split()]
    return click.message is not None and _where(click.message) not in known


def _where(ref: str) -> list[str]:
    """Return the channel and the time of a message, without the thread that it is in."""
    return ref.split("/")[:2]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell whoever clicked why not, and record that they tried: `kind` is that of the event."""

    kind: str
    message: Message


@dataclass(frozen=True, slots=True)
class ApplyMove:
    """Move the request, and then say so; where it does not wait like that any more, that is said instead."""

    move: Move
    message: Message
    settles: bool = False


@dataclass(frozen=True, slots=True)
class CancelRest:
    """End what has not begun of a batch."""


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Submit a new request from `origin`, for `requester`."""

    origin: Origin
    share: Share | ShareMany
    requester: Person | Unreadable
    retry: Retry | None = None
    settles: bool = False


ClickStep = Reply | Refuse | ApplyMove | CancelRest | Resubmit
"""What a click comes to."""
