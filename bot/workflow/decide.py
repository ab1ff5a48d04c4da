"""An approver approves or rejects a request, and the policy is checked again. Pure."""

from dataclasses import replace

from bot.domain.click import Click
from bot.domain.outcome import Denied, Ground, Outcome, Rejected
from bot.domain.request import State
from bot.ledger.clicks import Move
from bot.messages.clicks import NothingDone, Settled, cannot_tell_requester, refused, settled
from bot.messages.decisions import no_approver
from bot.policy.decide import approver_groups, approver_users, may_approve
from bot.policy.kinds import Doubt, Standing, Unreadable
from bot.workflow.click_steps import ApplyMove, ClickContext, ClickStep, Refuse, Reply, late
from bot.workflow.ruling import Review, review


def may_not_decide(context: ClickContext) -> ClickStep | None:
    """Return the refusal for somebody who opens the modal and may not decide; None if they may."""
    reviewed = review(context.policy, context.entry.request, context.requester)
    if no := _refused(context, reviewed):
        return no
    # Nobody can approve or reject all of it.
    several = reviewed.ground is Ground.SEVERAL_RULES
    return _deny(context, Ground.SEVERAL_RULES) if several else None


def decide(context: ClickContext, *, approved: bool) -> ClickStep:
    """Apply an approver's decision: the request goes on, or ends as rejected or denied."""
    words, entry, click = context.words, context.entry, context.click
    if entry.state is not State.WAITING:
        return late(words, click, entry)
    reviewed = review(context.policy, entry.request, context.requester)
    if no := _refused(context, reviewed):
        return no
    if approved and reviewed.doubt:
        return _cannot_tell_requester(context, reviewed.doubt)
    may_be_rejected = reviewed.rules and reviewed.ground is not Ground.SEVERAL_RULES
    if reviewed.ground and (approved or not may_be_rejected):
        return _deny(context, reviewed.ground)
    if approved:
        to = State.PLACED if entry.place else State.ACCEPTED
        told = Settled.APPROVED
        move = _move(click, to, "approved", rule=reviewed.rules[0].name)
    else:
        told = Settled.REJECTED
        move = _move(click, State.ANSWERED, "rejected", Rejected(click.user_id, click.comment))
    return ApplyMove(move, settled(words, entry.request, told))


def _deny(context: ClickContext, ground: Ground) -> ApplyMove:
    """End a request that the current policy does not allow."""
    move = _move(context.click, State.ANSWERED, "denied", Denied(ground))
    return ApplyMove(move, settled(context.words, context.entry.request, ground))


def _move(
    click: Click, to: State, kind: str, outcome: Outcome | None = None, *, rule: str | None = None
) -> Move:
    """Return a move with the approver's comment, and the message that they clicked."""
    return Move(to, click.user_id, kind, click.comment, outcome, rule=rule, asked=click.message)


def _refused(context: ClickContext, reviewed: Review) -> Reply | Refuse | None:
    """Return why this person may not decide; None if they may.

    Where no approvers are left, anybody may if the policy does not let it go on, since then it only ends.
    """
    person, asked_by = context.clicker, context.entry.request.origin.user_id
    if isinstance(person, Unreadable):
        return context.cannot_tell(person)
    if not reviewed.rules and reviewed.doubt:
        return _cannot_tell_requester(context, reviewed.doubt)
    if not reviewed.rules:
        return None if reviewed.ground else context.refuse(NothingDone.NOTHING_TO_DECIDE)
    if any(may_approve(rule, person, asked_by) for rule in reviewed.rules):
        return None
    groups = approver_groups(reviewed.rules)
    if no := context.unread(person, groups):
        return no
    if not groups and not approver_users(reviewed.rules, asked_by):
        return Refuse("not an approver", no_approver(context.words, reviewed.rules[0]))
    alone = [replace(rule, self_approval=True) for rule in reviewed.rules]
    member = replace(person, standing=Standing.MEMBER)
    if any(may_approve(rule, person, asked_by) for rule in alone):
        why = NothingDone.OWN_REQUEST
    elif any(may_approve(rule, member, asked_by) for rule in alone):
        why = NothingDone.NOT_A_MEMBER
    else:
        why = NothingDone.NOT_AN_APPROVER
    told = refused(context.words, why, context.entry.request, reviewed.rules)
    return Refuse("not an approver", told)


def _cannot_tell_requester(context: ClickContext, doubt: Doubt) -> Reply:
    return Reply(cannot_tell_requester(context.words, context.entry.request.origin.user_id, doubt))
