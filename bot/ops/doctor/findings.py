"""The findings of the doctor's checks, printed by cause: a line for each with its fix, or JSON."""

import json
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bot.domain.finding import ALONE, Finding, Level, Problem, at, wrong
from bot.domain.sentence import COMMA, Sentence, joined
from bot.observe.output import printable, wrapped

T = TypeVar("T")

_READERS = stat.S_IRGRP | stat.S_IROTH
_MOST = 10
_BELOW = "   "

_MARKS: Mapping[Level, str] = {"wrong": "❌", "warning": "⚠️", "ok": "✅"}
"""The worst first."""


def others_may_read(path: Path) -> bool:
    """Return whether a file can be read by others than its owner; False if it does not exist."""
    try:
        return bool(path.stat().st_mode & _READERS)
    except OSError:
        return False


def listed(words: list[str]) -> str:
    """Return words separated by commas; after ten, only the number of the rest."""
    first, more = joined(words[:_MOST], COMMA), len(words) - _MOST
    return Sentence("{first} and {more} more", first=first, more=more) if more > 0 else first


def with_unread(found: Sentence, unread: list[str]) -> Sentence:
    """Return what was found, and which channels could not be checked with Slack."""
    if not unread:
        return found
    ids = listed(unread)
    return Sentence("{found}; not checked with Slack: {ids}", found=found, ids=ids)


def utc(at: float | None) -> str:
    """Return a time in Unix seconds, as the log has it."""
    return datetime.fromtimestamp(at or 0, UTC).strftime("%Y-%m-%d %H:%M UTC")


def in_the_way(name: str, server: str, way: Problem) -> Finding:
    """Return that a server cannot be reached, for what was in the way."""
    return replace(wrong(name, way.found, way.fix), unreached=server)


@dataclass(slots=True)
class Printed:
    """A root cause to print: its finding, with the worst level among its consequences."""

    finding: Finding
    names: list[str] = field(default_factory=list)
    """The checks with the same finding."""
    unreached: list[str] = field(default_factory=list)
    """The servers that cannot be reached, if it is about such."""
    follows: list[Finding] = field(default_factory=list)
    """What other checks found because of it."""
    unchecked: list[str] = field(default_factory=list)
    """The checks that were not made because of it."""


def with_true_causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; the fix of one that has a cause is to correct that first."""
    return [
        each
        if cause is each
        else replace(
            each,
            fix=Sentence("Correct `{name}` first, then run the doctor again.", name=cause.name),
        )
        for each, cause in zip(findings, _causes(findings), strict=True)
    ]


def by_cause(findings: Sequence[Finding]) -> list[Printed]:
    """Return what to print, the worst first: equal findings once, unless they are ok, and with each its consequences."""
    told: dict[Finding, Printed] = {}
    for finding, cause in zip(findings, _causes(findings), strict=True):
        alike = cause if cause.level == "ok" else replace(cause, name="", causes=(), unreached="")
        one = told.setdefault(alike, Printed(alike))
        _add(one.names, cause.name)
        if cause.unreached:
            _add(one.unreached, cause.unreached)
        if cause is not finding and finding.checked:
            _add(one.follows, finding)
            worst = min(one.finding.level, finding.level, key=[*_MARKS].index)
            one.finding = replace(one.finding, level=worst)
        elif cause is not finding:
            _add(one.unchecked, finding.name)
    for one in told.values():
        one.finding = replace(one.finding, unreached=joined(one.unreached))
    return sorted(told.values(), key=lambda one: [*_MARKS].index(one.finding.level))


def _add(to: list[T], item: T) -> None:
    if item not in to:
        to.append(item)


def _causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the root cause of each finding, which may be itself."""
    by_level = sorted(findings, key=lambda finding: -[*_MARKS].index(finding.level))
    # Of a check's worst findings, the last explains others.
    bad = {finding.name: finding for finding in by_level if finding.level != "ok"}
    return [_cause(finding, bad) for finding in findings]


def _cause(finding: Finding, bad: Mapping[str, Finding]) -> Finding:
    """Return the root cause of a finding; a check that was not made explains only others that were not."""
    others = {name: each for name, each in bad.items() if name != finding.name}
    causes = [others[name] for name in finding.causes if name in others]
    nearest = next((each for each in causes if each.checked or not finding.checked), None)
    return _cause(nearest, others) if nearest else finding


def print_each(findings: Sequence[Finding], told: Callable[[str], str] = str) -> bool:
    """Print all findings, each part in one line, as `told` says a sentence; return whether none is wrong."""
    for finding in findings:
        print(f"{_MARKS[finding.level]} {printable(told(at(finding.name, finding.told)))}")
        if finding.fix:
            print(f"{_BELOW}→ {printable(told(finding.fix))}")
    return _none_wrong(findings)


def print_as_json(findings: Sequence[Finding]) -> bool:
    """Print all findings as JSON, in English; return whether none is wrong."""
    facts = [
        {"name": each.name, "level": each.level, "found": each.told, "fix": each.fix}
        for each in findings
    ]
    print(json.dumps(facts, ensure_ascii=False, indent=2))
    return _none_wrong(findings)


def print_by_cause(findings: Sequence[Finding], told: Callable[[str], str] = str) -> bool:
    """Print the findings by cause, a tally and what to fix first, as `told` says a sentence; return whether none is wrong."""
    causes = by_cause(findings)
    for each in causes:
        cause = ", ".join(each.names)
        _print(cause, each.finding, told)
        for line in _consequences(each, cause):
            print(wrapped(told(line), _BELOW, _BELOW))
    print(f"\n{told(_tally(causes))}")
    if causes and causes[0].finding.level != "ok":
        first, names = causes[0].finding, ", ".join(causes[0].names)
        what = Problem(first.told, first.fix or "")
        do = Sentence("Do this first, for {names}: {what}", names=names, what=what)
        print(wrapped(told(do)))
    return _none_wrong(findings)


def _consequences(each: Printed, cause: str) -> Iterator[Sentence]:
    for finding in each.follows:
        yield Sentence(
            "{name}, because of {cause}: {found}",
            name=finding.name,
            cause=cause,
            found=finding.told,
        )
    if each.unchecked:
        checks = ", ".join(each.unchecked)
        yield Sentence("Not checked because of {cause}: {checks}", cause=cause, checks=checks)


def _tally(causes: Sequence[Printed]) -> Sentence:
    levels = Counter(each.finding.level for each in causes)
    left_out = {name for each in causes for name in each.unchecked}
    counts = [
        Sentence("Wrong: {count}", count=levels["wrong"]),
        Sentence("warnings: {count}", count=levels["warning"]),
        Sentence("fine: {count}", count=levels["ok"]),
    ]
    if left_out:
        counts.append(Sentence("not checked: {count}", count=len(left_out)))
    return Sentence(ALONE, found=joined(counts, COMMA))


def _print(name: str, finding: Finding, told: Callable[[str], str]) -> None:
    print(wrapped(told(at(name, finding.told)), f"{_MARKS[finding.level]} ", _BELOW))
    if finding.fix:
        print(wrapped(told(finding.fix), f"{_BELOW}→ ", f"{_BELOW}  "))


def _none_wrong(findings: Sequence[Finding]) -> bool:
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in findings)
