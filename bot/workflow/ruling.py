"""The policy's ruling on a request or a whole batch: the decision to begin with, or a refusal in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bot.domain.outcome import Ground
from bot.domain.request import Origin, Request, State
from bot.messages import Message
from bot.messages.batches import denied_some, several_rules
from bot.messages.click_replies import cannot_tell_requester, denied_for_them
from bot.messages.rulings import denied, no_owner, why_denied
from bot.messages.words import Words
from bot.policy.conditions import ENVS, fits_any
from bot.policy.decide import decide, deciding_rule, owner_of
from bot.policy.kinds import (
    ANYONE,
    Allow,
    Ask,
    Decision,
    Deny,
    Doubt,
    Effect,
    NeedsApproval,
    Permitted,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Standing,
    Unreadable,
)

_CONFIRM_SECONDS = 600.0


class Decided(NamedTuple):
    """A question to the policy, and its decision."""

    ask: Ask
    decision: Decision


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal: the kind of its event, the message to the requester, the event's detail, and the one rule that decided."""

    kind: str
    message: Message
    detail: str | None
    rule: Rule | None


def decide_all(
    policy: Policy, origin: Origin, person: Person | Unreadable, appids: Sequence[str], env: str
) -> list[Decided]:
    """Return the policy's question and decision for each appid; a person whom Slack does not know is denied."""
    if isinstance(person, Unreadable):
        nobody = Person(origin.team_id, origin.user_id, Standing.OUTSIDER)
        no = Deny(PersonUnreadable(person))
        return [Decided(Ask(nobody, origin.channel_id, appid, env), no) for appid in appids]
    asks = [Ask(person, origin.channel_id, appid, env) for appid in appids]
    # Those that no rule for this env tells apart are decided once, since 500 decisions delay acks.
    about_env = [rule for rule in policy.rules if len(asks) > 1 and ENVS.met(rule, asks[0])]
    telling = [fits_any(rule.appids) for rule in about_env if rule.appids != (ANYONE,)]
    alike: dict[tuple[bool, ...], Decision] = {}
    decided = list[Decided]()
    for ask in asks:
        kind = tuple([about(ask.appid) for about in telling])
        if kind not in alike:
            alike[kind] = decide(policy, ask)
        decided.append(Decided(ask, alike[kind]))
    return decided


def decide_again(
    policy: Policy,
    request: Request,
    requester: Person | Unreadable,
    appids: Sequence[str] | None = None,
) -> list[Decided]:
    """Return the current decisions on a recorded request or, with `appids`, on the rest of a batch."""
    receivers = request.receivers if appids is None else appids
    return decide_all(policy, request.origin, requester, receivers, request.env)


def doubt_in(decision: Decision) -> Doubt | None:
    """Return what Slack did not return (a person, or the members of a group), if that is the only reason to deny."""
    if isinstance(decision, Deny) and isinstance(decision.because, Doubt):
        return decision.because
    return None


def strictest(decisions: Sequence[Decided]) -> Decided:
    """Return the decision that counts for a batch: the first sure denial, else one in doubt, else the first."""

    def rank(decided: Decided) -> int:
        if isinstance(decided.decision, Deny):
            return 1 if doubt_in(decided.decision) else 0
        return 2

    return min(decisions, key=rank)


def ground_against(policy: Policy, request: Request, decisions: Sequence[Decided]) -> Ground | None:
    """Return why a recorded request cannot go on under the current `decisions`; None if one rule and its owner let it."""
    rules = set[str]()
    for _, decision in decisions:
        if isinstance(decision, Deny):
            return Ground.NOT_ALLOWED
        rules.add(decision.rule.name)
    if len(rules) > 1:
        return Ground.SEVERAL_RULES
    if owner_of(policy, request.env) != request.owner:
        return Ground.OTHER_OWNER
    return None


def approving_rule(policy: Policy, request: Request) -> Rule | None:
    """Return the rule that a request was accepted under, if it still requires an approval."""
    named = (rule for rule in policy.rules if rule.name == request.rule)
    return next((rule for rule in named if rule.effect is Effect.APPROVE), None)


def deciding_rules(
    policy: Policy, request: Request, decisions: Sequence[Decided]
) -> tuple[Rule, ...]:
    """Return the rules whose approvers may click: the one rule that currently requires an approval for all of it.

    If there is no such rule, approvers of any rule that requires an approval, or of the rule it was accepted under, can
    end it; their approval lets it go on only if the policy no longer requires any.
    """
    rules = {each.rule.name: each.rule for _, each in decisions if isinstance(each, NeedsApproval)}
    if len(rules) == 1 and all(isinstance(decision, NeedsApproval) for _, decision in decisions):
        return tuple(rules.values())
    if before := approving_rule(policy, request):
        rules[before.name] = before
    return tuple(rules.values())


def ruling(
    words: Words,
    policy: Policy,
    decisions: Sequence[Decided],
    owner: str,
    *,
    own: bool = True,
) -> Refusal | Permitted:
    """Return the one decision for all appids, or the refusal; a batch needs one rule for all of it.

    The refusal is worded for the requester or, unless it is their `own` click, for the user who retries for them.
    """
    ask, counts = strictest(decisions)
    if isinstance(counts, Deny):
        if own:
            message = denial(words, policy, decisions, ask, counts)
        elif doubt := doubt_in(counts):
            message = cannot_tell_requester(words, doubt, other=ask.person.user_id)
        else:
            message = denied_for_them(words, ask, _appids_denied(decisions, counts))
        return Refusal("denied", message, type(counts.because).__name__, deciding_rule(counts))
    by_rule: dict[str, list[str]] = {}
    for asked, decision in decisions:
        if not isinstance(decision, Deny):
            by_rule.setdefault(decision.rule.name, []).append(asked.appid)
    if len(by_rule) > 1:
        return Refusal("denied", several_rules(words, by_rule), "SeveralRules", None)
    if not owner:
        return Refusal("no owner", no_owner(words, ask), None, counts.rule)
    return counts


def denial(
    words: Words, policy: Policy, decisions: Sequence[Decided], ask: Ask, no: Deny
) -> Message:
    """Tell the requester of the strictest decision, a denial, and which appids are denied as surely as that one."""
    appids = _appids_denied(decisions, no)
    same = all(decision == no for _, decision in decisions)
    if ask.person.standing is not Standing.MEMBER:  # who is told the same reason for each
        same = len(appids) == len(decisions)
    if doubt_in(no) or same:
        return denied(words, no, ask, policy, appids)
    return denied_some(words, ask.env, appids, len(decisions)) + why_denied(words, no, ask)


def _appids_denied(decisions: Sequence[Decided], no: Deny) -> list[str]:
    sure = doubt_in(no) is None
    return [
        ask.appid
        for ask, decision in decisions
        if isinstance(decision, Deny) and (doubt_in(decision) is None) == sure
    ]


def first_state(passed: Permitted) -> tuple[State, float | None]:
    """Return a request's first state, and after how many seconds it expires there."""
    match passed:
        case Allow():
            return State.ACCEPTED, None
        case NeedsApproval(rule) if not rule.confirm:
            return State.WAITING, rule.approvers.expires.total_seconds()
        case _:
            return State.CONFIRMING, _CONFIRM_SECONDS
