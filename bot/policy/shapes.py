"""The shape of the policy file's tables, and of their ids; what does not fit is worded in `errors`. Pure."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bot.command import is_appid, is_env
from bot.policy.errors import quoted
from bot.policy.kinds import (
    ANYONE,
    CHANNEL_ID,
    GROUP_ID,
    USER_ID,
    Approvers,
    Ask,
    Effect,
    Operators,
    Person,
    Rule,
    Standing,
)

_DURATION = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _user(word: str) -> str:
    if not USER_ID.fullmatch(word):
        fix = "Copy it from the person's Slack profile: U…."
        raise ValueError(f"{quoted(word)} is not a user id", fix)
    return word


def _user_or_anyone(word: str) -> str:
    return word if word == ANYONE else _user(word)


def _group(word: str) -> str:
    if not GROUP_ID.fullmatch(word):
        fix = "Copy it from the group's address: S…."
        raise ValueError(f"{quoted(word)} is not a user group id", fix)
    return word


def _channel(word: str) -> str:
    if not CHANNEL_ID.fullmatch(word):
        fix = "Copy it from the channel's details: C…."
        raise ValueError(f"{quoted(word)} is not a channel id", fix)
    return word


def _appid(word: str) -> str:
    if not is_appid(word):
        fix = "Write wx and 16 digits or letters a to f."
        raise ValueError(f"{quoted(word)} is not an appid", fix)
    return word


def _env(word: str) -> str:
    if not is_env(word):
        fix = "Write its id: letters, digits and dashes, 64 at most."
        raise ValueError(f"{quoted(word)} cannot be an env", fix)
    return word


def _duration(word: object) -> timedelta:
    match = _DURATION.fullmatch(word) if isinstance(word, str) else None
    if not match or not int(match[1]):
        fix = "Write a number and m, h or d, such as 24h."
        raise ValueError(f"{quoted(word)} is not a time span", fix)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


UserId = Annotated[str, AfterValidator(_user)]
UserIdOrAnyone = Annotated[str, AfterValidator(_user_or_anyone)]
GroupId = Annotated[str, AfterValidator(_group)]
ChannelId = Annotated[str, AfterValidator(_channel)]
AppId = Annotated[str, AfterValidator(_appid)]
Env = Annotated[str, AfterValidator(_env)]
Glob = Annotated[str, Field(min_length=1)]


class StrictTable(BaseModel):
    """A table with the keys that it names and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ApproversEntry(StrictTable):
    """The approvers of a rule."""

    users: list[UserIdOrAnyone] = []
    groups: list[GroupId] = []
    channel: ChannelId
    expires: Annotated[timedelta, BeforeValidator(_duration)] = timedelta(hours=24)

    def approvers(self) -> Approvers:
        """Return the approvers whom this describes."""
        users, groups = frozenset(self.users), frozenset(self.groups)
        return Approvers(users, groups, self.channel, self.expires)


class OperatorsEntry(StrictTable):
    """The operators: named one by one, never everyone."""

    users: list[UserId] = []
    groups: list[GroupId] = []

    def operators(self) -> Operators:
        """Return the operators whom this describes."""
        return Operators(frozenset(self.users), frozenset(self.groups))


class RuleEntry(StrictTable):
    """A `[[rule]]`."""

    name: str | None = None
    users: list[UserIdOrAnyone] | None = None
    groups: list[GroupId] | None = None
    channels: Annotated[list[ChannelId], Field(min_length=1)] | None = None
    appids: Annotated[list[Glob], Field(min_length=1)] = [ANYONE]
    envs: Annotated[list[Glob], Field(min_length=1)] = [ANYONE]
    effect: Literal["allow", "approve", "deny"]
    confirm: bool = False
    guests: bool = False
    approvers: ApproversEntry | None = None
    self_approval: bool = False

    def called(self, number: int) -> str:
        """Return the rule's name, else what it is called by its number in the file."""
        return self.name or f"rule {number}"

    def rule(self, number: int) -> Rule:
        """Return the rule that this describes; `number` is its number in the file."""
        return Rule(
            name=self.called(number),
            effect=Effect(self.effect),
            users=frozenset(self.users or ()),
            groups=frozenset(self.groups or ()),
            channels=frozenset(self.channels or ()),
            appids=tuple(self.appids),
            envs=tuple(self.envs),
            confirm=self.confirm,
            guests=self.guests,
            approvers=self.approvers.approvers() if self.approvers else None,
            self_approval=self.self_approval,
        )


class OwnerEntry(StrictTable):
    """An `[[owner]]`."""

    appid: AppId
    envs: Annotated[list[Glob], Field(min_length=1)]


class Asker(StrictTable):
    """Who asks, and where: one person, never everyone; the groups are those that hold them."""

    user: UserId
    groups: list[GroupId] = []
    guest: bool = False
    channel: ChannelId | None = None

    def person(self) -> Person:
        """Return the person whom this describes."""
        standing = Standing.GUEST if self.guest else Standing.MEMBER
        return Person("", self.user, standing, frozenset(self.groups))


class Question(Asker):
    """Who asks for what."""

    appid: AppId
    env: Env

    def ask(self) -> Ask:
        """Return what is asked of the policy."""
        return Ask(self.person(), self.channel or "", self.appid, self.env)


class TrialEntry(Question):
    """A `[[test]]`."""

    expect: Literal["allow", "approve", "deny"]


class File(StrictTable):
    """The whole file."""

    contact: Annotated[str, Field(min_length=1, max_length=200)] = "the people who run this bot"
    operators: OperatorsEntry = OperatorsEntry()
    owner: list[OwnerEntry] = []
    rule: Annotated[list[RuleEntry], Field(min_length=1)]
    test: list[TrialEntry] = []
