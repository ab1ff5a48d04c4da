"""Cancel a request that has not begun: by its requester, its approvers and the operators. Pure."""

from dataclasses import replace

from bot.domain.outcome import Cancelled
from bot.domain.request import BEGUN, State
from bot.ledger.clicks import Move
from bot.messages import clicks as say
from bot.messages.clicks import NothingDone
from bot.policy.decide import approver_groups, is_operator, may_approve
from bot.policy.kinds import Person
from bot.workflow.click_steps import ApplyMove, CancelRest, ClickContext, ClickStep, Reply, late
from bot.workflow.ruling import review


def cancel(context: ClickContext) -> ClickStep:
    """Cancel a request that waits for people, or the items of a batch that have not begun."""
    words, entry, by = context.words, context.entry, context.click.user_id
    request = entry.request
    if not context.own and (no := _refused(context)):
        return no
    begun = entry.state in BEGUN
    if begun and request.appids:
        return CancelRest()
    if entry.state not in {State.CONFIRMING, State.WAITING}:
        reply = late(words, context.click, entry)
        return replace(reply, replaces=reply.replaces and not begun)
    # A requester who cancels instead of confirming needs no further answer; all other cancellations are delivered.
    silent = context.own and entry.state is State.CONFIRMING
    to = State.ENDED if silent else State.ANSWERED
    move = Move(to, by, "cancelled", outcome=Cancelled(by), place=context.click.message)
    return ApplyMove(move, say.cancelled(words, request), replaces=silent)


def _refused(context: ClickContext) -> Reply | None:
    """Return why the user who clicked may not cancel another person's request; None if they may."""
    policy, request = context.policy, context.entry.request
    rules, by = review(policy, request, context.requester).rules, request.origin.user_id

    def may(person: Person) -> bool:
        return is_operator(policy, person) or any(may_approve(rule, person, by) for rule in rules)

    groups = policy.operators.groups | approver_groups(rules)
    return context.forbidden(may, groups, NothingDone.NOT_FOR_CANCEL)
