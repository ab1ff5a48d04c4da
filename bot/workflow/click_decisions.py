"""What a click does, by the state of its request, the people, and the policy checked again. Pure."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from bot.command.grammar import Share
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Ground,
    Rejected,
    Skipped,
    looks,
    retry_may_help,
)
from bot.domain.request import BEGUN, Act, Agreement, Click, Origin, Retry, State
from bot.ledger.click_moves import Move
from bot.ledger.entries import Entry
from bot.messages import Message
from bot.messages.answers import accepted, steps_left
from bot.messages.approvals import (
    Settled,
    no_approver,
    sent_to_approvers,
    settled,
    waiting,
    without_approval,
    you_agreed,
    you_approved,
)
from bot.messages.blocks import filled, read_ref
from bot.messages.click_replies import (
    NothingDone,
    cannot_tell,
    cannot_tell_requester,
    opens_later,
    over_by_policy,
    refused,
    too_late,
)
from bot.messages.conversation import answer
from bot.messages.words import Words
from bot.policy.decide import approver_groups, approver_users
from bot.policy.kinds import Deny, Doubt, NeedsApproval, Person, Rule, Standing, Unreadable
from bot.policy.quorum import missing, still_to_agree
from bot.workflow.judge import Asker, Decisions, able
from bot.workflow.ruling import denial


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickContext:
    """All that a click is decided by, read once.

    `decisions` are the current ones on the request, `agreed` are those who agreed before, as they are now, and `failed` are the receivers that a retry would be for.
    """

    click: Click
    entry: Entry
    words: Words
    clicker: Asker
    requester: Asker
    decisions: Decisions
    agreed: tuple[Asker, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to the user who clicked, privately; with `replaces` in place of the message with the button, if only they see it.

    With `spent` the message stays, but its buttons are removed, since they are of no more use to anybody. With `refused`
    it is recorded that this user tried what they may not. `unsure` if Slack did not tell enough, but may in a few seconds.
    """

    message: Message
    replaces: bool = False
    spent: bool = False
    refused: bool = False
    unsure: bool = False


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
    """Submit a new request from `origin`, for `asker`."""

    origin: Origin
    share: Share
    asker: Asker
    retry: Retry | None = None
    replaces: bool = False


ClickStep = Reply | ApplyMove | CancelRest | Resubmit
"""What can result from a click."""


def is_unsure(step: ClickStep) -> bool:
    """Tell whether the step would be better known once Slack tells who somebody is, which may be in a few seconds."""
    match step:
        case Reply():
            return step.unsure
        case Resubmit(asker=Asker(person=Unreadable() as trouble)):
            return trouble.passes
        case Resubmit(asker=Asker(person=Person() as person)):
            return any(trouble.passes for trouble in person.unreadable.values())
        case _:
            return False


def step_of(act: Act, context: ClickContext) -> ClickStep:
    """Return what to do for a click on this button."""
    match act:
        case Act.CONFIRM:
            return _confirm(context)
        case Act.CANCEL:
            return _cancel(context)
        case Act.APPROVE | Act.REJECT:
            return _decide(context, approved=act is Act.APPROVE)
        case Act.BREAK_GLASS:
            return _break_glass(context)
        case Act.RETRY:
            return _retry(context)
        case Act.SHARE_AGAIN:
            return _share_again(context)
        case Act.STEPS:
            return Reply(steps_left(context.words, context.entry.request))
        case _:
            assert_never(act)


def _is_own(context: ClickContext) -> bool:
    """Tell whether the requester clicked."""
    return context.click.origin.user_id == context.entry.request.origin.user_id


def _nothing_done(context: ClickContext, why: NothingDone) -> Reply:
    return Reply(refused(context.words, why, context.entry.request))


def _cannot_tell(context: ClickContext, trouble: Unreadable, *, groups: bool = False) -> Reply:
    """Say that Slack did not return the person who clicked, or which groups they are in."""
    return Reply(cannot_tell(context.words, trouble, groups=groups), unsure=trouble.passes)


def _in_doubt(context: ClickContext, doubt: Doubt) -> Reply:
    """Say that Slack did not return the requester, or which groups they are in."""
    other = None if _is_own(context) else context.entry.request.origin.user_id
    message = cannot_tell_requester(context.words, doubt, other=other)
    return Reply(message, unsure=doubt.trouble.passes)


