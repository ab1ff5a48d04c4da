"""Whoever asked, whoever may approve and the operators take back what has not begun. Pure."""

from dataclasses import replace

from bot.domain.outcome import Cancelled
from bot.domain.request import BEGUN, State
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages import clicks as say
from bot.policy import Unreadable, is_operator, may_approve
from bot.workflow.ruling import deciding_rules
from bot.workflow.seen import CancelRest, ClickStep, Reply, Seen, Take, late


def cancel(seen: Seen) -> ClickStep:
    """Take back a request that waits for people, or what has not begun of a batch."""
    words, entry, request, by = seen.words, seen.entry, seen.request, seen.click.user_id
    if not seen.own and (no := _refused(seen)):
        return Reply(no)
    begun = entry.state in BEGUN
    if begun and request.is_batch:
        return CancelRest()
    if entry.state not in {State.CONFIRMING, State.WAITING}:
        told = late(words, seen.click, entry)
        return replace(told, settles=told.settles and not begun)
    # Whoever takes back what they are asked to confirm knows it; of anything else somebody is to be told.
    silent = seen.own and entry.state is State.CONFIRMING
    to = State.ENDED if silent else State.ANSWERED
    move = Move(to, by, "cancelled", outcome=Cancelled(by), place=seen.click.message)
    return Take(move, say.cancelled(words, request), settles=silent)


def _refused(seen: Seen) -> Message | None:
    """Return why whoever clicked may not cancel what somebody else asked for; None if they may."""
    words, policy, person = seen.words, seen.policy, seen.clicker
    if isinstance(person, Unreadable):
        return say.cannot_tell_who(words)
    if is_operator(policy, person):
        return None
    rules = deciding_rules(policy, seen.request, seen.decisions())
    asked_by = seen.request.origin.user_id
    if any(may_approve(rule, person, asked_by) for rule in rules):
        return None
    named = (rule.approvers.groups for rule in rules if rule.approvers)
    if policy.operators.groups.union(*named) & set(person.unreadable):
        return say.cannot_tell_who(words)
    return say.not_for_cancel(words, seen.request)
