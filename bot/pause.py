"""Why a batch pauses, and for how long."""

from dataclasses import dataclass

from bot.outcome import Failed, Outcome, Said, Unknown

_PER_MINUTE, _PER_DAY = 45011, 45009
_MINUTE, _DAY = 60.0, 86_400.0
_CHINA = 8 * 3600.0  # WeChat's days begin at midnight in China
_GRACE = 300.0  # after midnight, since clocks differ


@dataclass(frozen=True, slots=True)
class AtLimit:
    """WeChat takes no more calls until then, in Unix seconds."""

    until: float


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Slack does not tell whether the policy still allows it."""


Pause = AtLimit | InDoubt


def limit_in(outcome: Outcome) -> Said | None:
    """Return the words by which WeChat asked to be left alone for a while."""
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    return said if said and said.errcode in {_PER_MINUTE, _PER_DAY} else None


def is_daily(limit: Said) -> bool:
    """Tell whether WeChat takes calls again on the next day only."""
    return limit.errcode == _PER_DAY


def over_at(limit: Said, now: float) -> float:
    """Return when WeChat takes calls again, in Unix seconds."""
    return now - (now + _CHINA) % _DAY + _DAY + _GRACE if is_daily(limit) else now + _MINUTE
