"""What the checks of `doctor` find, told by cause: a line for each finding with its fix, or JSON."""

import json
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bot.domain.problem import Problem
from bot.ops.visible import visible
from bot.policy import Operators, Policy
from bot.policy.lint import Remark, ownerless, owners, unowned

CHECKS = (
    *("settings", "slack-bot", "slack-scopes", "slack-app", "slack-connections", "slack-groups"),
    *("slack-people", "policy-tests", "policy-reach", "policy-approvers", "policy-owners"),
    *("policy-operators", "ledger", "ledger-write", "disk", "deliveries", "callback", "ticket"),
    *("platform-token", "owner-token", "encryption", "wechat", "permissions", "listener", "clock"),
    "proxies",
)
"""The names that a finding can have, in the order in which they are told; programs rely on them."""

_READERS = stat.S_IRGRP | stat.S_IROTH
_AGAIN = "Run the doctor again."
_MARKS = {"ok": "✅", "warning": "⚠️", "wrong": "❌"}
_FACTS = ("name", "level", "found", "fix")

Level = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and the fix where there is something to fix; `name` is one of CHECKS."""

    name: str
    level: Level
    found: str
    fix: str | None = None
    first: tuple[str, ...] = ()
    """The checks whose findings kept this one from being made; JSON says it in `fix`."""


def ok(name: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(name, "ok", found)


def warning(name: str, found: str, fix: str) -> Finding:
    """Return that the bot works, and what does not look right."""
    return Finding(name, "warning", found, fix)


def wrong(name: str, found: str, fix: str) -> Finding:
    """Return what keeps the bot from doing its work."""
    return Finding(name, "wrong", found, fix)


def unchecked(name: str, why: str, *first: str) -> Finding:
    """Return that a check could not be made, because of what the checks `first` report."""
    lines = " and ".join(f"`{check}`" for check in first)
    fix = f"Correct {lines} first, then run the doctor again."
    return replace(warning(name, f"not checked: {why}", fix), first=first)


def wrong_by(name: str, sentence: str) -> Finding:
    """Return what one of the bot's own sentences says; one that is no Problem holds nobody else's words."""
    if isinstance(sentence, Problem):
        return Finding(name, "wrong", sentence.found, sentence.fix or None)
    found, _, fix = sentence.partition(". ")
    return Finding(name, "wrong", found.removesuffix("."), fix or None)


def remarked(remark: Remark) -> Finding:
    """Return what the policy alone tells about itself."""
    return Finding(remark.name, "wrong" if remark.wrong else "warning", remark.found, remark.fix)


def of_owners(policy: Policy, lost: Callable[[str], Finding]) -> Iterator[Finding]:
    """Yield what is wrong with who owns which env, or who does; `lost` says that nobody owns some."""
    remarks, without = [*owners(policy), *unowned(policy)], ownerless(policy)
    yield from map(remarked, remarks)
    if without:
        yield lost(listed(without))
    elif not remarks:
        known = listed(list(policy.all_owners))
        every = f"{known}; every env that rules name has an owner"
        yield ok("policy-owners", every if known else "no rule needs one")


def counted(operators: Operators) -> str:
    """Return how many are named to cancel for others."""
    return f"users: {len(operators.users)}, groups: {len(operators.groups)}; they may cancel any request"


def others_may_read(path: Path) -> bool:
    """Tell whether somebody may read a file who is not its owner; one that is not there, nobody may."""
    try:
        return bool(path.stat().st_mode & _READERS)
    except OSError:
        return False


def listed(words: list[str], most: int = 10) -> str:
    """Return words with commas between them, not too many of them."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


@dataclass(frozen=True, slots=True)
class Told:
    """One finding as people read it; `unchecked` are the checks that could not be made because of it."""

    finding: Finding
    names: tuple[str, ...]
    """The checks that found the same."""
    unchecked: tuple[str, ...]


def with_true_causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; where a check could not be made though nothing is wrong with its causes, the fix is to try again."""
    causes = _causes(findings)
    return [
        replace(finding, first=(), fix=_AGAIN) if finding.first and cause is None else finding
        for finding, cause in zip(findings, causes, strict=True)
    ]


def by_cause(findings: Sequence[Finding]) -> list[Told]:
    """Return what is to be told, in order: equal findings once, and none that only follows from another."""
    causes = _causes(findings)
    names: dict[Finding, list[str]] = {}
    for finding, cause in zip(findings, causes, strict=True):
        if cause is None:
            names.setdefault(_what(finding), []).append(finding.name)
    last = {name: what for what, found in names.items() for name in found if what.level != "ok"}
    unchecked: dict[Finding, list[str]] = {}
    for finding, cause in zip(findings, causes, strict=True):
        if cause is not None:
            unchecked.setdefault(last[cause], []).append(finding.name)
    return [
        Told(what, tuple(dict.fromkeys(found)), tuple(dict.fromkeys(unchecked.get(what, ()))))
        for what, found in names.items()
    ]


def tally(told: Sequence[Told]) -> str:
    """Return how many findings there are of each kind, and how many checks were not made."""
    levels = Counter(each.finding.level for each in told)
    count = f"Wrong: {levels['wrong']}, warnings: {levels['warning']}, fine: {levels['ok']}"
    unchecked = {name for each in told for name in each.unchecked}
    return f"{count}, not checked: {len(unchecked)}." if unchecked else f"{count}."


def to_do_first(told: Sequence[Told]) -> Told | None:
    """Return what to mend before all else: the first that is wrong, or else the first warning."""
    bad = [each for level in ("wrong", "warning") for each in told if each.finding.level == level]
    return bad[0] if bad else None


def _what(finding: Finding) -> Finding:
    """Return the finding without its name, unless all is well, when each check has its own line."""
    return finding if finding.level == "ok" else replace(finding, name="")


def _causes(findings: Sequence[Finding]) -> list[str | None]:
    """Return for each finding the check whose finding keeps it from being made, if one does."""
    bad = {finding.name for finding in findings if finding.level != "ok" and not finding.first}
    waits = {finding.name: finding.first for finding in findings if finding.first}
    return [_cause(finding.first, bad, waits) for finding in findings]


def _cause(first: Sequence[str], bad: set[str], waits: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the first that something is wrong with, or that waits for such a one; checks wait for earlier ones only."""
    for name in first:
        if name in bad:
            return name
        cause = _cause(waits.get(name, ()), bad, waits)
        if cause is not None:
            return cause
    return None


def tell(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print every finding; return whether nothing is wrong."""
    found = list(findings)
    if as_json:
        facts = [{fact: getattr(finding, fact) for fact in _FACTS} for finding in found]
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        for finding in found:
            _print(finding.name, finding)
    return _none_wrong(found)


def report(findings: Sequence[Finding], *, as_json: bool) -> bool:
    """Print the findings by cause, then a tally and what to do first, or all as JSON; return whether nothing is wrong."""
    if as_json:
        return tell(findings, as_json=True)
    told = by_cause(findings)
    for each in told:
        _print(", ".join(each.names), each.finding)
        if each.unchecked:
            print(f"   Not checked because of it: {listed([*each.unchecked], most=30)}")
    print(f"\n{tally(told)}")
    if first := to_do_first(told):
        print(f"Do this first, for {', '.join(first.names)}: {visible(first.finding.fix or '')}")
    return _none_wrong(findings)


def _print(name: str, finding: Finding) -> None:
    print(f"{_MARKS[finding.level]} {name}: {visible(finding.found)}")
    if finding.fix:
        print(f"   → {visible(finding.fix)}")


def _none_wrong(findings: Sequence[Finding]) -> bool:
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in findings)
