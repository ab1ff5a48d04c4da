"""The pydantic models of the policy file; `errors` words what does not validate. Pure."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.command.grammar import is_appid, is_env
from bot.domain.outcome import Party
from bot.domain.sentence import Sentence
from bot.policy.conditions import can_match_appid, can_match_env
from bot.policy.errors import quoted
from bot.policy.hours import Hours, read_hours
from bot.policy.kinds import (
    ANYONE,
    CHANNEL_ID,
    DEFAULT_CONTACT,
    GROUP_ID,
    USER_ID,
    WORKSPACE_ID,
    Approvers,
    Ask,
    Effect,
    Escalation,
    Freeze,
    Person,
    Rule,
    Standing,
)
from bot.policy.reasons import can_be_address, can_be_pattern, wants_something

_DURATION = re.compile(r"([0-9]{1,4})([mhd])")
_MOMENT = "2026-12-24T18:00:00+08:00"
MOST_APPROVALS = 10
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _fits(form: Callable[[str], object], otherwise: str, fix: str) -> AfterValidator:
    """Return a validator that rejects a word for which `form` is false, with this problem and fix."""

    def check(word: str) -> str:
        if not form(word):
            raise ValueError(
                Sentence("{word} {otherwise}", word=quoted(word), otherwise=otherwise), fix
            )
        return word

    return AfterValidator(check)


def _duration(word: object) -> timedelta:
    match = _DURATION.fullmatch(word) if isinstance(word, str) else None
    if not match or not int(match[1]):
        fix = Sentence("Write a number and m, h or d, such as 24h.")
        raise ValueError(Sentence("{word} is not a time span", word=quoted(word)), fix)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _moment(word: object) -> datetime:
    """Accept a date-time with its offset, of a year that every clock knows."""
    if isinstance(word, datetime) and word.tzinfo and 2000 <= word.year < 3000:  # noqa: PLR2004
        return word
    found = Sentence("{word} is no date-time with its offset", word=quoted(word))
    fix = Sentence("Write it as {example}, without quotes.", example=_MOMENT)
    raise ValueError(found, fix)


def _count(number: object) -> int:
    if type(number) is not int or not 1 <= number <= MOST_APPROVALS:
        fix = Sentence("Write a number from 1 to {most}.", most=MOST_APPROVALS)
        raise ValueError(Sentence("{word} is no number of people", word=quoted(number)), fix)
    return number


_USER = Sentence("is not a user id"), Sentence("Copy it from the person's Slack profile: U….")
UserId = Annotated[str, _fits(USER_ID.fullmatch, *_USER)]
UserIdOrAnyone = Annotated[
    str, _fits(lambda word: word == ANYONE or USER_ID.fullmatch(word), *_USER)
]
GroupId = Annotated[
    str,
    _fits(
        GROUP_ID.fullmatch,
        Sentence("is not a user group id"),
        Sentence("Copy it from the group's address: S…."),
    ),
]
WorkspaceId = Annotated[
    str,
    _fits(
        WORKSPACE_ID.fullmatch,
        Sentence("is not a workspace id"),
        Sentence("Copy it from what /share-env whoami says there: T…."),
    ),
]
ChannelId = Annotated[
    str,
    _fits(
        CHANNEL_ID.fullmatch,
        Sentence("is not a channel id"),
        Sentence("Copy it from the channel's details: C…."),
    ),
]
AppId = Annotated[
    str,
    _fits(
        is_appid, Sentence("is not an appid"), Sentence("Write wx and 16 digits or letters a to f.")
    ),
]
Env = Annotated[
    str,
    _fits(
        is_env,
        Sentence("cannot be an env"),
        Sentence("Write its id: letters, digits and dashes, 64 at most."),
    ),
]
# Refused, since a rule that denies or asks for approval would otherwise be skipped without a word.
AppIdGlob = Annotated[
    str,
    Field(min_length=1, max_length=200),
    _fits(
        can_match_appid,
        Sentence("can match no appid"),
        Sentence("Correct it: an appid is wx and 16 digits or letters a to f."),
    ),
]
EnvGlob = Annotated[
    str,
    Field(min_length=1, max_length=200),
    _fits(
        can_match_env,
        Sentence("can match no env"),
        Sentence("Correct it: an env is letters, digits and dashes, 64 at most."),
    ),
]
RuleName = Annotated[
    str,
    _fits(
        lambda name: "\0" not in name,
        Sentence("contains NUL, which PostgreSQL refuses"),
        Sentence("Leave it out."),
    ),
]
ReasonPattern = Annotated[
    str,
    Field(max_length=200),
    _fits(
        can_be_pattern,
        Sentence("is not a regular expression that I can search"),
        Sentence("Correct it; look-around and backreferences are not possible."),
    ),
    _fits(
        wants_something,
        Sentence("matches a reason without a word"),
        Sentence("Write what a reason has to contain, such as [A-Z]+-[0-9]+."),
    ),
]
ReasonUrl = Annotated[
    str,
    Field(max_length=200),
    _fits(
        can_be_address,
        Sentence("is not an address for what reasons name"),
        Sentence("Write https://, a host, and {place} once behind it.", place="{reason}"),
    ),
]
Moment = Annotated[datetime, BeforeValidator(_moment)]
HoursOfWeek = Annotated[Hours, BeforeValidator(read_hours)]
EffectWord = Annotated[Effect, Field(strict=False)]


class StrictTable(BaseModel):
    """A table that accepts no other keys than its own."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PartyEntry(StrictTable):
    """One of the parties in `all_of`."""

    users: list[UserIdOrAnyone] = []
    groups: list[GroupId] = []

    def party(self) -> Party:
        """Return the Party."""
        return Party(frozenset(self.users), frozenset(self.groups))


