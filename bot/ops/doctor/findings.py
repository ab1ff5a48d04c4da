"""The findings of the doctor's checks, printed by cause: a line for each with its fix, or JSON."""

import json
import stat
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from bot.domain.finding import Finding, Level
from bot.observe.output import printable

T = TypeVar("T")

_READERS = stat.S_IRGRP | stat.S_IROTH
_MOST = 10
_FACTS = ("name", "level", "found", "fix")

_MARKS: Mapping[Level, str] = {"ok": "✅", "warning": "⚠️", "wrong": "❌"}


def others_may_read(path: Path) -> bool:
    """Return whether a file can be read by others than its owner; False if it does not exist."""
    try:
        return bool(path.stat().st_mode & _READERS)
    except OSError:
        return False


def listed(words: list[str]) -> str:
    """Return words separated by commas; after ten, only the number of the rest."""
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more


@dataclass(slots=True)
class Printed:
    """A root cause to print: its finding, with the worst level among its consequences."""

    finding: Finding
    names: list[str] = field(default_factory=list)
    """The checks with the same finding."""
    follows: list[Finding] = field(default_factory=list)
    """What other checks found because of it."""
    unchecked: list[str] = field(default_factory=list)
    """The checks that were not made because of it."""


def with_true_causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; the fix of one that has a cause is to correct that first."""
    return [
        each
        if cause is each
        else replace(each, fix=f"Correct `{cause.name}` first, then run the doctor again.")
        for each, cause in zip(findings, _causes(findings), strict=True)
    ]


def by_cause(findings: Sequence[Finding]) -> list[Printed]:
    """Return what to print: equal findings once, unless they are ok, and the consequences of a finding with it."""
    told: dict[Finding, Printed] = {}
    for finding, cause in zip(findings, _causes(findings), strict=True):
        what = cause if cause.level == "ok" else replace(cause, name="", causes=())
        one = told.setdefault(what, Printed(what))
        _add(one.names, cause.name)
        if cause is not finding and finding.checked:
            _add(one.follows, finding)
            worst = max(one.finding.level, finding.level, key=[*_MARKS].index)
            one.finding = replace(one.finding, level=worst)
        elif cause is not finding:
            _add(one.unchecked, finding.name)
    return [*told.values()]


def _add(to: list[T], item: T) -> None:
    if item not in to:
        to.append(item)


def _causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the root cause of each finding, which may be itself."""
    by_level = sorted(findings, key=lambda finding: [*_MARKS].index(finding.level))
    # Of a check's worst findings, the last explains others.
    bad = {finding.name: finding for finding in by_level if finding.level != "ok"}
    return [_cause(finding, bad) for finding in findings]


def _cause(finding: Finding, bad: Mapping[str, Finding]) -> Finding:
    """Return the root cause of a finding; a check that was not made explains only others that were not."""
    others = {name: each for name, each in bad.items() if name != finding.name}
    causes = [others[name] for name in finding.causes if name in others]
    nearest = next((each for each in causes if each.checked or not finding.checked), None)
    return _cause(nearest, others) if nearest else finding


def print_each(findings: Sequence[Finding]) -> bool:
    """Print all findings; return whether none is wrong."""
    for finding in findings:
        _print(finding.name, finding)
    return _none_wrong(findings)


def print_by_cause(findings: Sequence[Finding], *, as_json: bool) -> bool:
    """Print the findings by cause, a tally and what to fix first, or all as JSON; return whether none is wrong."""
    if as_json:
        facts = [{fact: getattr(finding, fact) for fact in _FACTS} for finding in findings]
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return _none_wrong(findings)
    told = by_cause(findings)
    for each in told:
        cause = ", ".join(each.names)
        _print(cause, each.finding)
        for finding in each.follows:
            print(f"   {finding.name}, because of {cause}: {printable(finding.found)}")
        if each.unchecked:
            print(f"   Not checked because of {cause}: {', '.join(each.unchecked)}")
    levels = Counter(each.finding.level for each in told)
    unchecked = {name for each in told for name in each.unchecked}
    print(
        f"\nWrong: {levels['wrong']}, warnings: {levels['warning']}, fine: {levels['ok']}"
        f"{f', not checked: {len(unchecked)}' if unchecked else ''}."
    )
    bad = [each for level in ("wrong", "warning") for each in told if each.finding.level == level]
    if bad:
        print(
            f"Do this first, for {', '.join(bad[0].names)}: {printable(bad[0].finding.fix or '')}"
        )
    return _none_wrong(findings)


def _print(name: str, finding: Finding) -> None:
    print(f"{_MARKS[finding.level]} {name}: {printable(finding.found)}")
    if finding.fix:
        print(f"   → {printable(finding.fix)}")


def _none_wrong(findings: Sequence[Finding]) -> bool:
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in findings)
