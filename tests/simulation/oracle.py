"""What a policy file means, told a second time: it shares no code with bot/policy, and knows only what the plans use."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from itertools import permutations
from math import inf
from typing import Any, NamedTuple

from bot.playground.world import SlackUser

Groups = Mapping[str, frozenset[str]]
MEMBERS = "full members of the workspace"
"""The name of the group, unknown to Slack, of those who are no guests, strangers, bots or gone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of one share: allow, confirm, approve or deny, by which rule, and who may approve.

    Of each of `parties` another person has to agree. `later` are those who may too once it has escalated.
    `hasty` are those who need not wait for the approval, if they say why.
    """

    effect: str
    rule: str = ""
    approvers: frozenset[str] = frozenset()
    parties: tuple[frozenset[str], ...] = ()
    later: frozenset[str] = frozenset()
    hasty: frozenset[str] = frozenset()


class Question(NamedTuple):
    """Who wants to share which env, from where and why, at which Unix time; `team` is the workspace."""

    team: str
    user: str
    channel: str
    env: str
    reason: str | None
    at: float


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


def verdict(text: str, groups: Groups, asked: Question) -> Verdict:
    """Return what the first rule says that is about this person, place, env and time, if no freeze is on.

    No rule of the plans is for guests.
    """
    team, user, channel, env, reason, at = asked
    if user not in groups[MEMBERS]:
        return Verdict("deny")
    for rule in _read(text)["rule"]:
        named = {*rule.get("users", ()), *_members(groups, rule.get("groups", ()))}
        if "*" not in named and user not in named:
            continue
        if "workspaces" in rule and team not in rule["workspaces"]:
            continue
        if "channels" in rule and channel not in rule["channels"]:
            continue
        if "envs" in rule and not any(fnmatchcase(env, glob) for glob in rule["envs"]):
            continue
        if "hours" in rule and not _is_within(rule["hours"], at):
            continue
        if _is_frozen(text, user, env, at):
            return Verdict("deny")
        if rule.get("require_reason") and not re.search(rule["reason_pattern"], reason or ""):
            return Verdict("deny", rule["name"])
        effect = "confirm" if rule.get("confirm") else rule["effect"]
        able = rule.get("approvers", {})
        parties = [_able(each, groups, user) for each in able.get("all_of", ())]
        return Verdict(
            effect,
            rule["name"],
            _approvers(rule, groups, user),
            tuple(parties or [_able(able, groups, user)] * able.get("approvals", 1)),
            _able(able.get("escalate", {}), groups, user),
            groups[MEMBERS] & _named(rule.get("break_glass", {}), groups),
        )
    return Verdict("deny")


def _is_within(hours: str, at: float) -> bool:
    """Tell whether a time is within hours of UTC on every day."""
    clock = f"{datetime.fromtimestamp(at, UTC):%H:%M}"
    spans = hours.removesuffix(" UTC").split(", ")
    return any(begin <= clock < end for begin, end in (span.split("-") for span in spans))


def _is_frozen(text: str, user: str, env: str, at: float) -> bool:
    return any(
        each["from"].timestamp() <= at < each["until"].timestamp()
        and any(fnmatchcase(env, glob) for glob in each["envs"])
        and user not in each["except"]["users"]
        for each in _read(text).get("freeze", ())
    )


def are_enough(said: Verdict, agreed: Collection[str], *, escalated: bool) -> bool:
    """Tell whether each party of a verdict has another one of those who agreed."""
    parties = [party | said.later if escalated else party for party in said.parties]
    return any(
        all(user in party for user, party in zip(order, parties, strict=True))
        for order in permutations(agreed, len(parties))
    )


def may_decide(  # all that it depends on
    text: str, groups: Groups, said: Verdict, accepted: str, user: str, *, escalated: bool
) -> frozenset[str]:
    """Return who may decide about a user's request: if the policy `said` no approval, those of the rule it was accepted under.

    Source: bot/workflow/README.md, and the docstring of `Decisions.deciding_rules`.
    """
    if said.effect == "approve":
        return said.approvers | (said.later if escalated else frozenset())
    rules = [rule for rule in _read(text)["rule"] if rule["name"] == accepted]
    later = [rule.get("approvers", {}).get("escalate", {}) for rule in rules if escalated]
    able = [_approvers(rule, groups, user) for rule in rules]
    return frozenset[str]().union(*able, *(_able(each, groups, user) for each in later))


def _approvers(rule: Mapping[str, Any], groups: Groups, user: str) -> frozenset[str]:
    able = rule.get("approvers", {})
    parties = [able, *able.get("all_of", ())]
    return frozenset[str]().union(*(_able(each, groups, user) for each in parties))


def _able(named: Mapping[str, Any], groups: Groups, user: str) -> frozenset[str]:
    """Return who of those that are named may decide about a user's request."""
    return groups[MEMBERS] & (_named(named, groups) - {user})


def _named(named: Mapping[str, Any], groups: Groups) -> set[str]:
    return {*named.get("users", ()), *_members(groups, named.get("groups", ()))}


def _seconds(span: str) -> float:
    return int(span[:-1]) * {"m": 60.0, "h": 3600.0, "d": 86_400.0}[span[-1]]


def _members(groups: Groups, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from groups.get(name, ())


def expires(text: str, rule: str) -> float:
    """Return the seconds for which a rule's approvers may decide; 0 if there is no such rule."""
    for each in _read(text)["rule"]:
        if each["name"] == rule and "expires" in each.get("approvers", {}):
            return _seconds(str(each["approvers"]["expires"]))
    return 0.0


def escalates(text: str, rule: str) -> float:
    """Return after how many seconds of waiting a rule asks others too; infinite if it does not."""
    found = (each.get("approvers", {}) for each in _read(text)["rule"] if each["name"] == rule)
    later = [each["escalate"] for each in found if "escalate" in each]
    return _seconds(later[0]["after"]) if later else inf
