"""Approvers approve or reject what waits for them. The policy is asked anew. Pure."""

from dataclasses import replace

from bot.domain.outcome import Denied, Ground, Rejected
from bot.domain.request import State
from bot.ledger.clicks import Move
from bot.messages import clicks as say
from bot.policy import Unreadable, may_approve
from bot.workflow.ruling import Review, review
from bot.workflow.seen import ClickStep, Refuse, Reply, Seen, Take, late


def may_not_decide(seen: Seen) -> ClickStep | None:
    """Return what an approver is answered before they have decided; None if they may decide."""
    stands = review(seen.policy, seen.request, seen.requester)
    if no := _refused(seen, stands):
        return no
    return _over(seen, stands) if stands.is_several else None


def decide(seen: Seen, *, approved: bool) -> ClickStep:
    """Let a request go on that an approver agrees to, or end one that they do not agree to."""
    words, entry, request, by = seen.words, seen.entry, seen.request, seen.click.user_id
    if entry.state is not State.WAITING:
        return late(words, seen.click, entry)
    stands = review(seen.policy, seen.request, seen.requester)
    if no := _refused(seen, stands):
        return no
    if approved and stands.in_doubt:
        return Reply(say.cannot_tell_requester(words, request.origin.user_id))
    if stands.ground and (approved or not stands.may_be_rejected):
        return _over(seen, stands)
    told = say.decision_taken(words, request, approved=approved)
    if not approved:
        end = Rejected(by, seen.click.comment)
        return Take(_said(seen, Move(State.ANSWERED, by, "rejected", outcome=end)), told)
    to = State.PLACED if entry.place else State.ACCEPTED
    rule = stands.rules[0].name if stands.rules else None
    return Take(_said(seen, Move(to, by, "approved", rule=rule)), told)


def _over(seen: Seen, stands: Review) -> Take:
    """End what the policy of now does not let go on."""
    ground = stands.ground or Ground.NOT_ALLOWED
    move = Move(State.ANSWERED, seen.click.user_id, "denied", outcome=Denied(ground))
    return Take(_said(seen, move), say.over_by_policy(seen.words, seen.request, ground))


def _said(seen: Seen, move: Move) -> Move:
    """Return the move with what the approver wrote, and where they were asked."""
    return replace(move, comment=seen.click.comment, asked=seen.click.message)


def _refused(seen: Seen, stands: Review) -> Reply | Refuse | None:
    """Return why this person may not decide; None if they may.

    Anybody may where no approvers are left and the policy does not let it go on: then there is nothing to decide.
    """
    words, person, asked_by = seen.words, seen.clicker, seen.request.origin.user_id
    if isinstance(person, Unreadable):
        return Reply(say.cannot_tell_who(words))
    if not stands.rules and stands.ground and not stands.in_doubt:
        return None
    if any(may_approve(rule, person, asked_by) for rule in stands.rules):
        return None
    if any(
        rule.approvers and rule.approvers.groups & set(person.unreadable) for rule in stands.rules
    ):
        return Reply(say.cannot_tell_who(words))
    alone = (replace(rule, self_approval=True) for rule in stands.rules)
    own = any(may_approve(rule, person, asked_by) for rule in alone)
    return Refuse("not an approver", say.not_an_approver(words, own=own))