def _forbidden(
    context: ClickContext, rules: Collection[Rule], why: NothingDone, *, operators: bool = False
) -> Reply | None:
    """Return why the person who clicked may not do it; None for approvers by these rules and, if asked, operators.

    `why` is the reason if Slack told all about them, and they are a member.
    """
    clicker, request = context.clicker, context.entry.request
    person = clicker.person
    if isinstance(person, Unreadable):
        return _cannot_tell(context, person)
    able = clicker.may_approve(rules, request.origin.user_id)
    if able or (operators and clicker.is_operator):
        return None
    groups = approver_groups(rules) | (clicker.policy.operators.groups if operators else set())
    if group := min(groups & set(person.unreadable), default=None):
        return _cannot_tell(context, person.unreadable[group], groups=True)
    if rules and person.standing is not Standing.MEMBER:
        why = NothingDone.NOT_A_MEMBER
    return Reply(refused(context.words, why, request), refused=True)


def _confirm(context: ClickContext) -> ClickStep:
    """Let a request go on that its requester confirms, if the current policy still allows it."""
    words, request = context.words, context.entry.request
    if not _is_own(context):
        return _nothing_done(context, NothingDone.NOT_YOURS)
    if context.entry.state is not State.CONFIRMING:
        return late(words, context.click, context.entry)
    by = context.click.origin.user_id
    decisions = context.decisions
    if doubt := decisions.doubt:
        return _in_doubt(context, doubt)
    no, (_, decision) = decisions.against(request), decisions.strictest
    if no and (later := _opens_later(context, no)):
        return later
    if no or isinstance(decision, Deny):
        no = no or Denied()
        message = answer(words, request, no)
        if isinstance(decision, Deny):
            # With what is missing, and who can grant it, as at the command.
            asked = Share(request.receivers, request.env, request.reason, again=request.again)
            message = denial(words, decisions, asked, decision)
        move = Move(State.ENDED, by, "denied", outcome=no)
        return ApplyMove(move, message, replaces=True)
    rule, message = decision.rule, accepted(words, request)
    move = Move(State.ACCEPTED, by, "confirmed", rule=rule.name)
    if isinstance(decision, NeedsApproval):
        patience = rule.approvers.expires.total_seconds()
        move = replace(move, to=State.WAITING, patience=patience)
        message = sent_to_approvers(words, request, breakable=decisions.breakable is not None)
    return ApplyMove(move, message, replaces=True)


def _break_glass(context: ClickContext) -> ClickStep:
    """Let a request go on whose requester need not wait for its approval, if the current policy allows it otherwise."""
    words, entry, click = context.words, context.entry, context.click
    request, decisions = entry.request, context.decisions
    if not _is_own(context):
        return _nothing_done(context, NothingDone.NOT_YOURS)
    if entry.state is not State.WAITING:
        return late(words, click, entry)
    if doubt := decisions.doubt:
        return _in_doubt(context, doubt)
    by = click.origin.user_id
    if no_more := decisions.against(request):
        move = Move(State.ANSWERED, by, "denied", outcome=no_more)
        return _opens_later(context, no_more) or ApplyMove(move, answer(words, request, no_more))
    if (rule := decisions.breakable) is None and (unread := decisions.glass_doubt):
        return _in_doubt(context, unread)
    if rule is None:
        why = NothingDone.NOT_FOR_BREAK_GLASS
        return Reply(refused(words, why, request), refused=True)
    if not click.comment:
        return _nothing_done(context, NothingDone.NO_REASON)
    move = Move(
        State.PLACED if entry.place else State.ACCEPTED,
        by,
        "broke glass",
        comment=click.comment,
        rule=rule.name,
        broke_glass=True,
    )
    return ApplyMove(move, without_approval(words, request))


def _opens_later(context: ClickContext, no: Denied) -> Reply | None:
    """Say from when the policy lets the request go on, if only the hour is against it; a freeze ends it."""
    entry, decisions = context.entry, context.decisions
    opens = None if no.ground is Ground.FROZEN else decisions.opens(entry.request)
    if opens is None:
        return None
    return Reply(opens_later(context.words, entry.request, opens, entry.until))


