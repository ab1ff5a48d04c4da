"""The types of the policy: people, rules, owners, questions, decisions. Pure."""

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

from bot.domain.finding import Problem
from bot.domain.language import Language
from bot.domain.outcome import Party
from bot.policy.hours import Hours

ANYONE = "*"
DEFAULT_CONTACT = "the people who run this bot"
USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")
WORKSPACE_ID = re.compile(r"T[A-Z0-9]{2,20}")
GROUP_ID = re.compile(r"(?:T[A-Z0-9]{2,20}/)?S[A-Z0-9]{2,20}")
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,20}")


def split_group(name: str) -> tuple[str, str]:
    """Return the workspace that a group's name in the policy begins with, empty if none, and the group's id."""
    workspace, _, id_ = name.rpartition("/")
    return workspace, id_


class Standing(Enum):
    """How a user belongs to the workspace or organisation of the app (from the flags of users.info)."""

    MEMBER = auto()
    GUEST = auto()
    OUTSIDER = auto()
    BOT = auto()
    DEACTIVATED = auto()


class Unreadable(Enum):
    """Why Slack did not return a user or the members of a group."""

    MISSING_SCOPE = auto()
    BAD_TOKEN = auto()
    PAID_PLAN = auto()
    RATE_LIMITED = auto()
    NOT_FOUND = auto()
    SLACK_DOWN = auto()

    @property
    def passes(self) -> bool:
        """Whether Slack may answer in a few seconds, without anybody's help."""
        return self in {Unreadable.RATE_LIMITED, Unreadable.SLACK_DOWN}


class Effect(Enum):
    """The effect of a matching rule."""

    ALLOW = "allow"
    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Person:
    """A Slack user, by (team_id, user_id), and those of the policy's groups that contain them, as the policy names these.

    All workspaces of an organisation know a user by the same id.
    """

    team_id: str
    user_id: str
    standing: Standing = Standing.MEMBER
    groups: frozenset[str] = frozenset()
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    language: Language = Language.ENGLISH


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is asked, in which channel, and may decide too, once a request has waited for its approvers for `after`."""

    after: timedelta
    users: frozenset[str]
    groups: frozenset[str]
    channel: str


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve a request, the channel where they are asked, and until when; by default nobody.

    So many of them as `approvals` have to agree or, with `all_of`, one of each of its parties; `users` and `groups` are
    then those of all parties. `notify` is who is mentioned; None stands for those who may decide.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    channel: str = ""
    expires: timedelta = timedelta()
    approvals: int = 1
    all_of: tuple[Party, ...] = ()
    notify: Party | None = None
    escalate: Escalation | None = None

    @property
    def parties(self) -> tuple[Party, ...]:
        """The parties of whom people have to agree."""
        return self.all_of or (Party(self.users, self.groups, self.approvals),)

    @property
    def needed(self) -> int:
        """How many different people have to agree."""
        return sum(each.count for each in self.parties)

    @property
    def everybody(self) -> Party:
        """All who are named, whether they decide, are only mentioned, or decide later."""
        others = [each for each in (self.notify, self.escalate) if each]
        users = self.users.union(*(each.users for each in others))
        return Party(users, self.groups.union(*(each.groups for each in others)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. No channels means any channel, no workspaces any workspace; no `users` and no `groups` means everybody."""

    name: str
    effect: Effect
    _: KW_ONLY
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    workspaces: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    appids: tuple[str, ...] = (ANYONE,)
    envs: tuple[str, ...] = (ANYONE,)
    confirm: bool = False
    guests: bool = False
    approvers: Approvers = Approvers()
    self_approval: bool = False
    require_reason: bool = False
    reason_pattern: str | None = None
    """A regular expression; a part of the reason has to match it."""
    reason_url: str | None = None
    """The address of what a reason refers to, with `{reason}` in the place of the reference."""
    hours: Hours | None = None
    """When it applies; None for always."""
    break_glass: Party | None = None
    """Whose own requests need not wait for the approval, if they say why; None for nobody."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time, in Unix seconds, from `begins` to before `ends`, in which nobody but its `users` and `groups` may share these envs."""

    begins: float
    ends: float
    reason: str
    envs: tuple[str, ...] = (ANYONE,)
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Owner:
    """A mini program; its token is used to share the envs that match one of `envs`."""

    appid: str
    envs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operators:
    """Who may cancel any request, and nothing else."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)  # cached_property needs a __dict__, so no slots
class Policy:
    """The rules and owners in order, whom to contact for more rights, the operators, and when nothing is shared."""

    rules: tuple[Rule, ...]
    owners: tuple[Owner, ...] = ()
    default_owner: str | None = None
    contact: str = DEFAULT_CONTACT
    operators: Operators = Operators()
    freezes: tuple[Freeze, ...] = ()

    @cached_property
    def groups(self) -> frozenset[str]:
        """All user groups that rules, approvers, operators and freezes name."""
        named = [rule.groups | rule.approvers.everybody.groups for rule in self.rules]
        named += [rule.break_glass.groups for rule in self.rules if rule.break_glass]
        return self.operators.groups.union(*named, *(each.groups for each in self.freezes))

    @property
    def workspaces(self) -> frozenset[str]:
        """All workspaces that rules are for, or that groups are named with."""
        of_groups = frozenset(split_group(name)[0] for name in self.groups)
        return of_groups.union(*(rule.workspaces for rule in self.rules)) - {""}

    @property
    def approval_rules(self) -> tuple[Rule, ...]:
        """The rules that ask for an approval, in order."""
        return tuple(rule for rule in self.rules if rule.effect is Effect.APPROVE)

    @property
    def all_owners(self) -> tuple[str, ...]:
        """All mini programs whose tokens may be needed, without duplicates, in order."""
        named = [*(owner.appid for owner in self.owners), self.default_owner]
        return tuple(dict.fromkeys(filter(None, named)))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who asks, where and when: what all their questions have in common, and what the judge knows of them.

    No field has a default: one that is forgotten would miss the condition of a rule that denies. In no channel is "".
    """

    person: Person
    workspace: str
    channel: str
    at: float
    """In Unix seconds."""

    def about(self, appid: str, env: str, reason: str | None) -> "Ask":
        """Return the question whether `env` may be shared with `appid`, for the reason given, if any."""
        return Ask(self.person, self.workspace, self.channel, self.at, appid, env, reason)