class NamedEntry(StrictTable):
    """People by name; "*" is not allowed."""

    users: list[UserId] = []
    groups: list[GroupId] = []

    def party(self) -> Party:
        """Return the Party."""
        return Party(frozenset(self.users), frozenset(self.groups))


class EscalateEntry(StrictTable):
    """Who is asked too, and when."""

    after: Annotated[timedelta, BeforeValidator(_duration)]
    users: list[UserId] = []
    groups: list[GroupId] = []
    channel: ChannelId

    def escalation(self) -> Escalation:
        """Return the Escalation."""
        return Escalation(self.after, frozenset(self.users), frozenset(self.groups), self.channel)


class ApproversEntry(StrictTable):
    """The approvers of a rule."""

    users: list[UserIdOrAnyone] = []
    groups: list[GroupId] = []
    all_of: Annotated[list[PartyEntry], Field(min_length=1)] | None = None
    approvals: Annotated[int | None, BeforeValidator(_count)] = None
    channel: ChannelId
    expires: Annotated[timedelta, BeforeValidator(_duration)] = timedelta(hours=24)
    notify: NamedEntry | None = None
    escalate: EscalateEntry | None = None

    def approvers(self) -> Approvers:
        """Return the Approvers."""
        parties = tuple(each.party() for each in self.all_of or ())
        users = frozenset(self.users).union(*(each.users for each in parties))
        groups = frozenset(self.groups).union(*(each.groups for each in parties))
        return Approvers(
            users,
            groups,
            self.channel,
            self.expires,
            self.approvals or 1,
            all_of=parties,
            notify=self.notify.party() if self.notify else None,
            escalate=self.escalate.escalation() if self.escalate else None,
        )


