"""Find likely mistakes in a policy: rules that never decide or nobody can approve, envs and owners that do not fit. Pure.

The doctor adds the checks that need Slack, such as who is in a group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from bot.domain.finding import Finding, warning, wrong
from bot.domain.sentence import SEMICOLON, Sentence, joined
from bot.policy.conditions import (
    CONDITIONS,
    ENVS,
    GUESTS,
    any_case,
    covers,
    head,
    is_glob,
    names_env,
    tail,
)
from bot.policy.decide import named_envs, owner_of
from bot.policy.errors import quoted
from bot.policy.kinds import Effect, Policy, Rule
from bot.policy.quorum import escalated


def only_denies(policy: Policy) -> Finding | None:
    """Return a finding if nobody may share anything, since no rule that permits can ever decide."""
    lost = [rule for rule, _ in shadowed(policy)]
    if any(rule.effect is not Effect.DENY and rule not in lost for rule in policy.rules):
        return None
    why = Sentence("nobody may share anything: every rule that decides anything denies")
    return warning(
        "policy-reach", why, Sentence("Add a [[rule]] with another effect, or move one up.")
    )


def reach(policy: Policy) -> Iterator[Finding]:
    """Yield rules that never decide, or only that nobody may share anything, if so."""
    if nobody := only_denies(policy):
        yield nobody
        return
    for rule, wider in shadowed(policy):
        first = Sentence("{name}, which comes first, always does", name=quoted(wider.name))
        fix = Sentence("Move the narrower rule up, or take it out.")
        yield warning(
            "policy-reach",
            Sentence("{name} never decides: {first}", name=quoted(rule.name), first=first),
            fix,
        )
    for rule, wider in evaded(policy):
        left: list[str] = [Sentence("guests")] * (not GUESTS.covers(wider, rule))
        left += [Sentence("envs in another letter case")] * (not ENVS.covers(wider, rule))
        found = Sentence(
            "{rule} decides only for {left}: {wider}, which comes first, decides for all others",
            rule=quoted(rule.name),
            left=joined(left),
            wider=quoted(wider.name),
        )
        fix = Sentence(
            "Move {rule} above {wider}, or take it out.",
            rule=quoted(rule.name),
            wider=quoted(wider.name),
        )
        yield warning("policy-reach", found, fix)


def evaded(policy: Policy) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule that restricts, but never a full member who writes the env as it is, with the earlier rule that does.

    A rule that denies is for guests too, and one that denies or asks for approval is for envs in any letter case.
    """
    lost = [rule for rule, _ in shadowed(policy)]
    for number, rule in enumerate(policy.rules):
        if rule.effect is Effect.ALLOW or rule in lost:
            continue
        plain = replace(rule, effect=Effect.ALLOW, guests=False)
        for wider in policy.rules[:number]:
            if wider.effect is not Effect.DENY and _covers(wider, plain):
                yield rule, wider
                break


def _covers(wider: Rule, rule: Rule) -> bool:
    return all(condition.covers(wider, rule) for condition in CONDITIONS)


def shadowed(policy: Policy) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule that can never decide, with the earlier rule that decides instead; a rule in doubt is left out."""
    for number, rule in enumerate(policy.rules):
        for wider in policy.rules[:number]:
            if _covers(wider, rule):
                yield rule, wider
                break


def approval(
    rule: Rule, able: frozenset[str] | None, requesters: frozenset[str] | None
) -> Iterator[Finding]:
    """Yield a finding if the only approver is the only possible requester; None stands for everybody."""
    if not rule.self_approval and able is not None and len(able) == 1 and able == requesters:
        why = Sentence(
            "nobody can approve what {name} asks for: its only approver is the only one who may ask",
            name=quoted(rule.name),
        )
        fix = Sentence("Name another approver, or set self_approval = true.")
        yield wrong("policy-approvers", why, fix)


def escalation(rule: Rule) -> Iterator[Finding]:
    """Yield a finding if a rule escalates to those who are asked from the beginning, in the same channel."""
    asked, later = rule.approvers, rule.approvers.escalate
    if later and later.channel == asked.channel and escalated(rule) == rule:
        why = Sentence(
            "{name} escalates only to those who are asked from the beginning",
            name=quoted(rule.name),
        )
        fix = Sentence("Name others, or another channel, or remove escalate.")
        yield warning("policy-approvers", why, fix)


def freezes(policy: Policy, now: float) -> Iterator[Finding]:
    """Yield the freezes that are over, and their envs that no rule can let anybody share."""
    shared = [env for rule in policy.rules if rule.effect is not Effect.DENY for env in rule.envs]
    for number, freeze in enumerate(policy.freezes, 1):
        its = Sentence("freeze {number} ({reason})", number=number, reason=quoted(freeze.reason))
        if freeze.ends <= now:
            found = Sentence("{its} is over", its=its)
            yield warning("policy-freezes", found, Sentence("Take it out, or correct its until."))
        vain = [env for env in freeze.envs if not any(_may_meet(env, each) for each in shared)]
        if vain:
            found = Sentence(
                "{its} is for envs that no rule lets anybody share: {envs}",
                its=its,
                envs=", ".join(vain),
            )
            yield warning("policy-freezes", found, Sentence("Correct its envs, or take them out."))


def owners(policy: Policy) -> Iterator[Finding]:
    """Yield owners' envs that an earlier owner has."""
    for number, owner in enumerate(policy.owners, 1):
        for env in dict.fromkeys(owner.envs):
            earlier = enumerate(policy.owners[: number - 1], 1)
            having = (each for each in earlier if any(covers(glob, env) for glob in each[1].envs))
            first, other = next(having, (0, owner))
            if other.appid != owner.appid:
                place = Sentence("owner {number} ({appid})", number=number, appid=owner.appid)
                why = Sentence(
                    "{place} never owns {env}: owner {first}, which comes first, does",
                    place=place,
                    env=quoted(env),
                    first=first,
                )
                yield warning(
                    "policy-owners", why, Sentence("Move the narrower one up, or take it out.")
                )


