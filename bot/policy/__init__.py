"""Who may share what, from where: decide by the first matching rule, and say which rule and why. Pure.

Fails closed: no rule, no permission; a group that cannot be read never lets anybody through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import assert_never

ANYONE = "*"


class Standing(Enum):
    """How a person belongs to the workspace (flags of users.info)."""

    MEMBER = auto()
    GUEST = auto()
    OUTSIDER = auto()
    BOT = auto()
    DEACTIVATED = auto()


class Unreadable(Enum):
    """Why Slack did not tell who somebody is or who is in a group."""

    MISSING_SCOPE = auto()
    PAID_PLAN = auto()
    RATE_LIMITED = auto()
    NOT_FOUND = auto()
    SLACK_DOWN = auto()


class Effect(Enum):
    """What a matching rule does."""

    ALLOW = "allow"
    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack user by (team_id, user_id), with the groups of the policy that hold them."""

    team_id: str
    user_id: str
    standing: Standing = Standing.MEMBER
    groups: frozenset[str] = frozenset()
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve a request, where they are asked, and for how long."""

    users: frozenset[str]
    groups: frozenset[str]
    channel: str
    expires: timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; an empty set of channels means anywhere, empty `users` and `groups` mean anyone."""

    name: str
    effect: Effect
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    appids: tuple[str, ...] = (ANYONE,)
    envs: tuple[str, ...] = (ANYONE,)
    confirm: bool = False
    guests: bool = False
    approvers: Approvers | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """The mini program whose token shares the envs that match one of `envs`."""

    appid: str
    envs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules and owners in order, and whom people should ask for more rights."""

    rules: tuple[Rule, ...]
    owners: tuple[Owner, ...] = ()
    default_owner: str | None = None
    contact: str = "the people who run this bot"

    @property
    def groups(self) -> frozenset[str]:
        """Every user group that a rule names."""
        return frozenset().union(*(rule.groups for rule in self.rules))


@dataclass(frozen=True, slots=True)
class Ask:
    """May `person`, in `channel`, share `env` with `appid`?"""

    person: Person
    channel: str
    appid: str
    env: str


class Miss(Enum):
    """One way in which a rule does not fit."""

    WHO = auto()
    GUEST = auto()
    CHANNEL = auto()
    APPID = auto()
    ENV = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one rule fits one Ask: no misses means that it matches."""

    rule: Rule
    misses: frozenset[Miss]
    unreadable: tuple[tuple[str, Unreadable], ...] = ()


@dataclass(frozen=True, slots=True)
class Allow:
    """Go ahead."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class NeedsConfirmation:
    """Allowed once the requester has said that they are sure."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Allowed once one of the rule's approvers has agreed."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class DeniedByRule:
    """A rule says no."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class NoRule:
    """No rule matches; `nearest` are those that would let somebody else or from elsewhere."""

    nearest: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class NotEntitled:
    """Bots and deactivated people never may."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class GroupUnreadable:
    """A rule might decide, but Slack did not tell who is in its group."""

    rule: Rule
    group: str
    trouble: Unreadable


@dataclass(frozen=True, slots=True)
class PersonUnreadable:
    """Slack did not tell who this is."""

    trouble: Unreadable


Denial = DeniedByRule | NoRule | NotEntitled | GroupUnreadable | PersonUnreadable


@dataclass(frozen=True, slots=True)
class Deny:
    """No, because."""

    because: Denial


Decision = Allow | NeedsConfirmation | NeedsApproval | Deny


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
    if not _fits(ask.env, rule.envs):
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