def _decide(context: ClickContext, *, approved: bool) -> ClickStep:
    """Apply an approver's decision: the request goes on, or ends as rejected or denied.

    If no approvers are left and the policy forbids the request, anybody's click ends it.
    """
    words, entry, click = context.words, context.entry, context.click
    request, decisions = entry.request, context.decisions
    if entry.state is not State.WAITING:
        return late(words, click, entry)
    rules, no_more = decisions.deciding_rules(request), decisions.against(request)
    if isinstance(context.clicker.person, Unreadable):
        return _cannot_tell(context, context.clicker.person)
    if rules and (no := _may_not_decide(context, rules)):
        return no
    doubt = decisions.doubt
    if doubt and (approved or not rules):
        return _in_doubt(context, doubt)
    if not rules and not no_more:
        return _nothing_done(context, NothingDone.NOTHING_TO_DECIDE)
    questions = filled(entry.asked, click.message)
    move = partial(Move, by=click.origin.user_id, comment=click.comment, asked=questions)
    if no_more and (approved or not rules or no_more.ground is Ground.SEVERAL_RULES):
        ending = move(State.ANSWERED, kind="denied", outcome=no_more)
        is_member = context.clicker.person.standing is Standing.MEMBER
        told = over_by_policy(words, request, no_more, decisions.frozen if is_member else None)
        return _opens_later(context, no_more) or ApplyMove(ending, told)
    if approved:
        return _agree(context, rules, move)
    outcome = Rejected(click.origin.user_id, click.comment)
    rejection = move(State.ANSWERED, kind="rejected", outcome=outcome)
    return ApplyMove(rejection, settled(words, request, Settled.REJECTED))


def _agree(context: ClickContext, rules: Sequence[Rule], move: Callable[..., Move]) -> ClickStep:
    """Approve the request if by one of `rules` enough people agree, with the one who clicked; else record that they do."""
    words, entry, click = context.words, context.entry, context.click
    request, by = entry.request, click.origin.user_id
    everybody = {each.circumstances.person.user_id: each for each in context.agreed}
    everybody[by] = context.clicker
    counted = {rule: able(rule, everybody.values(), request.origin.user_id) for rule in rules}
    before = [each for each in entry.agreed if each.by != by]
    for rule, people in counted.items():
        if not missing(rule.approvers, people):
            ids = {person.user_id for person in people}
            to = State.PLACED if entry.place else State.ACCEPTED
            agreed = tuple(each for each in before if each.by in ids)
            approval = move(to, kind="approved", rule=rule.name, agreed=agreed)
            return ApplyMove(approval, you_approved(words, request))
    unread = (each.person for each in context.agreed if isinstance(each.person, Unreadable))
    if trouble := next((each for each in unread if each.passes), None):
        return _cannot_tell(context, trouble)
    left = still_to_agree(rules[0], counted[rules[0]], request.origin.user_id)
    if len(before) < len(entry.agreed):
        return Reply(you_agreed(words, request, left, before=True))
    agreement = move(
        State.WAITING, kind="agreed", agreed=(*entry.agreed, Agreement(by, click.comment))
    )
    return ApplyMove(agreement, you_agreed(words, request, left))


def _may_not_decide(context: ClickContext, rules: Sequence[Rule]) -> Reply | None:
    """Return why the person who clicked may not decide; None for an approver by one of `rules`."""
    asked_by, why = context.entry.request.origin.user_id, NothingDone.NOT_AN_APPROVER
    if not approver_groups(rules) and not approver_users(rules, asked_by):
        return Reply(no_approver(context.words, rules[0]), refused=True)
    if _is_own(context) and context.clicker.may_approve(rules, ""):
        why = NothingDone.OWN_REQUEST
    return _forbidden(context, rules, why)


def _may_not_stop_or_retry(
    context: ClickContext, why: NothingDone, *, operators: bool = False
) -> Reply | None:
    """Return why this person may not cancel or retry it; None for the requester, approvers and, if asked, operators."""
    if _is_own(context):
        return None
    rules = context.decisions.deciding_rules(context.entry.request)
    return _forbidden(context, rules, why, operators=operators)


