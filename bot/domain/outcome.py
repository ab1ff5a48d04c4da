"""How a request ended: a closed set, worded in `bot.messages`; and after a share, whether the env can be used."""

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Literal, get_args

from bot.domain.link import Link
from bot.guidance import Cause, EnvFine, Fixer, Guidance
from bot.guidance import explained as guidance_explained

ERRMSG_LIMIT: Final = 300
"""The number of characters of WeChat's error message that are stored and shown."""
_ADDRESS = re.compile(r"(?:invalid ip|requestip:?) *([0-9a-f.:]{7,45})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Said:
    """An error in WeChat's own words; `rid` identifies the call for WeChat's support."""

    errcode: int
    errmsg: str
    rid: str | None

    @property
    def address(self) -> str | None:
        """The address that WeChat saw the call come from, if it says so: "invalid ip …" or "requestip: …"."""
        named = _ADDRESS.search(self.errmsg)
        return named[1] if named else None


@dataclass(frozen=True, slots=True)
class Shared:
    """WeChat said yes."""

    tries: int = 1


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not happen; the guidance says why and what to do.

    `link` is the link of the token chain that broke, if that is why WeChat was not called; `status` is the HTTP status
    of a response that did not come from WeChat.
    """

    guidance: Guidance
    said: Said | None = None
    tries: int = 1
    link: Link | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: no answer came, or none that settles it, on the last or an earlier try.

    `status` is the HTTP status of a response that did not come from WeChat.
    """

    guidance: Guidance
    said: Said | None = None
    tries: int = 1
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An approver said no."""

    by: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody with the right to do so cancelled it before it began."""

    by: str


@dataclass(frozen=True, slots=True)
class Party:
    """Those of whom `count` different people have to agree."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    count: int = 1


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody confirmed or decided in time; of `missing` somebody had still to agree, if several had to."""

    waited_for: Literal["confirmation", "approval"]
    missing: tuple[Party, ...] = ()


class Ground(Enum):
    """Why the policy, checked again at a click, ends a request that was waiting."""

    NOT_ALLOWED = "not allowed"
    FROZEN = "frozen"
    """A freeze is on."""
    SEVERAL_RULES = "several rules"
    """Every appid is allowed, but not all by the same rule."""
    OTHER_OWNER = "other owner"
    """The policy names another owner of the env than the request."""
    OWN_RECEIVER = "own receiver"
    """The policy names one of the receivers as the owner of the env."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The policy, checked again at a click, did not let it continue; a freeze does not `until` then, in Unix seconds."""

    ground: Ground = Ground.NOT_ALLOWED
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The policy, checked again just before the call, no longer allowed it."""


class SkipReason(Enum):
    """Why a request, or an item of a batch, had nothing left to do."""

    SHARED_BEFORE = "shared-before"
    UNDER_WAY = "under-way"


@dataclass(frozen=True, slots=True)
class Skipped:
    """Not carried out: another request has done it, or is doing it."""

    why: SkipReason


@dataclass(frozen=True, slots=True)
class Tally:
    """The numbers of a batch's items by how they ended, out of `total`."""

    total: int
    shared: int = 0
    skipped: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    stopped: int = 0

    @property
    def done(self) -> int:
        """The number of items that have ended."""
        ended = self.shared + self.skipped + self.failed + self.unknown
        return ended + self.cancelled + self.stopped


Grouped = Failed | Unknown | Skipped | Stopped | Cancelled
"""The outcomes of items that the answer to a batch explains."""


@dataclass(frozen=True, slots=True)
class Group:
    """The items of a batch that ended in the same way; `said` is what WeChat said to the first of them."""

    outcome: Grouped
    appids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A batch has ended; each of its items has an outcome of its own.

    `called_again` are the appids for which WeChat was called twice, because a replica stopped before it recorded the
    first answer. With `left_to_others`, another request shares some of it, or waits to.
    """

    tally: Tally
    groups: tuple[Group, ...] = ()
    called_again: tuple[str, ...] = ()
    left_to_others: bool = False


Called = Shared | Failed | Unknown
"""The outcomes of a request that was carried out."""

Outcome = Called | Rejected | Cancelled | Expired | Denied | Stopped | Skipped | Finished

OUTCOMES = tuple(kind.__name__.lower() for kind in get_args(Outcome))
"""Their names in the ledger."""


def doubted(outcome: Called) -> Called:
    """Return the outcome given that an earlier call may have succeeded: a failure becomes unknown."""
    if isinstance(outcome, Failed):
        return Unknown(outcome.guidance, outcome.said, outcome.tries, outcome.status)
    return outcome


def _group_explained(group: Group, cause: Cause | None) -> Group:
    if not isinstance(group.outcome, Failed | Unknown):
        return group
    guidance = guidance_explained(group.outcome.guidance, cause)
    return replace(group, outcome=replace(group.outcome, guidance=guidance))


def explained(outcome: Outcome, cause: Cause | None) -> Outcome:
    """Return the outcome with the guidance for its cause; where others of a batch were shared, the env is fine."""
    match outcome:
        case Failed() | Unknown():
            return replace(outcome, guidance=guidance_explained(outcome.guidance, cause))
        case Finished(tally, groups):
            of_all = EnvFine() if tally.shared else cause
            return replace(outcome, groups=tuple(_group_explained(each, of_all) for each in groups))
        case _:
            return outcome


def looks(outcome: Outcome) -> bool:
    """Tell whether WeChat's lists of envs may tell why it failed; not where others of a batch were shared."""
    match outcome:
        case Failed(guidance) | Unknown(guidance):
            return guidance.looks
        case Finished(tally, groups):
            return not tally.shared and any(looks(each.outcome) for each in groups)
        case _:
            return False


def retry_may_help(outcome: Outcome) -> bool:
    """Tell whether a retry can end differently."""
    match outcome:
        case Failed(guidance) | Unknown(guidance):
            return guidance.fixer is not Fixer.REQUESTER
        case Expired():
            return True
        case Finished(Tally(failed=failed, unknown=unknown), groups):
            kinds = [group.outcome for group in groups]
            called = [kind for kind in kinds if isinstance(kind, Failed | Unknown)]
            return any(map(retry_may_help, called)) if called else failed + unknown > 0
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Step:
    """One step towards an outcome: a call to WeChat or the renewal of a token, and its result."""

    kind: Literal["call", "renewal"]
    seconds: float
    result: str
    said: Said | None = None


class Readiness(Enum):
    """The state of the cloud function that gives others access to an owner's env."""

    READY = "ready"
    LACKING = "lacking"
    """There is none, or its deployment did not finish."""
    UNKNOWN = "unknown"
    """WeChat did not answer, or not in time."""


@dataclass(frozen=True, slots=True)
class AfterCall:
    """What else the answer after a call says, as WeChat and the ledger tell it.

    After a share, the env's readiness, and `told_before` if earlier answers gave its receivers the remaining steps; after
    a failure, its `cause`, if WeChat's lists of envs tell it.
    """

    readiness: Readiness = Readiness.UNKNOWN
    told_before: bool = False
    cause: Cause | None = None


NOTHING_KNOWN: Final = AfterCall()
