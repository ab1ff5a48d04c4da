"""What a policy file means, told a second time: it shares no code with bot/policy, and knows only what the plans use."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from bot.playground.world import SlackUser

Groups = Mapping[str, frozenset[str]]
MEMBERS = "full members of the workspace"
"""The name of the group, unknown to Slack, of those who are no guests, strangers, bots or gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one share: allow, confirm, approve or deny, by which rule, and who may approve."""

    effect: str
    rule: str = ""
    approvers: frozenset[str] = frozenset()


def is_full_member(person: SlackUser) -> bool:
    """Tell whether a person is a full member of the workspace."""
    outside = person.is_restricted or person.is_ultra_restricted or person.is_stranger
    return not (person.deleted or person.is_bot or outside)


@cache
def _read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def owner_of(text: str, env: str) -> str:
    """Return whose token shares this env."""
    for owner in _read(text)["owner"]:
        if any(fnmatchcase(env, glob) for glob in owner["envs"]):
            return str(owner["appid"])
    raise LookupError(env)


def verdict(  # all that a policy may ask for
    text: str, groups: Groups, user: str, channel: str, env: str, reason: str | None
) -> Verdict:
    """Return what the first rule says that is about this person, place and env; no rule of the plans is for guests."""
    if user not in groups[MEMBERS]:
        return Verdict("deny")
    for rule in _read(text)["rule"]:
        named = {*rule.get("users", ()), *_members(groups, rule.get("groups", ()))}
        if "*" not in named and user not in named:
            continue
        if "channels" in rule and channel not in rule["channels"]:
            continue
        if "envs" in rule and not any(fnmatchcase(env, glob) for glob in rule["envs"]):
            continue
        if rule.get("require_reason") and not re.search(rule["reason_pattern"], reason or ""):
            return Verdict("deny", rule["name"])
        effect = "confirm" if rule.get("confirm") else rule["effect"]
        return Verdict(effect, rule["name"], _approvers(rule, groups, user))
    return Verdict("deny")


def may_decide(
    text: str, groups: Groups, said: Verdict, accepted: str, user: str
) -> frozenset[str]:
    """Return who may decide about a user's request: if the policy `said` no approval, those of the rule it was accepted under.

    Source: bot/workflow/README.md, and the docstring of `Decisions.deciding_rules`.
    """
    if said.effect == "approve":
        return said.approvers
    rules = [rule for rule in _read(text)["rule"] if rule["name"] == accepted]
    return frozenset[str]().union(*(_approvers(rule, groups, user) for rule in rules))


def _approvers(rule: Mapping[str, Any], groups: Groups, user: str) -> frozenset[str]:
    able = rule.get("approvers", {})
    named = {*able.get("users", ()), *_members(groups, able.get("groups", ()))}
    return groups[MEMBERS] & (named - {user})


def _members(groups: Groups, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from groups.get(name, ())


def expires(text: str, rule: str) -> float:
    """Return the seconds for which a rule's approvers may decide; 0 if there is no such rule."""
    for each in _read(text)["rule"]:
        if each["name"] == rule and "expires" in each.get("approvers", {}):
            span = str(each["approvers"]["expires"])
            return int(span[:-1]) * {"m": 60.0, "h": 3600.0, "d": 86_400.0}[span[-1]]
    return 0.0