def _cancel(context: ClickContext) -> ClickStep:
    """Cancel a request that waits for people, or the items of a batch that have not begun."""
    words, entry, by = context.words, context.entry, context.click.origin.user_id
    request = entry.request
    if no := _may_not_stop_or_retry(context, NothingDone.NOT_FOR_CANCEL, operators=True):
        return no
    begun = entry.state in BEGUN
    if begun and request.appids:
        return CancelRest()
    if entry.state not in {State.CONFIRMING, State.WAITING}:
        reply = late(words, context.click, entry)
        return replace(reply, replaces=reply.replaces and not begun)
    # A requester who cancels instead of confirming needs no further answer; all other cancellations are delivered.
    own = _is_own(context)
    silent = own and entry.state is State.CONFIRMING
    to = State.ENDED if silent else State.ANSWERED
    # What others read alone, such as the reply to a click that came too late, is no place for the requester's answer.
    theirs = own or context.click.origin.channel_id == request.origin.channel_id
    place = context.click.message if theirs else None
    move = Move(to, by, "cancelled", outcome=Cancelled(by), place=place)
    return ApplyMove(move, settled(words, request, Settled.CANCELLED), replaces=silent)


def _retry(context: ClickContext) -> ClickStep:
    """Retry what failed, on the requester's behalf; a request can be retried once."""
    entry, click = context.entry, context.click.origin
    request = entry.request
    # What an env's cause is, which may give the answer its button, is not recorded.
    if entry.outcome is None or not (retry_may_help(entry.outcome) or looks(entry.outcome)):
        return _nothing_done(context, NothingDone.NO_SUCH_REQUEST)
    if entry.retried_by:
        return replace(_nothing_done(context, NothingDone.RETRIED_ALREADY), spent=True)
    if no := _may_not_stop_or_retry(context, NothingDone.NOT_FOR_RETRY):
        return no
    if not context.failed:
        return _nothing_done(context, NothingDone.NO_SUCH_REQUEST)
    origin = request.origin
    here = click.channel_id == origin.channel_id  # not in a direct message
    clicked = replace(
        origin,
        trigger_id=click.trigger_id,
        response_url=click.response_url if _is_own(context) else "",
        thread_ts=click.thread_ts if here else origin.thread_ts,
    )
    share = Share(context.failed, request.env, request.reason, again=request.again)
    return Resubmit(clicked, share, context.requester, Retry(request.id, click.user_id))


def _share_again(context: ClickContext) -> ClickStep:
    """Share again what was shared before; the reason is the one given now, else the requester's own earlier one."""
    request, click = context.entry.request, context.click
    if request.appids:
        return _nothing_done(context, NothingDone.NO_SUCH_REQUEST)
    reason = click.reason or (request.reason if _is_own(context) else None)
    share = Share((request.appid,), request.env, reason, again=True)
    return Resubmit(click.origin, share, context.clicker, replaces=True)


_REPLIED = Denied | Cancelled | Skipped
"""How a request can end by the click on its confirmation, whose reply is then its only answer."""


def late(words: Words, click: Click, entry: Entry) -> Reply:
    """Reply that a click came too late, and how the request ended, or for whom it waits.

    If the only answer was the reply to an earlier click, this reply repeats it, since it may take that reply's place.
    """
    request, waits = entry.request, entry.state is State.WAITING
    if waits and click.origin.user_id == request.origin.user_id:
        message: Message = sent_to_approvers(words, request)
    elif waits:
        message = waiting(words, request)  # they cancelled it just when its requester confirmed it
    elif entry.state is State.ENDED and not entry.place and isinstance(entry.outcome, _REPLIED):
        message = answer(words, request, entry.outcome)
    else:
        message = too_late(words, request, entry.outcome)
    return Reply(message, replaces=click.message is None, spent=_is_orphan(click, entry))


def _is_orphan(click: Click, entry: Entry) -> bool:
    """Tell whether the clicked message is no recorded one, so that the bot does not edit it when the request ends.

    Such are the direct question for a confirmation, and a duplicate that was posted because of a crash.
    """
    if entry.state is not State.ENDED and entry.outcome != Expired("confirmation"):
        return False
    return is_unrecorded(click, entry)


def is_unrecorded(click: Click, entry: Entry) -> bool:
    """Tell whether the clicked message is none that the ledger records for a request."""
    known = [*read_ref(entry.place), *read_ref(entry.asked)]
    return any(clicked not in known for clicked in read_ref(click.message))
