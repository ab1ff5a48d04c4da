"""The hours of the week in which a rule applies: how a file has them, whether a moment is within, and when that changes. Pure.

The zones are those of the machine, else of the package tzdata: a zone is read from its file when it is named first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from bot.domain.sentence import Sentence
from bot.policy.errors import quoted

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY = frozenset(range(7))
_DAY = 24 * 60  # minutes
_WEEK = 7 * _DAY
_ALWAYS = (1 << _WEEK) - 1
_ONE = "|".join(_DAYS)
_TIME = r"([01]\d|2[0-4]):([0-5]\d)"
_PART = re.compile(
    rf"(?:({_ONE})(?:-({_ONE}))?(?:\s+|$))?(?:{_TIME}-{_TIME})?", re.ASCII | re.IGNORECASE
)
_FIX = Sentence("Write it as in Mon-Fri 09:00-18:00, Sat 10:00-12:00 Asia/Shanghai.")


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the week by the clocks of a time zone, with the text that the file has for them."""

    text: str
    zone: ZoneInfo
    week: int = field(repr=False)
    """One bit for each minute of the week, from Monday on: whether it is within."""

    def hold(self, at: float) -> bool:
        """Return whether a moment, in Unix seconds, is within these hours."""
        local = datetime.fromtimestamp(at, self.zone)
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        return bool(self.week >> minute & 1)

    def cover(self, other: "Hours") -> bool:
        """Return whether all of the other hours are within these; False if in doubt, as for two time zones."""
        same_zone = self.zone.key == other.zone.key
        return self.week == _ALWAYS or (same_zone and self.week | other.week == self.week)

    def opens(self, at: float) -> float | None:
        """Return when they begin next after `at`, in Unix seconds; None if they never do."""
        return min((turn for turn in self.turns(at) if self.hold(turn)), default=None)

    def turns(self, at: float) -> Iterator[float]:
        """Yield the moments, in Unix seconds, at which they begin or end after `at`, for two weeks at least."""
        local = datetime.fromtimestamp(at, self.zone)
        today = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        monday = today - timedelta(days=local.weekday())
        for week in range(3):
            for minute in _turns(self.week):
                turn = (monday + timedelta(weeks=week, minutes=minute)).timestamp()
                if turn > at:
                    yield turn


@lru_cache(maxsize=100)
def _turns(week: int) -> tuple[int, ...]:
    """Return the minutes of the week that differ from the minute before."""
    before = week << 1 | week >> (_WEEK - 1)
    return tuple(minute for minute in range(_WEEK) if (week ^ before) >> minute & 1)


def read_hours(text: object) -> Hours:
    """Return the hours that a text of the file stands for; raises ValueError with what is wrong, and the fix."""
    if not isinstance(text, str):
        raise ValueError(Sentence("it must be text"), Sentence("Put it in quotes."))
    spans, _, zone = text.strip().rpartition(" ")
    if not spans:
        found = Sentence("{text} has no time zone, or no span", text=quoted(text))
        raise ValueError(found, _FIX)
    return Hours(text.strip(), _zone(zone), _week(spans))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name of a file, that of a folder
        fix = Sentence("End with one such as Asia/Shanghai, Europe/Berlin or UTC.")
        raise ValueError(Sentence("{name} is no time zone", name=quoted(name)), fix) from None


def _week(spans: str) -> int:
    """Return the minutes of the week that spans name: each is for the days named before it, or those of the span before."""
    week, days, named = 0, _EVERY_DAY, frozenset[int]()
    for part in map(str.strip, spans.split(",")):
        match = _PART.fullmatch(part)
        if not match or not part:
            raise ValueError(Sentence("{part} is no span of time", part=quoted(part)), _FIX)
        first, last, *times = match.groups()
        if first:
            named |= _days(first, last or first)
        if times[0]:
            days, named = named or days, frozenset()
            hour, minute, end_hour, end_minute = map(int, times)
            begin, end = hour * 60 + minute, end_hour * 60 + end_minute
            if begin == end or begin >= _DAY or end > _DAY:
                found = Sentence("{part} never occurs", part=quoted(part))
                raise ValueError(found, Sentence("For a whole day, write 00:00-24:00."))
            week |= _minutes(days, begin, end)
    if named:
        raise ValueError(Sentence("there is no span for its last days"), _FIX)
    return week


def _days(first: str, last: str) -> frozenset[int]:
    begin, end = _DAYS.index(first.lower()), _DAYS.index(last.lower())
    return frozenset((begin + day) % 7 for day in range((end - begin) % 7 + 1))


def _minutes(days: frozenset[int], begin: int, end: int) -> int:
    """Return the minutes of the week from one minute to another of each of the days, or of the next day."""
    length, minutes = (end - begin) % _DAY or _DAY, 0
    for day in days:
        span = ((1 << length) - 1) << (day * _DAY + begin)
        minutes |= span & _ALWAYS | span >> _WEEK
    return minutes
