"""Read the policy file: TOML text in, a Policy or every problem with its place and its fix out.

The rules' shape is in README, "Who may share what". The file's own tests are run here, so that a policy
that does not do what its author expects is never in force.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, assert_never

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.command import is_appid
from bot.policy import (
    ANYONE,
    Allow,
    Approvers,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    NeedsApproval,
    NeedsConfirmation,
    Owner,
    Person,
    Policy,
    Rule,
    Standing,
    decide,
)
from bot.policy.errors import sentence

USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")
GROUP_ID = re.compile(r"S[A-Z0-9]{2,20}")
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{2,20}")
_DURATION = re.compile(r"([0-9]{1,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _user(word: str) -> str:
    if word != ANYONE and not USER_ID.fullmatch(word):
        raise ValueError(f"“{word}” is not a user id. Copy it from the person's Slack profile: U…")
    return word


def _group(word: str) -> str:
    if not GROUP_ID.fullmatch(word):
        raise ValueError(f"“{word}” is not a user group id. Copy it from the group's address: S…")
    return word


def _channel(word: str) -> str:
    if not CHANNEL_ID.fullmatch(word):
        raise ValueError(f"“{word}” is not a channel id. Copy it from the channel's details: C…")
    return word


def _appid(word: str) -> str:
    if not is_appid(word):
        raise ValueError(f"“{word}” is not an appid. Write wx and 16 digits or letters a to f")
    return word


def _duration(word: object) -> timedelta:
    match = _DURATION.fullmatch(str(word))
    if not match or not int(match[1]):
        raise ValueError(f"“{word}” is not a time span. Write a number and m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


UserId = Annotated[str, AfterValidator(_user)]
GroupId = Annotated[str, AfterValidator(_group)]
ChannelId = Annotated[str, AfterValidator(_channel)]
AppId = Annotated[str, AfterValidator(_appid)]
Glob = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Approvers(_Entry):
    users: list[UserId] = []
    groups: list[GroupId] = []
    channel: ChannelId
    expires: Annotated[timedelta, BeforeValidator(_duration)] = timedelta(hours=24)


class _Rule(_Entry):
    name: str | None = None
    users: list[UserId] | None = None
    groups: list[GroupId] | None = None
    channels: Annotated[list[ChannelId], Field(min_length=1)] | None = None
    appids: Annotated[list[Glob], Field(min_length=1)] = [ANYONE]
    envs: Annotated[list[Glob], Field(min_length=1)] = [ANYONE]
    effect: Literal["allow", "approve", "deny"]
    confirm: bool = False
    guests: bool = False
    approvers: _Approvers | None = None
    self_approval: bool = False


class _Owner(_Entry):
    appid: AppId
    envs: Annotated[list[Glob], Field(min_length=1)]


class _Test(_Entry):
    user: UserId
    groups: list[GroupId] = []
    guest: bool = False
    channel: ChannelId | None = None
    appid: AppId
    env: str
    expect: Literal["allow", "approve", "deny"]


class _File(_Entry):
    contact: Annotated[str, Field(min_length=1, max_length=200)] = "the people who run this bot"
    owner: list[_Owner] = []
    rule: Annotated[list[_Rule], Field(min_length=1)]
    test: list[_Test] = []


@dataclass(frozen=True, slots=True)
class Tested:
    """A policy without mistakes, how many tests its file has, and one sentence for each that fails."""

    policy: Policy
    tests: int = 0
    failed: tuple[str, ...] = ()


def read_policy(text: str, default_owner: str | None) -> Policy | list[str]:
    """Return the Policy that the TOML `text` describes, or one sentence for each problem with it."""
    read = read_and_test(text, default_owner)
    if isinstance(read, list):
        return read
    return list(read.failed) or read.policy


def read_and_test(text: str, default_owner: str | None) -> Tested | list[str]:
    """Return the policy also where its own tests fail, or one sentence for each mistake in the file."""
    try:
        file = _File.model_validate(tomllib.loads(text))
    except ValidationError as error:
        return [sentence(detail, _keys) for detail in error.errors()]
    except (ValueError, RecursionError) as error:  # tomllib's own, and Python's limits
        return [f"It is not valid TOML: {error}. Put that line right first."]
    if problems := list(_rule_problems(file)):
        return problems
    policy = Policy(
        tuple(_rule(number, entry) for number, entry in enumerate(file.rule, 1)),
        tuple(Owner(entry.appid, tuple(entry.envs)) for entry in file.owner),
        default_owner,
        file.contact,
    )
    return Tested(policy, len(file.test), tuple(_failed_tests(policy, file)))


def simple_policy(
    users: frozenset[str],
    groups: frozenset[str],
    channels: frozenset[str],
    default_owner: str | None,
) -> Policy:
    """Return the one-rule policy of the three SHARE_ENV_ALLOWED_… settings."""
    rule = Rule("SHARE_ENV_ALLOWED settings", Effect.ALLOW, users, groups, channels)
    return Policy((rule,), (), default_owner)


def _rule(number: int, entry: _Rule) -> Rule:
    return Rule(
        name=entry.name or f"rule {number}",
        effect=Effect(entry.effect),
        users=frozenset(entry.users or ()),
        groups=frozenset(entry.groups or ()),
        channels=frozenset(entry.channels or ()),
        appids=tuple(entry.appids),
        envs=tuple(entry.envs),
        confirm=entry.confirm,
        guests=entry.guests,
        approvers=_approvers(entry.approvers) if entry.approvers else None,
        self_approval=entry.self_approval,
    )


def _approvers(entry: _Approvers) -> Approvers:
    users, groups = frozenset(entry.users), frozenset(entry.groups)
    return Approvers(users, groups, entry.channel, entry.expires)


def _keys(loc: Sequence[int | str]) -> list[str]:
    """Return the keys that the table at `loc` (a pydantic location) may have."""
    tables: dict[str, type[_Entry]] = {"owner": _Owner, "rule": _Rule, "test": _Test}
    model = tables.get(str(loc[0]), _File) if len(loc) > 1 else _File
    return list((_Approvers if "approvers" in loc[:-1] else model).model_fields)


def _rule_problems(file: _File) -> Iterator[str]:
    """Yield what no single field shows: who is missing, what contradicts, names used twice."""
    names: set[str] = set()
    for number, rule in enumerate(file.rule, 1):
        place = _place_of_rule(number, rule.name)
        people = [*(rule.users or []), *(rule.groups or [])]
        if not people and (
            rule.effect != "deny" or rule.users is not None or rule.groups is not None
        ):
            yield f'{place}: nobody is named. Add users or groups, or users = ["*"] for everyone.'
        if rule.effect == "approve" and not (
            rule.approvers and (rule.approvers.users or rule.approvers.groups)
        ):
            yield f"{place}: it asks for approval, but nobody can give it. Add approvers with users or groups."
        if rule.effect != "approve" and rule.approvers:
            yield f'{place}: approvers go with effect = "approve" only. Change the effect or remove them.'
        if rule.effect != "approve" and rule.self_approval:
            yield f'{place}: self_approval goes with effect = "approve" only. Change the effect or remove it.'
        if rule.effect == "deny" and (rule.confirm or rule.guests):
            yield f'{place}: confirm and guests mean nothing with effect = "deny". Remove them.'
        if rule.name in names:
            yield f"{place}: another rule has this name. Give each rule its own, so that answers are clear."
        names |= {rule.name} if rule.name else set()


def _failed_tests(policy: Policy, file: _File) -> Iterator[str]:
    for number, test in enumerate(file.test, 1):
        standing = Standing.GUEST if test.guest else Standing.MEMBER
        person = Person("", test.user, standing, frozenset(test.groups))
        decision = decide(policy, Ask(person, test.channel or "", test.appid, test.env))
        got, why = _effect_of(decision)
        if got != test.expect:
            yield (
                f"test {number}: {test.user} with {test.appid} and {test.env} should get "
                f"“{test.expect}” but gets “{got}” ({why}). Put the rules or the test right."
            )


def _effect_of(decision: Decision) -> tuple[str, str]:
    match decision:
        case Allow(rule) | NeedsConfirmation(rule):
            return "allow", rule.name
        case NeedsApproval(rule):
            return "approve", rule.name
        case Deny(DeniedByRule(rule)):
            return "deny", rule.name
        case Deny():
            return "deny", "no rule matches"
        case _:
            assert_never(decision)


def _place_of_rule(number: int, name: str | None) -> str:
    return f"rule {number} (“{name}”)" if name else f"rule {number}"
