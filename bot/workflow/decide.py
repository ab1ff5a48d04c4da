"""Approvers approve or reject what waits for them. The policy is asked anew. Pure."""

from dataclasses import dataclass, replace

from bot.domain.outcome import Denied, Ground, Rejected
from bot.domain.request import State
from bot.ledger.clicks import Move
from bot.messages import clicks as say
from bot.policy import Rule, Unreadable, may_approve
from bot.workflow.ruling import deciding_rules, ground_against, in_doubt, strictest
from bot.workflow.seen import ClickStep, Refuse, Reply, Seen, Take, late


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a request stands by the policy of now: by which rules its approvers click, and why it cannot go on."""

    rules: tuple[Rule, ...]
    ground: Ground | None
    in_doubt: bool

    @property
    def is_several(self) -> bool:
        """Whether nobody can speak for all of it, not even to say no."""
        return self.ground is Ground.SEVERAL_RULES

    @property
    def may_be_rejected(self) -> bool:
        """Whether somebody can say no to all of it."""
        return bool(self.rules) and not self.is_several


def may_not_decide(seen: Seen) -> ClickStep | None:
    """Return what an approver is answered before they have decided; None if they may decide."""
    stands = _standing(seen)
    if no := _refused(seen, stands):
        return no
    return _over(seen, stands) if stands.is_several else None


def decide(seen: Seen, *, approved: bool) -> ClickStep:
    """Let a request go on that an approver agrees to, or end one that they do not agree to."""
    words, entry, request, by = seen.words, seen.entry, seen.request, seen.click.user_id
    if entry.state is not State.WAITING:
        return late(words, seen.click, entry)
    stands = _standing(seen)
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


def _standing(seen: Seen) -> _Standing:
    decisions = seen.decisions()
    return _Standing(
        deciding_rules(seen.policy, seen.request, decisions),
        ground_against(seen.policy, seen.request, decisions),
        in_doubt(strictest(decisions)[1]),
    )


def _over(seen: Seen, stands: _Standing) -> Take:
    """End what the policy of now does not let go on."""
    ground = stands.ground or Ground.NOT_ALLOWED
    move = Move(State.ANSWERED, seen.click.user_id, "denied", outcome=Denied(ground))
    return Take(_said(seen, move), say.over_by_policy(seen.words, seen.request, ground))


def _said(seen: Seen, move: Move) -> Move:
    """Return the move with what the approver wrote, and where they were asked."""
    return replace(move, comment=seen.click.comment, asked=seen.click.message)


def _refused(seen: Seen, stands: _Standing) -> Reply | Refuse | None:
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
