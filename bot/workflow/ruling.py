"""The ruling on a new request: its first state, or a refusal in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.command.grammar import Share
from bot.domain.request import State
from bot.messages import Message
from bot.messages.batches import denied_some, several_rules
from bot.messages.click_replies import cannot_tell_requester, denied_for_them
from bot.messages.rulings import denied, no_owner, own_receiver, reason_wanted, why_denied
from bot.messages.words import Words
from bot.policy.decide import deciding_rule
from bot.policy.kinds import (
    Allow,
    Decided,
    Deny,
    NeedsApproval,
    Permitted,
    ReasonWanted,
    Rule,
    Standing,
)
from bot.workflow.judge import Decisions, doubt_in, strictness

_CONFIRM_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: the kind of its event, the message to the requester, the event's detail, and the one rule that decided."""

    kind: str
    message: Message
    detail: str | None
    rule: Rule | None


def ruling(
    words: Words, decisions: Decisions, share: Share, *, own: bool = True
) -> Refusal | Permitted:
    """Return the one decision for all appids of `share`, or the refusal; a batch needs one rule for all of it.

    The refusal is worded for the requester or, unless it is their `own` click, for the user who retries for them.
    """
    ask, strictest = decisions.strictest
    if isinstance(strictest, Deny):
        if own:
            message = denial(words, decisions, share, strictest)
        elif doubt := doubt_in(strictest):
            message = cannot_tell_requester(words, doubt, other=ask.person.user_id)
        else:
            message = denied_for_them(words, ask, _appids_denied(decisions.of_each, strictest))
        reason = type(strictest.because).__name__
        return Refusal("denied", message, reason, deciding_rule(strictest))
    by_rule: dict[str, list[str]] = {}
    for about_one, decision in decisions.of_each:
        if not isinstance(decision, Deny):
            by_rule.setdefault(decision.rule.name, []).append(about_one.appid)
    if len(by_rule) > 1:
        return Refusal("denied", several_rules(words, by_rule), "SeveralRules", None)
    if not decisions.owner:
        return Refusal("no owner", no_owner(words, ask), None, strictest.rule)
    if owner := decisions.own_receiver:
        return Refusal("denied", own_receiver(words, owner, ask.env), "OwnReceiver", strictest.rule)
    return strictest


def denial(words: Words, decisions: Decisions, share: Share, no: Deny) -> Message:
    """Tell the requester of the strictest decision, a denial, and which appids are denied as surely as that one."""
    if isinstance(no.because, ReasonWanted):
        return reason_wanted(words, no.because.rule, share)
    ask, of_each = decisions.strictest.ask, decisions.of_each
    appids = _appids_denied(of_each, no)
    same = all(decision == no for _, decision in of_each)
    if ask.person.standing is not Standing.MEMBER:  # who is told the same reason for each
        same = len(appids) == len(of_each)
    if doubt_in(no) or same:
        return denied(words, no, ask, decisions.policy, appids)
    return denied_some(words, ask.env, appids, len(of_each)) + why_denied(words, no, ask)


def _appids_denied(of_each: Sequence[Decided], no: Deny) -> list[str]:
    return [ask.appid for ask, decision in of_each if strictness(decision) == strictness(no)]


def first_state(passed: Permitted) -> tuple[State, float | None]:
    """Return a request's first state, and after how many seconds it expires there."""
    match passed:
        case Allow():
            return State.ACCEPTED, None
        case NeedsApproval(rule) if not rule.confirm:
            return State.WAITING, rule.approvers.expires.total_seconds()
        case _:
            return State.CONFIRMING, _CONFIRM_SECONDS