class RuleEntry(StrictTable):
    """A `[[rule]]`."""

    name: RuleName | None = None
    users: list[UserIdOrAnyone] | None = None
    groups: list[GroupId] | None = None
    workspaces: Annotated[list[WorkspaceId], Field(min_length=1)] | None = None
    channels: Annotated[list[ChannelId], Field(min_length=1)] | None = None
    appids: Annotated[list[AppIdGlob], Field(min_length=1)] = [ANYONE]
    envs: Annotated[list[EnvGlob], Field(min_length=1)] = [ANYONE]
    effect: EffectWord
    confirm: bool = False
    guests: bool = False
    approvers: ApproversEntry | None = None
    self_approval: bool = False
    require_reason: bool = False
    reason_pattern: ReasonPattern | None = None
    reason_url: ReasonUrl | None = None
    hours: HoursOfWeek | None = None
    break_glass: NamedEntry | None = None

    def called(self, number: int) -> str:
        """Return the rule's name, or "rule N"."""
        return self.name or f"rule {number}"

    def rule(self, number: int) -> Rule:
        """Return the Rule; `number` is its number in the file."""
        return Rule(
            name=self.called(number),
            effect=self.effect,
            users=frozenset(self.users or ()),
            groups=frozenset(self.groups or ()),
            workspaces=frozenset(self.workspaces or ()),
            channels=frozenset(self.channels or ()),
            appids=tuple(self.appids),
            envs=tuple(self.envs),
            confirm=self.confirm,
            guests=self.guests,
            approvers=self.approvers.approvers() if self.approvers else Approvers(),
            self_approval=self.self_approval,
            require_reason=self.require_reason,
            reason_pattern=self.reason_pattern,
            reason_url=self.reason_url,
            hours=self.hours,
            break_glass=self.break_glass.party() if self.break_glass else None,
        )


class OwnerEntry(StrictTable):
    """An `[[owner]]`."""

    appid: AppId
    envs: Annotated[list[EnvGlob], Field(min_length=1)]


class FreezeEntry(StrictTable):
    """A `[[freeze]]`."""

    begins: Moment = Field(alias="from")
    until: Moment
    envs: Annotated[list[EnvGlob], Field(min_length=1)] = [ANYONE]
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    exempt: NamedEntry = Field(NamedEntry(), alias="except")

    def freeze(self) -> Freeze:
        """Return the Freeze."""
        return Freeze(
            self.begins.timestamp(),
            self.until.timestamp(),
            self.reason,
            tuple(self.envs),
            frozenset(self.exempt.users),
            frozenset(self.exempt.groups),
        )


class Question(StrictTable):
    """Who asks for what, where, when and why; `groups` are those that contain the person."""

    user: UserId
    groups: list[GroupId] = []
    guest: bool = False
    workspace: WorkspaceId | None = None
    channel: ChannelId | None = None
    appid: AppId
    env: Env
    reason: Annotated[str, Field(min_length=1)] | None = None
    at: Moment | None = None

    def ask(self, now: float) -> Ask:
        """Return the Ask for the policy, for `now` (in Unix seconds) if it does not say when."""
        at = self.at.timestamp() if self.at else now
        standing = Standing.GUEST if self.guest else Standing.MEMBER
        person = Person("", self.user, standing, groups=frozenset(self.groups))
        where = self.workspace or "", self.channel or ""
        return Ask(person, *where, at, self.appid, self.env, self.reason)


class AgreedEntry(StrictTable):
    """Somebody who has agreed; `groups` are those that contain them."""

    user: UserId
    groups: list[GroupId] = []

    def person(self) -> Person:
        """Return the Person."""
        return Person("", self.user, groups=frozenset(self.groups))


class TrialEntry(Question):
    """A `[[test]]`."""

    agreed: list[AgreedEntry] = []
    waited: Annotated[timedelta, BeforeValidator(_duration)] = timedelta()
    break_glass: bool | None = None
    expect: EffectWord


class File(StrictTable):
    """The whole file."""

    contact: Annotated[str, Field(min_length=1, max_length=200)] = DEFAULT_CONTACT
    operators: NamedEntry = NamedEntry()
    owner: list[OwnerEntry] = []
    rule: Annotated[list[RuleEntry], Field(min_length=1)]
    freeze: list[FreezeEntry] = []
    test: list[TrialEntry] = []
