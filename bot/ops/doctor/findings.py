"""Print what checks find: a line for each with its fix, or JSON."""

import json
import sys
from collections.abc import Iterable, Sequence

from bot.ops.doctor.causes import by_cause, tally, to_do_first
from bot.ops.doctor.check import Finding, listed
from bot.ops.visible import visible

_MARKS = {"ok": "✅", "warning": "⚠️", "wrong": "❌"}


def tell(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print every finding; return whether nothing is wrong."""
    found = list(findings)
    if as_json:
        print(json.dumps([*map(_facts, found)], ensure_ascii=False, indent=2))
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


def _facts(finding: Finding) -> dict[str, str | None]:
    return {
        "name": finding.name,
        "level": finding.level,
        "found": finding.found,
        "fix": finding.fix,
    }


def _none_wrong(findings: Sequence[Finding]) -> bool:
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in findings)
