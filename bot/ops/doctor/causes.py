"""Tell findings of one cause as one: what could not be checked because of a finding is named with it. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.ops.doctor.check import Finding

_AGAIN = "Run the doctor again."


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
