"""Decide who may share what, from where: the first matching rule decides. Pure.

Fails closed: without a matching rule the answer is Deny, and a group that cannot be read never permits anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import assert_never

from bot.domain.outcome import Party
from bot.policy.conditions import (
    CONDITIONS,
    ENVS,
    WHAT,
    WHO,
    at_other_times,
    elsewhere,
    fits,
    fits_any,
    freezes_env,
    is_glob,
    misses,
    names_env,
    trouble,
    verdict,
)
from bot.policy.kinds import (
    ANYONE,
    Allow,
    Approvers,
    Ask,
    Circumstances,
    Decided,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    Freeze,
    Frozen,
    GroupUnreadable,
    Miss,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Operators,
    Permitted,
    Person,
    PersonUnreadable,
    Policy,
    ReasonWanted,
    Rule,
    Standing,
    Verdict,
)
from bot.policy.reasons import is_enough

_BESIDE_WHO = tuple(each for each in CONDITIONS if each not in WHO)
_BESIDE_ENV = tuple(each for each in _BESIDE_WHO if each is not ENVS)


def decide(policy: Policy, ask: Ask) -> Decision:
    """Return the decision of the first rule that matches `ask`; Deny without one."""
    if _never_may(ask.person):
        return Deny(NotEntitled())
    doubtful: GroupUnreadable | None = None
    for rule in policy.rules:
        fit = fits(rule, ask)
        if fit:
            return _effect(policy, rule, ask)
        if fit is None:
            doubt = GroupUnreadable(rule, trouble(rule, ask.person))
            # Skipping a plain allow rule can only withhold permission; skipping any other rule could grant too much.
            if rule.effect is not Effect.ALLOW or rule.confirm:
                return Deny(doubt)
            doubtful = doubtful or doubt
    return Deny(doubtful or NoRule(nearest(policy, ask)))


def decide_all(
    policy: Policy, asked: Circumstances, appids: Sequence[str], env: str, reason: str | None
) -> tuple[Decided, ...]:
    """Return the decision whether `env` may be shared with each of these appids."""
    asks = [asked.about(appid, env, reason) for appid in appids]
    # Those that no rule for this env tells apart are decided once, since 500 decisions delay acks.
    about_env = [rule for rule in policy.rules if len(asks) > 1 and names_env(rule, env)]
    telling = [fits_any(rule.appids) for rule in about_env if rule.appids != (ANYONE,)]
    alike: dict[tuple[bool, ...], Decision] = {}
    decisions = list[Decided]()
    for about_one in asks:
        kind = tuple([names(about_one.appid) for names in telling])
        if kind not in alike:
            alike[kind] = decide(policy, about_one)
        decisions.append(Decided(about_one, alike[kind]))
    return tuple(decisions)


def _never_may(person: Person) -> bool:
    return person.standing is Standing.BOT or person.standing is Standing.DEACTIVATED


def _effect(policy: Policy, rule: Rule, ask: Ask) -> Decision:
    match rule.effect:
        case Effect.ALLOW:
            permitted: Permitted = NeedsConfirmation(rule) if rule.confirm else Allow(rule)
        case Effect.APPROVE:
            permitted = NeedsApproval(rule)
        case Effect.DENY:
            return Deny(DeniedByRule(rule))
        case _:
            assert_never(rule.effect)
    if no := _frozen(policy, permitted, ask):
        return no
    # No condition: without a reason a later rule would decide.
    return permitted if is_enough(rule, ask.reason) else Deny(ReasonWanted(permitted))


def _frozen(policy: Policy, permitted: Permitted, ask: Ask) -> Deny | None:
    """Return what a freeze that is on denies: of several, that which ends last, or first one in doubt about its groups."""
    on = [
        each
        for each in policy.freezes
        if each.begins <= ask.at < each.ends
        and freezes_env(each, ask.env)
        and not is_named(each, ask.person)
    ]
    unreadable = ask.person.unreadable
    sure = [each for each in on if each.groups.isdisjoint(unreadable)]
    if sure:
        return Deny(Frozen(permitted, max(sure, key=lambda each: each.ends)))
    for each in on:
        why = unreadable[min(each.groups & set(unreadable))]
        return Deny(GroupUnreadable(permitted.rule, why, each))
    return None


def whatever_reason(decision: Decision) -> Decision:
    """Return the decision as it would be for a reason that the rule wants."""
    if isinstance(decision, Deny) and isinstance(decision.because, ReasonWanted):
        return decision.because.otherwise
    return decision


def in_general(decision: Decision) -> Decision:
    """Return the decision as it would be without a freeze, and for a reason that the rule wants."""
    if isinstance(decision, Deny) and isinstance(decision.because, Frozen):
        return decision.because.otherwise
    return whatever_reason(decision)


def deciding_rule(decision: Decision) -> Rule | None:
    """Return the rule that decided; None if no rule matched or none was evaluated."""
    decided = decision.because if isinstance(decision, Deny) else decision
    if isinstance(decided, NoRule | NotEntitled | PersonUnreadable):
        return None
    return decided.rule


def explain(policy: Policy, ask: Ask) -> tuple[Verdict, ...]:
    """Return how each rule matches `ask`, in the order of the rules."""
    return tuple(verdict(rule, ask) for rule in policy.rules)


def covering(policy: Policy, ask: Ask) -> tuple[Verdict, ...]:
    """Return how each rule that is about this env and appid matches `ask`, in the order of the rules."""
    return tuple(verdict(rule, ask) for rule in policy.rules if not misses(rule, ask, WHAT))


def nearest(policy: Policy, ask: Ask) -> tuple[Verdict, ...]:
    """Return the verdicts of the rules that allow this env and appid to other people or from elsewhere."""
    return tuple(each for each in covering(policy, ask) if each.rule.effect is not Effect.DENY)


def rights(policy: Policy, asked: Circumstances) -> tuple[Rule, ...]:
    """Return the rules that let this person share anything, from anywhere."""
    if _never_may(asked.person):
        return ()
    return tuple(rule for rule in _permitting(policy) if not misses(rule, asked, WHO))


def _permitting(policy: Policy) -> Iterator[Rule]:
    return (rule for rule in policy.rules if rule.effect is not Effect.DENY)


def may_share_somewhere(
    policy: Policy, asked: Circumstances, appids: Iterable[str], env: str
) -> bool:
    """Return whether this person may share `env` with any of `appids`, from some channel at some time, and so read who did.

    In a history there may be 500 appids in each of 50 batches, so only those that a rule for this person names are decided.
    """
    if not may_share_env(policy, asked, env):
        return False
    about_env = (rule for rule in rights(policy, asked) if names_env(rule, env))
    named = filter(fits_any({glob for rule in about_env for glob in rule.appids}), appids)
    times = at_other_times(policy.rules, asked)
    places = [place for time in times for place in elsewhere(policy.rules, time)]
    return _may_any(policy, (place.about(appid, env, None) for appid in named for place in places))


def may_share_later(policy: Policy, ask: Ask) -> bool:
    """Return whether this person may share that from the same channel at some time."""
    times = at_other_times(policy.rules, ask)
    return _may_any(policy, (time.about(ask.appid, ask.env, None) for time in times))


def _may_any(policy: Policy, asks: Iterable[Ask]) -> bool:
    """Return whether a rule lets any of these go on, if no freeze is on, and for a reason that it wants."""
    unfrozen = replace(policy, freezes=())
    return any(not isinstance(whatever_reason(decide(unfrozen, ask)), Deny) for ask in asks)


def turns(policy: Policy, at: float) -> list[float]:
    """Return the next moments, in Unix seconds, at which hours begin or end, or freezes end, in order."""
    of_rules = {rule.hours for rule in policy.rules if rule.hours}
    ends = (each.ends for each in policy.freezes if each.ends > at)
    return sorted({*ends, *(turn for hours in of_rules for turn in hours.turns(at))})


def depends_on_time(policy: Policy, env: str) -> bool:
    """Return whether what the policy says of `env` may change by itself: rules about it have hours, or freezes are for it."""
    timed = (rule for rule in policy.rules if rule.hours)
    return any(names_env(rule, env) for rule in timed) or any(
        freezes_env(each, env) for each in policy.freezes
    )


def may_share_env(policy: Policy, asked: Circumstances, env: str) -> bool:
    """Return whether this person may share `env` from some channel with some appid at some time; True if in doubt."""
    if _never_may(asked.person):
        return False
    shut: list[Rule] = []  # earlier rules that deny, or might
    for rule in policy.rules:
        missed = misses(rule, asked, WHO)
        if missed - {Miss.UNREADABLE} or not names_env(rule, env):
            continue
        if missed or rule.effect is Effect.DENY:
            if rule.effect is Effect.ALLOW and not rule.confirm:
                continue  # skipping it only withholds what it would permit itself
            shut.append(rule)
        elif not any(all(each.covers(wider, rule) for each in _BESIDE_ENV) for wider in shut):
            return True
    return False


def may_begin(policy: Policy, ask: Ask) -> bool:
    """Return whether some rule might let a share begin at once, whoever asks; earlier denials are not looked at."""
    begins = (rule for rule in _permitting(policy) if not rule.confirm)
    return any(not misses(rule, ask, _BESIDE_WHO) for rule in begins)


def named_envs(policy: Policy) -> tuple[str, ...]:
    """Return the envs that the policy names in full, without duplicates, in order."""
    by_rules = (env for rule in _permitting(policy) for env in rule.envs)
    by_owners = (env for owner in policy.owners for env in owner.envs)
    return tuple(dict.fromkeys(env for env in (*by_rules, *by_owners) if not is_glob(env)))


def may_approve(rule: Rule, approver: Person, requester_id: str) -> bool:
    """Return whether `approver` may decide about a request under `rule`."""
    if approver.standing is not Standing.MEMBER:
        return False
    if approver.user_id == requester_id and not rule.self_approval:
        return False
    return is_named(rule.approvers, approver)


def may_break_glass(rule: Rule, requester: Person) -> bool:
    """Return whether a requester need not wait for the approval that `rule` asks for."""
    able = rule.break_glass is not None and is_named(rule.break_glass, requester)
    return able and requester.standing is Standing.MEMBER


def may_approve_such(policy: Policy, ask: Ask) -> bool:
    """Return whether this person may decide, under any rule, about somebody else's request for this env and appid."""
    rules = (rule for rule in policy.approval_rules if may_approve(rule, ask.person, ""))
    return any(not misses(rule, ask, WHAT) for rule in rules)


def approver_users(rules: Iterable[Rule], requester_id: str) -> frozenset[str]:
    """Return the users whom these rules name to decide about a request by this requester."""
    return frozenset(
        user_id
        for rule in rules
        for user_id in rule.approvers.users
        if rule.self_approval or user_id != requester_id
    )


def approver_groups(rules: Iterable[Rule]) -> frozenset[str]:
    """Return the groups whose members may decide about requests under these rules."""
    return frozenset[str]().union(*(rule.approvers.groups for rule in rules))


def is_named(people: Approvers | Party | Operators | Freeze, person: Person) -> bool:
    """Return whether `person` is one of those who are named."""
    named = person.user_id in people.users or ANYONE in people.users
    return named or bool(person.groups & people.groups)


def is_operator(policy: Policy, person: Person) -> bool:
    """Return whether `person` may cancel any request."""
    return is_named(policy.operators, person) and person.standing is Standing.MEMBER


def owner_of(policy: Policy, env: str) -> str | None:
    """Return the appid of the owner of `env`: the first that matches, else the default owner."""
    owners = policy.owners
    named = (each.appid for each in owners if any(fnmatchcase(env, glob) for glob in each.envs))
    return next(named, policy.default_owner)
