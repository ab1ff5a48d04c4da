"""What the policy is made of: people, rules, owners, what is asked, and what can be decided. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import cached_property

from bot.domain.language import Language

ANYONE = "*"
USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")
GROUP_ID = re.compile(r"S[A-Z0-9]{2,20}")
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,20}")


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
    language: Language = Language.ENGLISH


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve a request, where they are asked, and for how long."""

    users: frozenset[str]
    groups: frozenset[str]
    channel: str
    expires: timedelta


@dataclass(frozen=True)  # without slots, which would keep nothing computed
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
    self_approval: bool = False

    @cached_property
    def any_case(self) -> bool:
        """Whether its envs match whatever the case of letters, so that nobody evades a restriction by another case."""
        return self.effect is not Effect.ALLOW


@dataclass(frozen=True, slots=True)
class Owner:
    """The mini program whose token shares the envs that match one of `envs`."""

    appid: str
    envs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operators:
    """Who may cancel any request, and nothing else."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)  # without slots, which would keep nothing computed
class Policy:
    """The rules and owners in order, whom people should ask for more rights, and who may cancel."""

    rules: tuple[Rule, ...]
    owners: tuple[Owner, ...] = ()
    default_owner: str | None = None
    contact: str = "the people who run this bot"
    operators: Operators = Operators()

    @cached_property
    def groups(self) -> frozenset[str]:
        """Every user group that is named: by a rule, for its approvers, among the operators."""
        asked = (rule.approvers.groups for rule in self.rules if rule.approvers)
        return self.operators.groups.union(*(rule.groups for rule in self.rules), *asked)

    def rule(self, name: str) -> Rule | None:
        """Return the rule of this name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    @property
    def all_owners(self) -> tuple[str, ...]:
        """Every mini program whose token may be needed, once and in order."""
        named = [*(owner.appid for owner in self.owners), self.default_owner]
        return tuple(dict.fromkeys(filter(None, named)))


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
