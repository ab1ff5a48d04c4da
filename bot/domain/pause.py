"""Why a batch pauses, and for how long."""

from dataclasses import dataclass

from bot.domain.outcome import Failed, Outcome, Said, Unknown

_PER_MINUTE, _PER_DAY = 45011, 45009
_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class AtLimit:
    """WeChat takes no more calls for now; the next try is at `until`, in Unix seconds."""

    until: float


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Slack does not tell whether the policy still allows it."""


Pause = AtLimit | InDoubt


def limit_in(outcome: Outcome) -> Said | None:
    """Return what WeChat said, if it was that its limit of calls is reached."""
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    return said if said and said.errcode in {_PER_MINUTE, _PER_DAY} else None


def is_daily(limit: Said) -> bool:
    """Tell whether the daily quota is used up."""
    return limit.errcode == _PER_DAY


def again_at(limit: Said, now: float) -> float:
    """Return when to try again, in Unix seconds; no page says when WeChat's day begins."""
    return now + (_HOUR if is_daily(limit) else _MINUTE)
