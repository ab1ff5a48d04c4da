"""The requester confirms their request, and the policy is checked again. Pure."""

from bot.domain.outcome import Denied, Ground
from bot.domain.request import State
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages.answers import accepted
from bot.messages.clicks import NothingDone
from bot.messages.decisions import answer as ended
from bot.messages.decisions import sent_to_approvers
from bot.policy.kinds import Deny, NeedsApproval, Unreadable
from bot.workflow.click_steps import ApplyMove, ClickContext, ClickStep, Reply, late
from bot.workflow.ruling import denial, review


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
    reviewed = review(policy, request, context.requester)
    ask, decision = reviewed.counts
    if isinstance(decision, Deny):
        no = denial(words, policy, reviewed.decisions, ask, decision)
        return Reply(no) if reviewed.doubt else _deny(by, Ground.NOT_ALLOWED, no)
    if ground := reviewed.ground:
        return _deny(by, ground, ended(words, request, Denied(ground)))
    rule = decision.rule
    if isinstance(decision, NeedsApproval):
        patience = rule.approvers.expires.total_seconds()
        move = Move(
            State.WAITING, by, "confirmed", response_url=url, patience=patience, rule=rule.name
        )
        return ApplyMove(move, sent_to_approvers(words, request), replaces=True)
    move = Move(State.ACCEPTED, by, "confirmed", response_url=url, rule=rule.name)
    return ApplyMove(move, accepted(words, request), replaces=True)


def _deny(by: str, ground: Ground, message: Message) -> ApplyMove:
    move = Move(State.ENDED, by, "denied", outcome=Denied(ground))
    return ApplyMove(move, message, replaces=True)
