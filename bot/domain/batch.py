"""A batch: its items counted and grouped by how they ended, and why it pauses. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.outcome import (
    Cancelled,
    Failed,
    Finished,
    Group,
    Grouped,
    Outcome,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
)

_PER_MINUTE, _PER_DAY = 45011, 45009
_MINUTE, _HOUR = 60.0, 3600.0


def tally_of(kinds: Counter[type]) -> Tally:
    """Return the Tally from the number of items per outcome type; NoneType counts those that have not ended."""
    ends = (Shared, Skipped, Failed, Unknown, Cancelled, Stopped)
    return Tally(kinds.total(), *(kinds[kind] for kind in ends))


def finished_of(
    items: Sequence[tuple[str, Outcome | None]], called_again: tuple[str, ...] = ()
) -> Finished:
    """Return the outcome of a batch, computed from those of its items."""
    outcomes = [outcome for _, outcome in items]
    others = Skipped(SkipReason.UNDER_WAY) in outcomes
    tally = tally_of(Counter(map(type, outcomes)))
    return Finished(tally, groups_of(items), called_again, others)


def groups_of(items: Sequence[tuple[str, Outcome | None]]) -> tuple[Group, ...]:
    """Group the appids that were not shared by outcome and cause, larger groups first."""
    found: dict[object, tuple[Grouped, list[str]]] = {}
    for appid, outcome in items:
        match outcome:
            case Failed(guidance, said) | Unknown(guidance, said):
                code = said.errcode if said else outcome.status
                cause: object = type(outcome), guidance.key, code
            case Skipped() | Cancelled() | Stopped():
                cause = outcome
            case _:
                continue
        found.setdefault(cause, (outcome, []))[1].append(appid)
    groups = [Group(outcome, tuple(appids)) for outcome, appids in found.values()]
    return tuple(sorted(groups, key=_rank_of))


def _rank_of(group: Group) -> tuple[int, int]:
    """Return a group's sort key: stopped by the policy first, cancelled and skipped last, larger before smaller."""
    rank = {Stopped: 0, Cancelled: 2, Skipped: 2}.get(type(group.outcome), 1)
    return rank, -len(group.appids)


@dataclass(frozen=True, slots=True)
class AtLimit:
    """WeChat's rate limit is reached; the next try is at `until`, in Unix seconds."""

    until: float


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Whether the policy still allows it cannot be checked, since Slack does not answer."""


Pause = AtLimit | InDoubt


def limit_in(outcome: Outcome) -> Said | None:
    """Return WeChat's error if it is one of its rate limits, else None."""
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    return said if said and said.errcode in {_PER_MINUTE, _PER_DAY} else None


def is_daily(limit: Said) -> bool:
    """Tell whether the daily quota is used up."""
    return limit.errcode == _PER_DAY


def next_try(limit: Said, now: float) -> float:
    """Return when to try again, in Unix seconds; hourly at the daily quota, since no page says when WeChat's day begins."""
    return now + (_HOUR if is_daily(limit) else _MINUTE)
