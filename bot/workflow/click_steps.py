"""The context in which a click is decided, and the closed set of steps that can result. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.command.grammar import Share
from bot.domain.outcome import Expired
from bot.domain.request import Click, Origin, Retry, State
from bot.ledger import Entry
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages.approvals import sent_to_approvers, waiting
from bot.messages.clicks import NothingDone, cannot_tell, refused, too_late
from bot.messages.words import Words
from bot.policy.decide import approver_groups, is_operator, may_approve
from bot.policy.kinds import Person, Policy, Rule, Standing, Unreadable
from bot.workflow.ruling import Review, review


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

    @property
    def own(self) -> bool:
        """Whether the requester clicked."""
        return self.click.user_id == self.entry.request.origin.user_id

    @property
    def reviewed(self) -> Review:
        """What the current policy says to the request."""
        return review(self.policy, self.entry.request, self.requester)

    def cannot_tell(self, trouble: Unreadable, group: str | None = None) -> "Reply":
        """Return the reply that Slack did not return who clicked, or who is in `group`."""
        return Reply(cannot_tell(self.words, self.click.user_id, trouble, group))

    def forbidden(
        self, rules: Collection[Rule], why: NothingDone, *, operators: bool = False
    ) -> "Reply | Refuse | None":
        """Return why the person who clicked may not do it; None for approvers by these rules and, if asked, operators.

        `why` is the reason if Slack told all about them, and they are a member.
        """
        person, policy, request = self.clicker, self.policy, self.entry.request
        if isinstance(person, Unreadable):
            return self.cannot_tell(person)

        def may(person: Person) -> bool:
            able = any(may_approve(rule, person, request.origin.user_id) for rule in rules)
            return able or (operators and is_operator(policy, person))

        if may(person):
            return None
        groups = approver_groups(rules) | (policy.operators.groups if operators else set())
        if group := min(groups & set(person.unreadable), default=None):
            return self.cannot_tell(person.unreadable[group], group)
        if may(replace(person, standing=Standing.MEMBER)):
            why = NothingDone.NOT_A_MEMBER
        return Refuse(refused(self.words, why, request, rules))

    def refuse(self, why: NothingDone) -> "Reply":
        """Return the reply that says why the click did nothing."""
        return Reply(refused(self.words, why, self.entry.request))


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to the user who clicked, privately; with `replaces` in place of the message with the button.

    With `spent` the message stays, but its buttons are removed, since they are of no more use to anybody.
    """

    message: Message
    replaces: bool = False
    spent: bool = False


def late(words: Words, click: Click, entry: Entry) -> Reply:
    """Reply that a click came too late, and how the request ended, that it was retried, or for whom it waits."""
    request, waits = entry.request, entry.state is State.WAITING
    if waits and click.user_id == request.origin.user_id:
        message: Message = sent_to_approvers(words, request)
    elif waits:
        message = waiting(words, request)  # they cancelled it just when its requester confirmed it
    elif isinstance(entry.outcome, Expired) and entry.retried_by:
        message = refused(words, NothingDone.RETRIED_ALREADY)
    else:
        message = too_late(words, request, entry.outcome)
    return Reply(message, replaces=click.message is None, spent=_is_orphan(click, entry))


def _is_orphan(click: Click, entry: Entry) -> bool:
    """Tell whether the clicked message is no recorded one, so that the bot does not edit it when the request ends.

    Such are the direct question for a confirmation, and a duplicate that was posted because of a crash.
    """
    if entry.state is not State.ENDED and entry.outcome != Expired("confirmation"):
        return False
    known = [_where(ref) for ref in f"{entry.place or ''} {entry.asked or ''}".split()]
    return click.message is not None and _where(click.message) not in known


def _where(ref: str) -> list[str]:
    """Return the channel and timestamp of a message's reference, without its thread."""
    return ref.split("/")[:2]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse the decision of somebody who is no approver, and record the attempt."""

    message: Message


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


ClickStep = Reply | Refuse | ApplyMove | CancelRest | Resubmit
"""What can result from a click."""