def _having(owner: str, envs: Sequence[str]) -> Sentence:
    if envs:
        return Sentence("{owner} has {envs}", owner=owner, envs=", ".join(envs))
    return Sentence("{owner} has none", owner=owner)


def envs_in_vain(policy: Policy, held: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Yield the envs that the policy names and their owners do not have; `held` are the envs in service of known owners."""
    name, fix = "wechat-envs", Sentence("Correct the id in the policy, or its [[owner]].")
    having = joined([_having(owner, envs) for owner, envs in held.items()], SEMICOLON)
    of = {env: owner_of(policy, env) or "" for env in named_envs(policy)}
    lost = [env for env, owner in of.items() if owner in held and env not in held[owner]]
    if lost:
        yield warning(
            name,
            Sentence(
                "no env in service of its owner: {names}; {having}",
                names=", ".join(lost),
                having=having,
            ),
            fix,
        )
    empty = [
        glob
        for owner in policy.owners
        for glob in filter(is_glob, owner.envs)
        if owner.appid in held and not any(fnmatchcase(env, glob) for env in held[owner.appid])
    ]
    if held.keys() >= set(policy.all_owners) != set():  # a rule's pattern may be for any owner
        whole = [e for owner, envs in held.items() for e in envs if owner_of(policy, e) == owner]
        empty += [
            glob
            for rule in policy.rules
            if rule.effect is not Effect.DENY
            for glob in filter(is_glob, rule.envs)
            if not any(names_env(replace(rule, envs=(glob,)), env) for env in whole)
        ]
    if empty:
        patterns = ", ".join(dict.fromkeys(empty))
        yield warning(
            name,
            Sentence(
                "fits no env in service: {patterns}; {having}", patterns=patterns, having=having
            ),
            fix,
        )


def ownerless(policy: Policy) -> list[str]:
    """Return the envs named in full that have no owner, and the patterns that no owned env can match.

    Patterns are compared before their first wildcard and behind their last. Others may match envs with and without an
    owner: the answer to a request says which it is.
    """
    lost = [env for env in named_envs(policy) if owner_of(policy, env) is None]
    owned = [env for owner in policy.owners for env in owner.envs]
    if owned and policy.default_owner is None:
        permitting = (rule for rule in policy.rules if rule.effect is not Effect.DENY)
        lost += [
            env
            for rule in permitting
            for env in filter(is_glob, rule.envs)
            if not any(_may_overlap(rule, env, each) for each in owned)
        ]
    return list(dict.fromkeys(lost))


def _may_overlap(rule: Rule, glob: str, owned: str) -> bool:
    return _may_meet(glob, owned) if any_case(rule) else _may_meet_as_written(glob, owned)


def _may_meet(one: str, other: str) -> bool:
    """Return whether some env may match both patterns, in some letter case; True if in doubt."""
    return _may_meet_as_written(one.lower(), other.lower())


def _may_meet_as_written(one: str, other: str) -> bool:
    begins = head(one).startswith(head(other)) or head(other).startswith(head(one))
    return begins and (tail(one).endswith(tail(other)) or tail(other).endswith(tail(one)))
