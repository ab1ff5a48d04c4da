"""The findings of the doctor's checks, printed by cause: a line for each with its fix, or JSON."""

import json
import stat
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.domain.finding import Finding, Level
from bot.ops.output import printable

_READERS = stat.S_IRGRP | stat.S_IROTH
_FACTS = ("name", "level", "found", "fix")

_MARKS: Mapping[Level, str] = {"ok": "✅", "warning": "⚠️", "wrong": "❌"}


def others_may_read(path: Path) -> bool:
    """Return whether a file can be read by others than its owner; False if it does not exist."""
    try:
        return bool(path.stat().st_mode & _READERS)
    except OSError:
        return False


def listed(words: list[str], most: int = 10) -> str:
    """Return words separated by commas; after `most`, only the number of the rest."""
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


@dataclass(frozen=True, slots=True)
class Printed:
    """One cause as printed: its finding, as severe as the worst of what follows from it."""

    finding: Finding
    names: tuple[str, ...]
    """The checks with the same finding."""
    follows: tuple[Finding, ...]
    """What other checks found because of it."""
    unchecked: tuple[str, ...]
    """The checks that were not made because of it."""


def with_true_causes(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings; the fix of one that has a cause is to correct that first."""
    return [
        replace(each, fix=f"Correct `{cause.name}` first, then run the doctor again.")
        if cause
        else each
        for each, cause in zip(findings, _causes(findings), strict=True)
    ]


def by_cause(findings: Sequence[Finding]) -> list[Printed]:
    """Return what to print, in order: equal findings once, and what follows from another with that."""
    names: dict[Finding, list[str]] = {}
    following: dict[Finding, list[Finding]] = {}
    for finding, cause in zip(findings, _causes(findings), strict=True):
        if cause is None:
            names.setdefault(_what(finding), []).append(finding.name)
        else:
            following.setdefault(_what(cause), []).append(finding)
    return [_printed(what, found, following.get(what, ())) for what, found in names.items()]


def _printed(what: Finding, names: Sequence[str], following: Sequence[Finding]) -> Printed:
    found = [each for each in following if each.checked]
    worst = max((what.level, *(each.level for each in found)), key=[*_MARKS].index)
    return Printed(
        replace(what, level=worst),
        tuple(dict.fromkeys(names)),
        tuple(dict.fromkeys(found)),
        tuple(dict.fromkeys(each.name for each in following if not each.checked)),
    )


def tally(told: Sequence[Printed]) -> str:
    """Return the number of findings of each level, and of checks that were not made."""
    levels = Counter(each.finding.level for each in told)
    count = f"Wrong: {levels['wrong']}, warnings: {levels['warning']}, fine: {levels['ok']}"
    unchecked = {name for each in told for name in each.unchecked}
    return f"{count}, not checked: {len(unchecked)}." if unchecked else f"{count}."


def to_do_first(told: Sequence[Printed]) -> Printed | None:
    """Return the first cause that is wrong, else the first warning."""
    bad = [each for level in ("wrong", "warning") for each in told if each.finding.level == level]
    return bad[0] if bad else None


def _what(finding: Finding) -> Finding:
    """Return a finding without its name, by which equal ones are merged; those that are fine never are."""
    return finding if finding.level == "ok" else replace(finding, name="", causes=())


def _causes(findings: Sequence[Finding]) -> list[Finding | None]:
    """Return the root cause of each finding, if it has one."""
    by_level = sorted(findings, key=lambda finding: [*_MARKS].index(finding.level))
    # Of a check's worst findings, the last explains others.
    bad = {finding.name: finding for finding in by_level if finding.level != "ok"}
    return [_cause(finding, bad) for finding in findings]


def _cause(finding: Finding, bad: Mapping[str, Finding]) -> Finding | None:
    """Return the root cause of a finding; of two that explain each other, the one that is met again."""
    chain = [finding]
    while cause := _nearest_cause(chain[-1], bad):
        if cause in chain:
            chain = chain[: chain.index(cause) + 1]
            break
        chain.append(cause)
    return chain[-1] if len(chain) > 1 else None


def _nearest_cause(finding: Finding, bad: Mapping[str, Finding]) -> Finding | None:
    """Return the finding that explains another; a check that was not made explains only others that were not."""
    causes = [bad[name] for name in finding.causes if name in bad]
    return next((each for each in causes if each.checked or not finding.checked), None)


def print_each(findings: Sequence[Finding], *, as_json: bool) -> bool:
    """Print all findings; return whether none is wrong."""
    if as_json:
        facts = [{fact: getattr(finding, fact) for fact in _FACTS} for finding in findings]
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            _print(finding.name, finding)
    return _none_wrong(findings)


def print_by_cause(findings: Sequence[Finding], *, as_json: bool) -> bool:
    """Print the findings by cause, a tally and what to fix first, or all as JSON; return whether none is wrong."""
    if as_json:
        return print_each(findings, as_json=True)
    told = by_cause(findings)
    for each in told:
        cause = ", ".join(each.names)
        _print(cause, each.finding)
        for finding in each.follows:
            print(f"   {finding.name}, because of {cause}: {printable(finding.found)}")
        if each.unchecked:
            print(f"   Not checked because of {cause}: {listed([*each.unchecked], most=30)}")
    print(f"\n{tally(told)}")
    if first := to_do_first(told):
        print(f"Do this first, for {', '.join(first.names)}: {printable(first.finding.fix or '')}")
    return _none_wrong(findings)


def _print(name: str, finding: Finding) -> None:
    print(f"{_MARKS[finding.level]} {name}: {printable(finding.found)}")
    if finding.fix:
        print(f"   → {printable(finding.fix)}")


def _none_wrong(findings: Sequence[Finding]) -> bool:
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in findings)
