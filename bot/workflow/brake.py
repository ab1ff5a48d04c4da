"""The brake: the policy is checked again before an accepted request is carried out, and may stop it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

from bot.domain.outcome import Called, Failed, Stopped, Unknown, doubted
from bot.domain.request import BrokenGlass
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.policy.kinds import (
    Allow,
    Decided,
    Deny,
    NeedsApproval,
    NeedsConfirmation,
    Unreadable,
)
from bot.workflow.judge import Decisions, Judge, doubt_in, glass_doubt, need_not_wait
from bot.workflow.leased import LeasedSteps

CHECK_AGAIN = 1.0
"""Seconds between two checks whether what a request waits for is there: Slack's answer, the lane, WeChat."""

_PATIENCE = 3600.0  # seconds for which a single request waits for Slack

_log = logging.getLogger(__name__)

STOPPED_MIDWAY = Unknown(Trouble.STOPPED.value, tries=0)
"""The outcome if an earlier call may have succeeded, and the policy allows no further one."""
CANCELLED_MIDWAY = Unknown(Trouble.CANCELLED.value, tries=0)
"""The outcome of an item whose earlier call may have succeeded, if somebody has cancelled the rest of the batch since."""
_UNCHECKED = Failed(Trouble.UNCHECKED.value, tries=0)


class BrakeVerdict(Enum):
    """Whether an accepted request may go on."""

    GO = auto()
    STOP = auto()
    IN_DOUBT = auto()
    """Slack does not tell who the requester is or who is in a group: check again shortly."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Checks a request against the policy in force, with the requester's current groups."""

    judge: Judge
    every: float
    """Seconds between two checks while a batch runs."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return self.judge.now()

    async def end_of(
        self, entry: Entry, leased: LeasedSteps, *, begun: bool, fresh: bool
    ) -> Stopped | Called | None:
        """Return the outcome of a request that may not go on; None if it may. Raises LeaseLostError.

        Waits for Slack's answer, at most an hour. `begun` if an earlier call may have succeeded; `fresh` as in `check`.
        """
        verdict, until = await self.check(entry, fresh=fresh), self.now() + _PATIENCE
        if verdict is BrakeVerdict.IN_DOUBT:
            _log.warning("a request waits: Slack does not tell whether it is still allowed")
        while verdict is BrakeVerdict.IN_DOUBT and self.now() < until:
            await leased.rest(entry, CHECK_AGAIN)
            verdict = await self.check(entry)
        if verdict is BrakeVerdict.GO:
            return None
        if verdict is BrakeVerdict.STOP:
            return STOPPED_MIDWAY if begun else Stopped()
        return doubted(_UNCHECKED) if begun else _UNCHECKED

    async def check(
        self, entry: Entry, appids: Sequence[str] | None = None, *, fresh: bool = False
    ) -> BrakeVerdict:
        """Return whether a request may go on or, with `appids`, the rest of a batch.

        People and groups come from a cache of at most a minute, since Slack's rate limit does not allow reading groups
        every few seconds; `fresh` bypasses it.
        """
        return brake_verdict(entry, await self.judge.again(entry.request, appids, fresh=fresh))


def brake_verdict(entry: Entry, decisions: Decisions) -> BrakeVerdict:
    """Return the verdict of the current `decisions` on an accepted request; one rule and the same owner must cover it."""
    sure = tuple(each for each in decisions.of_each if not _is_transient(entry, each))
    covered = all(_is_covered(entry, each) for each in sure)
    if not covered or replace(decisions, of_each=sure).ground_against(entry.request):
        return BrakeVerdict.STOP
    return BrakeVerdict.GO if sure == decisions.of_each else BrakeVerdict.IN_DOUBT


def _is_transient(entry: Entry, decided: Decided) -> bool:
    """Tell whether it is against the request only because Slack is away or busy, or a scope is lost; a deleted group is permanent."""
    doubt = doubt_in(decided.decision)
    if isinstance(entry.request.approval, BrokenGlass):
        doubt = doubt or glass_doubt(decided)
    gone = {Unreadable.NOT_FOUND, Unreadable.PAID_PLAN}
    return doubt is not None and doubt.trouble not in gone


def _is_covered(entry: Entry, decided: Decided) -> bool:
    """Tell whether the request has the confirmation or approval that the current policy requires.

    An approval counts only for the rule under which it was given, and also as a confirmation; a requester who did not wait
    for it still has to be one who need not.
    """
    match decided.decision:
        case Allow():
            return True
        case NeedsConfirmation():
            return entry.decided is not None
        case NeedsApproval(rule):
            approval = entry.request.approval
            counts = not isinstance(approval, BrokenGlass) or need_not_wait(decided)
            return approval is not None and counts and entry.request.rule == rule.name
        case Deny():
            return False
        case _:
            assert_never(decided.decision)
