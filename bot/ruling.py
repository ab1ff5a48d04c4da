"""What the policy says to one ask or to all of a batch: a step to begin with, or a refusal in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.messages import Message
from bot.messages.batches import denied_some, several_rules
from bot.messages.clicks import cannot_tell_requester, denied_for_them
from bot.messages.permissions import denied, no_owner
from bot.messages.words import Words
from bot.policy import (
    Allow,
    Ask,
    Decision,
    Deny,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Unreadable,
    decide,
)
from bot.request import Origin, Request, State

CONFIRM_SECONDS = 600

Passed = Allow | NeedsConfirmation | NeedsApproval
Decided = tuple[Ask, Decision]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing begins: the kind of its event, what the requester is told, and a word for the record."""

    kind: str
    message: Message
    detail: str | None = None


def decide_all(
    policy: Policy, origin: Origin, person: Person | Unreadable, appids: Sequence[str], env: str
) -> list[Decided]:
    """Return what was asked about each appid, and what the policy says; whoever is not known may nothing."""
    if isinstance(person, Unreadable):
        nobody = Person(origin.team_id, origin.user_id)
        no = Deny(PersonUnreadable(person))
        return [(Ask(nobody, origin.channel_id, appid, env), no) for appid in appids]
    asks = [Ask(person, origin.channel_id, appid, env) for appid in appids]
    return [(ask, decide(policy, ask)) for ask in asks]


def in_doubt(decision: Decision) -> bool:
    """Tell whether it is a no only because Slack did not tell who somebody is, or who is in a group."""
    return isinstance(decision, Deny) and isinstance(
        decision.because, PersonUnreadable | GroupUnreadable
    )


def strictest(decisions: Sequence[Decided]) -> Decided:
    """Return what decides about a batch: the first that says no, else the first that asks for an approval."""

    def rank(decided: Decided) -> int:
        return {Deny: 0, NeedsApproval: 1}.get(type(decided[1]), 2)

    return min(decisions, key=rank)


def approving_rule(
    policy: Policy, request: Request, decision: Decision | None = None
) -> Rule | None:
    """Return the rule whose approvers decide about a request; None if there are none.

    The one that the `decision` of now asks them by, where it is known; else the one that let it through, if it still does.
    """
    if isinstance(decision, NeedsApproval):
        return decision.rule
    rule = policy.rule(request.rule)
    return rule if rule and rule.approvers else None


def ruling(
    words: Words,
    policy: Policy,
    decisions: Sequence[Decided],
    owner: str | None,
    *,
    own: bool = True,
) -> Refusal | Passed:
    """Return the one decision about all of it, or why it does not begin; a batch needs one rule for all.

    Told to the requester or, where it is not their `own` click, to whoever tries again for them.
    """
    by_rule: dict[str, list[str]] = {}
    for ask, decision in decisions:
        if isinstance(decision, Deny):
            told = (
                _denied(words, policy, decisions, ask, decision)
                if own
                else _denied_for_them(words, decisions, ask, decision)
            )
            return Refusal("denied", told, type(decision.because).__name__)
        by_rule.setdefault(decision.rule.name, []).append(ask.appid)
        passed = decision
    if len(by_rule) > 1:
        return Refusal("denied", several_rules(words, by_rule), "SeveralRules")
    if owner is None:
        return Refusal("no owner", no_owner(words, ask, policy))
    return passed


def _denied(
    words: Words, policy: Policy, decisions: Sequence[Decided], ask: Ask, no: Deny
) -> Message:
    told = denied(words, no, ask, policy)
    if len(decisions) > 1:
        told = denied_some(words, _appids_denied(decisions), len(decisions)) + told
    return told


def _denied_for_them(words: Words, decisions: Sequence[Decided], ask: Ask, no: Deny) -> Message:
    if in_doubt(no):
        return cannot_tell_requester(words, ask.person.user_id)
    return denied_for_them(words, ask, _appids_denied(decisions))


def _appids_denied(decisions: Sequence[Decided]) -> list[str]:
    return [asked.appid for asked, decided in decisions if isinstance(decided, Deny)]


def first_state(passed: Passed, *, sure: bool = False) -> tuple[State, float | None]:
    """Return the state in which a request begins, and for how many seconds it may stay there.

    `sure` where its approvers are asked without a confirmation.
    """
    match passed:
        case Allow():
            return State.ACCEPTED, None
        case NeedsApproval(rule) if rule.approvers and (sure or not rule.confirm):
            return State.WAITING, rule.approvers.expires.total_seconds()
        case _:
            return State.CONFIRMING, CONFIRM_SECONDS
