"""What a click does, by the state of its request, the people, and the policy checked again. Pure."""

from dataclasses import replace
from typing import assert_never

from bot.command.grammar import Share
from bot.domain.outcome import Cancelled, Denied, Ground, Outcome, Rejected, retry_may_help
from bot.domain.request import BEGUN, Act, Click, Retry, State
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages.answers import accepted, steps_left
from bot.messages.approvals import no_approver, sent_to_approvers
from bot.messages.clicks import NothingDone, Settled, cannot_tell_requester, settled, too_late
from bot.messages.endings import answer as ended
from bot.policy.decide import approver_groups, approver_users, may_approve
from bot.policy.kinds import Deny, Doubt, NeedsApproval, Standing, Unreadable
from bot.workflow.click_steps import (
    ApplyMove,
    CancelRest,
    ClickContext,
    ClickStep,
    Refuse,
    Reply,
    Resubmit,
    late,
)
from bot.workflow.ruling import Review, denial


def step_of(act: Act, context: ClickContext) -> ClickStep:
    """Return what to do for a click on this button."""
    match act:
        case Act.CONFIRM:
            return _confirm(context)
        case Act.CANCEL:
            return _cancel(context)
        case Act.APPROVE | Act.REJECT:
            return _decide(context, approved=act is Act.APPROVE)
        case Act.RETRY:
            return _retry(context)
        case Act.SHARE_AGAIN:
            return _share_again(context)
        case Act.STEPS:
            return Reply(steps_left(context.words, context.entry.request))
        case _:
            assert_never(act)


def _confirm(context: ClickContext) -> ClickStep:
    """Let a request go on that its requester confirms, if the current policy still allows it."""
    words, policy, request = context.words, context.policy, context.entry.request
    if not context.own:
        return context.refuse(NothingDone.NOT_YOURS)
    if context.entry.state is not State.CONFIRMING:
        return late(words, context.click, context.entry)
    if isinstance(context.clicker, Unreadable):
        return context.cannot_tell(context.clicker)
    by, url = context.click.user_id, context.click.origin.response_url
    reviewed = context.reviewed
    ask, decision = reviewed.counts
    if isinstance(decision, Deny):
        no = denial(words, policy, reviewed.decisions, ask, decision)
        return Reply(no) if reviewed.doubt else _end(by, Ground.NOT_ALLOWED, no)
    if ground := reviewed.ground:
        return _end(by, ground, ended(words, request, Denied(ground)))
    rule, message = decision.rule, accepted(words, request)
    move = Move(State.ACCEPTED, by, "confirmed", response_url=url, rule=rule.name)
    if isinstance(decision, NeedsApproval):
        patience = rule.approvers.expires.total_seconds()
        move = replace(move, to=State.WAITING, patience=patience)
        message = sent_to_approvers(words, request)
    return ApplyMove(move, message, replaces=True)


def _end(by: str, ground: Ground, message: Message) -> ApplyMove:
    """End a request that its requester cannot confirm; the reply is its answer."""
    move = Move(State.ENDED, by, "denied", outcome=Denied(ground))
    return ApplyMove(move, message, replaces=True)


def _decide(context: ClickContext, *, approved: bool) -> ClickStep:
    """Apply an approver's decision: the request goes on, or ends as rejected or denied."""
    words, entry, click = context.words, context.entry, context.click
    if entry.state is not State.WAITING:
        return late(words, click, entry)
    reviewed = context.reviewed
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
    outcome = Denied(ground)
    move = _move(context.click, State.ANSWERED, "denied", outcome)
    return ApplyMove(move, too_late(context.words, context.entry.request, outcome))


def _move(
    click: Click, to: State, kind: str, outcome: Outcome | None = None, *, rule: str | None = None
) -> Move:
    """Return a move with the approver's comment, and the message that they clicked."""
    return Move(to, click.user_id, kind, click.comment, outcome, rule=rule, asked=click.message)


