"""What a click is decided by, and what it can come to. Pure."""

from dataclasses import dataclass

from bot.command import Share, ShareMany
from bot.domain.click import Click
from bot.domain.request import Origin, Request, Retry
from bot.ledger import Entry
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages.words import Words
from bot.policy import Person, Policy, Unreadable
from bot.workflow.ruling import Decided, decide_all


@dataclass(frozen=True, slots=True)
class Seen:
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

    `spent` where the button is of no more use to anybody, in a message that stays.
    """

    message: Message
    settles: bool = False
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell whoever clicked why not, and record that they tried: `kind` is that of the event."""

    kind: str
    message: Message


@dataclass(frozen=True, slots=True)
class Take:
    """Move the request, and then say so; where it does not wait like that any more, that is said instead."""

    move: Move
    message: Message
    settles: bool = False


@dataclass(frozen=True, slots=True)
class CancelRest:
    """End what has not begun of a batch."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Submit a new request from `origin`, for `requester`."""

    origin: Origin
    share: Share | ShareMany
    requester: Person | Unreadable
    retry: Retry | None = None
    settles: bool = False


ClickStep = Reply | Refuse | Take | CancelRest | AskAgain
"""What a click comes to."""
