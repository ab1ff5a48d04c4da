"""The requester confirms their request, and the policy is checked again. Pure."""

from bot.domain.outcome import Denied
from bot.domain.request import State
from bot.ledger.clicks import Move
from bot.messages.answers import accepted
from bot.messages.clicks import NothingDone
from bot.messages.decisions import answer as ended
from bot.messages.decisions import sent_to_approvers
from bot.policy.kinds import Deny, NeedsApproval, Unreadable
from bot.workflow.click_steps import ApplyMove, ClickContext, ClickStep, Reply, late
from bot.workflow.ruling import decide_again, denial, doubt_in, ground_against, strictest


def confirm(context: ClickContext) -> ClickStep:
    """Let a request go on that its requester confirms, if the current policy still allows it."""
    entry = context.entry
    if not context.own:
        return context.refuse(NothingDone.NOT_YOURS)
    if entry.state is not State.CONFIRMING:
        return late(context.words, context.click, entry)
    if isinstance(context.clicker, Unreadable):
        return context.cannot_tell(context.clicker)
    return _confirmed(context)


def _confirmed(context: ClickContext) -> ClickStep:
    words, policy, request = context.words, context.policy, context.entry.request
    by, url = context.click.user_id, context.click.response_url
    decisions = decide_again(policy, request, context.requester)
    ask, decision = strictest(decisions)
    if isinstance(decision, Deny) and doubt_in(decision):
        return Reply(denial(words, policy, decisions, ask, decision))
    if ground := ground_against(policy, request, decisions):
        over = Denied(ground)
        message = ended(words, request, over)
        if isinstance(decision, Deny):
            message = denial(words, policy, decisions, ask, decision)
        return ApplyMove(Move(State.ENDED, by, "denied", outcome=over), message, replaces=True)
    if isinstance(decision, NeedsApproval):
        move = Move(
            State.WAITING,
            by,
            "confirmed",
            response_url=url,
            patience=decision.rule.approvers.expires.total_seconds(),
            rule=decision.rule.name,
        )
        return ApplyMove(move, sent_to_approvers(words, request), replaces=True)
    move = Move(State.ACCEPTED, by, "confirmed", response_url=url)
    return ApplyMove(move, accepted(words, request), replaces=True)
