"""Who may share what, from where: decide by the first matching rule, and say which rule and why. Pure.

Fails closed: no rule, no permission; a group that cannot be read never lets anybody through.
"""

from fnmatch import fnmatchcase
from typing import assert_never

from bot.policy.globs import fits_any_case
from bot.policy.kinds import (
    ANYONE,
    Allow,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    GroupUnreadable,
    Miss,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Person,
    Policy,
    Rule,
    Standing,
    Unreadable,
    Verdict,
)


def decide(policy: Policy, ask: Ask) -> Decision:
    """Return what the first matching rule says about `ask`; without one, Deny."""
    if ask.person.standing in {Standing.BOT, Standing.DEACTIVATED}:
        return Deny(NotEntitled(ask.person.standing))
    doubtful: GroupUnreadable | None = None
    for verdict in explain(policy, ask):
        rule = verdict.rule
        if not verdict.misses:
            return _effect(rule)
        if verdict.misses == {Miss.UNREADABLE}:
            doubt = GroupUnreadable(rule, *verdict.unreadable[0])
            # Passing over a plain allow can only take rights away; passing over anything else could add some.
            if rule.effect is not Effect.ALLOW or rule.confirm:
                return Deny(doubt)
            doubtful = doubtful or doubt
    return Deny(doubtful or NoRule(nearest(policy, ask)))


def _effect(rule: Rule) -> Decision:
    match rule.effect:
        case Effect.ALLOW:
            return NeedsConfirmation(rule) if rule.confirm else Allow(rule)
        case Effect.APPROVE:
            return NeedsApproval(rule)
        case Effect.DENY:
            return Deny(DeniedByRule(rule))
        case _:
            assert_never(rule.effect)


def deciding_rule(decision: Decision) -> Rule | None:
    """Return the rule that decided; None where no rule matches or none was asked."""
    match decision:
        case Allow(rule) | NeedsConfirmation(rule) | NeedsApproval(rule):
            return rule
        case Deny(DeniedByRule(rule) | GroupUnreadable(rule)):
            return rule
        case Deny():
            return None
        case _:
            assert_never(decision)


def explain(policy: Policy, ask: Ask) -> tuple[Verdict, ...]:
    """Return how each rule fits `ask`, in the order of the rules."""
    return tuple(_judge(rule, ask) for rule in policy.rules)


def nearest(policy: Policy, ask: Ask) -> tuple[Verdict, ...]:
    """Return the verdicts of rules that would allow this env and appid, if not to this person here."""
    return tuple(
        verdict
        for verdict in explain(policy, ask)
        if verdict.rule.effect is not Effect.DENY and not verdict.misses & {Miss.APPID, Miss.ENV}
    )


def rights(policy: Policy, person: Person) -> tuple[Rule, ...]:
    """Return the rules that let `person` share something, wherever and whatever it is."""
    if person.standing in {Standing.BOT, Standing.DEACTIVATED}:
        return ()
    return tuple(
        rule
        for rule in policy.rules
        if rule.effect is not Effect.DENY and not _judge_who(rule, person)[0]
    )


def may_see(policy: Policy, person: Person, appid: str, env: str) -> bool:
    """Tell whether `person` may share this pair from somewhere, and so may read who else did."""
    channels = {"", *(channel for rule in policy.rules for channel in rule.channels)}
    decisions = (decide(policy, Ask(person, channel, appid, env)) for channel in channels)
    return any(not isinstance(decision, Deny) for decision in decisions)


def may_share_env(policy: Policy, person: Person, env: str) -> bool:
    """Tell whether `person` may share `env` from somewhere with some appid; in doubt, yes: it is asked again then."""
    if person.standing in {Standing.BOT, Standing.DEACTIVATED}:
        return False
    shut: list[Rule] = []  # rules that come first and say no, or might
    for rule in policy.rules:
        misses, _ = _judge_who(rule, person)
        if not _fits_env(env, rule) or misses - {Miss.UNREADABLE}:
            continue
        if misses or rule.effect is Effect.DENY:
            if misses and rule.effect is Effect.ALLOW and not rule.confirm:
                continue  # passing over it takes nothing but its own right away
            shut.append(rule)
        elif not any(_covers(wider, rule) for wider in shut):
            return True
    return False


def named_envs(policy: Policy) -> tuple[str, ...]:
    """Return the envs that the policy calls by their whole names, once and in order."""
    by_rules = (env for rule in policy.rules if rule.effect is not Effect.DENY for env in rule.envs)
    by_owners = (env for owner in policy.owners for env in owner.envs)
    named = [env for env in (*by_rules, *by_owners) if not set(env) & set("*?[")]
    return tuple(dict.fromkeys(named))


def may_approve(rule: Rule, approver: Person, requester_id: str) -> bool:
    """Tell whether `approver` may decide about a request that `rule` sends to its approvers."""
    if rule.approvers is None or approver.standing is not Standing.MEMBER:
        return False
    if approver.user_id == requester_id and not rule.self_approval:
        return False
    named = approver.user_id in rule.approvers.users or ANYONE in rule.approvers.users
    return named or bool(approver.groups & rule.approvers.groups)


def is_operator(policy: Policy, person: Person) -> bool:
    """Tell whether `person` may cancel what anybody asked for."""
    operators = policy.operators
    named = person.user_id in operators.users or bool(person.groups & operators.groups)
    return named and person.standing is Standing.MEMBER


def owner_of(policy: Policy, env: str) -> str | None:
    """Return the appid of the mini program that owns `env`: the first that matches, else the default."""
    named = (owner.appid for owner in policy.owners if _fits(env, owner.envs))
    return next(named, policy.default_owner)


def _judge(rule: Rule, ask: Ask) -> Verdict:
    misses, unreadable = _judge_who(rule, ask.person)
    if rule.channels and ask.channel not in rule.channels:
        misses.add(Miss.CHANNEL)
    if not _fits(ask.appid, rule.appids):
        misses.add(Miss.APPID)
    if not _fits_env(ask.env, rule):
        misses.add(Miss.ENV)
    return Verdict(rule, frozenset(misses), unreadable)


def _judge_who(rule: Rule, person: Person) -> tuple[set[Miss], tuple[tuple[str, Unreadable], ...]]:
    guest = person.standing in {Standing.GUEST, Standing.OUTSIDER}
    misses = {Miss.GUEST} if guest and not rule.guests and rule.effect is not Effect.DENY else set()
    anyone = not (rule.users or rule.groups) or ANYONE in rule.users
    if anyone or person.user_id in rule.users or person.groups & rule.groups:
        return misses, ()
    unreadable = tuple(
        (g, person.unreadable[g]) for g in sorted(rule.groups & set(person.unreadable))
    )
    return misses | {Miss.UNREADABLE if unreadable else Miss.WHO}, unreadable


def _fits(word: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, glob) for glob in globs)


def _fits_env(env: str, rule: Rule) -> bool:
    fits = fits_any_case if rule.any_case else fnmatchcase
    return any(fits(env, glob) for glob in rule.envs)


def _covers(wider: Rule, rule: Rule) -> bool:
    """Tell whether `wider` counts wherever and for whichever appid `rule` does."""
    places = not wider.channels or bool(rule.channels and rule.channels <= wider.channels)
    return places and (ANYONE in wider.appids or set(rule.appids) <= set(wider.appids))
