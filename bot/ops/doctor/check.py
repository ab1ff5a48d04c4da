"""What a check of `doctor` finds, and the fix."""

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bot.domain.problem import Problem
from bot.policy import Operators, Policy
from bot.policy.lint import Remark

CHECKS = (
    *("settings", "slack-bot", "slack-scopes", "slack-app", "slack-connections", "slack-groups"),
    *("slack-people", "policy-tests", "policy-reach", "policy-approvers", "policy-owners"),
    "policy-operators",
    *(
        "ledger",
        "ledger-write",
        "disk",
        "deliveries",
        "callback",
        "ticket",
        "platform-token",
        "owner-token",
    ),
    *("encryption", "wechat", "permissions", "listener", "clock", "proxies"),
)
"""The names that a finding can have, in the order in which they are told; programs rely on them."""

_READERS = stat.S_IRGRP | stat.S_IROTH

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


def owned(policy: Policy) -> str:
    """Return who owns the envs of a policy in which none is without."""
    known = listed(list(policy.all_owners))
    return f"{known}; every env that rules name has an owner" if known else "no rule needs one"


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
