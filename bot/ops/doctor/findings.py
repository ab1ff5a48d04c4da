"""Print what checks find: a line for each with its fix, or JSON."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from bot.ops.doctor.check import Finding
from bot.ops.visible import visible

_MARKS = {"ok": "✅", "warning": "⚠️", "wrong": "❌"}


def tell(findings: Iterable[Finding], *, as_json: bool) -> bool:
    """Print the findings; return whether nothing is wrong."""
    found = list(findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=2))
    else:
        for finding in found:
            print(f"{_MARKS[finding.level]} {finding.name}: {visible(finding.found)}")
            if finding.fix:
                print(f"   → {visible(finding.fix)}")
    sys.stdout.flush()
    return all(finding.level != "wrong" for finding in found)