def _refused(context: ClickContext, reviewed: Review) -> Reply | Refuse | None:
    """Return why this person may not decide; None if they may.

    Where no approvers are left, anybody may if the policy does not let it go on, since then it only ends.
    """
    rules, asked_by = reviewed.rules, context.entry.request.origin.user_id
    person = context.clicker
    if isinstance(person, Unreadable):
        return context.cannot_tell(person)
    if not rules and reviewed.doubt:
        return _cannot_tell_requester(context, reviewed.doubt)
    if not rules:
        return None if reviewed.ground else context.refuse(NothingDone.NOTHING_TO_DECIDE)
    if not approver_groups(rules) and not approver_users(rules, asked_by):
        return Refuse(no_approver(context.words, rules[0]))
    why = NothingDone.NOT_AN_APPROVER
    if context.own:
        member = replace(person, standing=Standing.MEMBER)
        if any(may_approve(rule, member, "") for rule in rules):  # as if it were another's
            why = NothingDone.OWN_REQUEST
    return context.forbidden(rules, why)


def _cannot_tell_requester(context: ClickContext, doubt: Doubt) -> Reply:
    asked_by = context.entry.request.origin.user_id
    return Reply(cannot_tell_requester(context.words, asked_by, doubt))


def _cancel(context: ClickContext) -> ClickStep:
    """Cancel a request that waits for people, or the items of a batch that have not begun."""
    words, entry, by = context.words, context.entry, context.click.user_id
    request, why = entry.request, NothingDone.NOT_FOR_CANCEL
    if not context.own and (no := context.forbidden(context.reviewed.rules, why, operators=True)):
        return Reply(no.message)
    begun = entry.state in BEGUN
    if begun and request.appids:
        return CancelRest()
    if entry.state not in {State.CONFIRMING, State.WAITING}:
        reply = late(words, context.click, entry)
        return replace(reply, replaces=reply.replaces and not begun)
    # A requester who cancels instead of confirming needs no further answer; all other cancellations are delivered.
    silent = context.own and entry.state is State.CONFIRMING
    to = State.ENDED if silent else State.ANSWERED
    # What others read alone, such as the reply to a click that came too late, is no place for the requester's answer.
    theirs = context.own or context.click.origin.channel_id == request.origin.channel_id
    place = context.click.message if theirs else None
    move = Move(to, by, "cancelled", outcome=Cancelled(by), place=place)
    return ApplyMove(move, settled(words, request, Settled.CANCELLED), replaces=silent)


def _retry(context: ClickContext) -> ClickStep:
    """Retry what failed, on the requester's behalf; a request can be retried once."""
    entry, click = context.entry, context.click.origin
    request = entry.request
    if entry.outcome is None or not retry_may_help(entry.outcome):
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    if entry.retried_by:
        return replace(context.refuse(NothingDone.RETRIED_ALREADY), spent=True)
    why = NothingDone.NOT_FOR_RETRY
    if not context.own and (no := context.forbidden(context.reviewed.rules, why)):
        return Reply(no.message)
    if not context.failed:
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    origin = request.origin
    here = click.channel_id == origin.channel_id  # not in a direct message
    clicked = replace(
        origin,
        trigger_id=click.trigger_id,
        response_url=click.response_url if context.own else "",
        thread_ts=click.thread_ts if here else origin.thread_ts,
    )
    share = Share(context.failed, request.env, request.reason, again=request.again)
    return Resubmit(clicked, share, context.requester, Retry(request.id, click.user_id))


def _share_again(context: ClickContext) -> ClickStep:
    """Share again what was shared before; the reason is the one given now, else the requester's own earlier one."""
    request, click = context.entry.request, context.click
    if request.appids:
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    reason = click.reason or (request.reason if context.own else None)
    share = Share((request.appid,), request.env, reason, again=True)
    return Resubmit(click.origin, share, context.clicker, replaces=True)
