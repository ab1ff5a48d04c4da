"""The brake: what was accepted is carried out only as far as the policy of now still allows it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from bot.domain.outcome import Stopped, Unknown
from bot.guidance import Trouble, for_trouble
from bot.ledger import Entry
from bot.policy import (
    Allow,
    Decision,
    Deny,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    PersonUnreadable,
    Policy,
    Unreadable,
    deciding_rule,
    owner_of,
)
from bot.workflow.leased import LeasedSteps, LeaseLostError
from bot.workflow.policy_in_force import InForce
from bot.workflow.ports import People
from bot.workflow.ruling import Decided, decide_all

LOOK_AGAIN = 1.0
"""Seconds until Slack is asked again for what it did not tell."""

_LATE = 60.0  # seconds

_log = logging.getLogger(__name__)

STOPPED_MIDWAY = Unknown(for_trouble(Trouble.STOPPED), tries=0)
"""How it ends where an earlier call may have shared it, and the policy allows no further one."""


class BrakeVerdict(Enum):
    """Whether what was accepted may go on."""

    GO = auto()
    STOP = auto()
    IN_DOUBT = auto()
    """Slack does not tell who somebody is, or who is in a group: to be asked again shortly."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Asks the policy in force once more about the requester, as Slack knows them now."""

    in_force: InForce
    people: People
    now: Callable[[], float]
    """In Unix seconds."""
    every: float = 5.0
    """Seconds between two looks while a batch runs."""

    def is_due(self, entry: Entry) -> bool:
        """Tell whether the policy is to be asked once more before a request is carried out.

        Where that follows at once on the question or the click, one policy decides from beginning to end.
        """
        asked = entry.decided or entry.created
        return entry.taken_over > 0 or max(entry.at, self.now()) - asked > _LATE

    async def allows(self, entry: Entry, leased: LeasedSteps) -> bool:
        """Tell whether the policy of now still allows a request, once Slack tells; raises LeaseLostError."""
        anew = True
        while (found := await self.look(entry, anew=anew)) is BrakeVerdict.IN_DOUBT:
            if anew:
                _log.warning("a request waits: Slack does not tell whether it is still allowed")
            await leased.sleep(LOOK_AGAIN)
            if not await leased.holds(entry):
                raise LeaseLostError
            anew = False
        return found is BrakeVerdict.GO

    async def look(
        self, entry: Entry, appids: Sequence[str] | None = None, *, anew: bool = False
    ) -> BrakeVerdict:
        """Return whether a request may go on, or with `appids`, what is left of a batch.

        What Slack told a moment ago, a minute at most, counts as now; `anew` reads past that. Every few seconds would be
        more than Slack lets us ask for the members of a group.
        """
        policy, request = self.in_force.policy, entry.request
        origin = request.origin
        person = await self.people.person(origin.team_id, origin.user_id, policy.groups, anew=anew)
        receivers = request.receivers if appids is None else appids
        return verdict(policy, entry, decide_all(policy, origin, person, receivers, request.env))


def verdict(policy: Policy, entry: Entry, decisions: Sequence[Decided]) -> BrakeVerdict:
    """Return what the `decisions` of now mean for a request as it was accepted; one rule and one owner for all of it."""
    found = [decision for _, decision in decisions]
    denied = [decision for decision in found if isinstance(decision, Deny)]
    if any(not _is_transient(decision) for decision in denied):
        return BrakeVerdict.STOP
    if owner_of(policy, entry.request.env) != entry.request.owner:
        return BrakeVerdict.STOP
    if denied:
        return BrakeVerdict.IN_DOUBT
    one_rule = len({deciding_rule(decision) for decision in found}) <= 1
    covered = all(_is_covered(entry, decision) for decision in found)
    return BrakeVerdict.GO if one_rule and covered else BrakeVerdict.STOP


def _is_transient(denied: Deny) -> bool:
    """Tell whether it is a no only for as long as Slack is away or busy; a group that is gone stays gone."""
    match denied.because:
        case PersonUnreadable(trouble) | GroupUnreadable(trouble=trouble):
            return trouble in {Unreadable.SLACK_DOWN, Unreadable.RATE_LIMITED}
        case _:
            return False


def _is_covered(entry: Entry, decision: Decision) -> bool:
    """Tell whether what people said to the request is what the policy asks for now.

    An approval counts for the rule by which it was given. Whoever confirmed or approved was sure; where nobody was asked and
    a rule wants that now, it does not go on.
    """
    match decision:
        case Allow():
            return True
        case NeedsConfirmation():
            return entry.decided is not None
        case NeedsApproval(rule):
            return entry.request.approval is not None and entry.request.rule == rule.name
        case Deny():
            return False
        case _:
            assert_never(decision)


def stopped(*, begun: bool) -> Stopped | Unknown:
    """Return how it ends where the brake stops it; `begun` where an earlier call may have shared it."""
    return STOPPED_MIDWAY if begun else Stopped()