@dataclass(frozen=True, slots=True)
class Ask(Circumstances):
    """The question to the policy: may `person`, in `workspace` and `channel`, share `env` with `appid` now, for the `reason`?"""

    appid: str
    env: str
    reason: str | None


class Miss(Enum):
    """One reason why a rule does not match."""

    WHO = auto()
    GUEST = auto()
    WORKSPACE = auto()
    CHANNEL = auto()
    HOURS = auto()
    APPID = auto()
    ENV = auto()
    UNREADABLE = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one rule matches one Ask; it matches if there are no misses."""

    rule: Rule
    misses: frozenset[Miss]
    trouble: Unreadable | None = None
    """Why Slack did not return the members of a group that it depends on."""
    opens: float | None = None
    """If its hours are over: when they begin again, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class _ByRule:
    rule: Rule


class Allow(_ByRule):
    """The share may go ahead."""


class NeedsConfirmation(_ByRule):
    """Allowed once the requester has confirmed."""


class NeedsApproval(_ByRule):
    """Allowed once an approver of the rule has approved."""


class DeniedByRule(_ByRule):
    """A deny rule matched."""


@dataclass(frozen=True, slots=True)
class NoRule:
    """No rule matched; `nearest` has the rules that would allow other people, or the same from elsewhere."""

    nearest: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class NotEntitled:
    """The person is a bot or deactivated, and never may."""


@dataclass(frozen=True, slots=True)
class GroupUnreadable:
    """A rule may match, or a freeze except the person, but Slack did not return the members of its group."""

    rule: Rule
    trouble: Unreadable
    freeze: Freeze | None = None


@dataclass(frozen=True, slots=True)
class PersonUnreadable:
    """Slack did not return the person."""

    trouble: Unreadable


@dataclass(frozen=True, slots=True)
class ReasonWanted:
    """The rule that decides wants a reason, or another one; with it the decision would be `otherwise`."""

    otherwise: "Permitted"

    @property
    def rule(self) -> Rule:
        """The rule that decides."""
        return self.otherwise.rule


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze is on; without it the decision would be `otherwise`, if the reason is what the rule wants."""

    otherwise: "Permitted"
    freeze: Freeze

    @property
    def rule(self) -> Rule:
        """The rule that decides."""
        return self.otherwise.rule


Doubt = GroupUnreadable | PersonUnreadable
Denial = DeniedByRule | NoRule | NotEntitled | Frozen | ReasonWanted | Doubt


@dataclass(frozen=True, slots=True)
class Deny:
    """Not allowed, with the reason."""

    because: Denial


Permitted = Allow | NeedsConfirmation | NeedsApproval
Decision = Permitted | Deny


class Decided(NamedTuple):
    """A question to the policy, and its decision."""

    ask: Ask
    decision: Decision


@dataclass(frozen=True, slots=True)
class Tested:
    """A valid policy, the number of its file's tests, a sentence for each that failed, and the file's content."""

    policy: Policy
    tests: int = 0
    failed: tuple[Problem, ...] = ()
    text: str | None = field(default=None, repr=False)
