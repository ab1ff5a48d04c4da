"""What the log says of events: each of the ledger's, shares that keep failing, and POSTs that are refused."""

import logging
from collections import Counter
from collections.abc import Callable
from enum import Enum

from bot.domain.in_general import fix_of
from bot.guidance import Fixer, Guidance, by_key
from bot.ledger.events import Event, why_in

_IN_A_ROW = 3
_HOUR, _MINUTE = 3600.0, 60.0
_TRIED = {"shared", "failed", "unknown"}  # the other endings say nothing of whether shares work

_log = logging.getLogger(__name__)
_events = logging.getLogger("bot.events")


def log_event(event: Event) -> None:
    """Log an event of the ledger after its commit: its kind and the facts that it has."""
    facts = {name: fact for name, fact in event.facts.items() if fact is not None and fact != ""}
    _events.info(event.kind, extra=facts)


def failure_of(event: Event) -> Guidance | None:
    """Return why a request failed or is unknown; None for any other event."""
    if event.kind != "answered" or event.facts.get("outcome") not in {"failed", "unknown"}:
        return None
    return by_key(why_in(str(event.facts.get("detail"))))


class RepeatedFailures:
    """Warns at the third failure in a row with one cause, at most once an hour for each cause.

    Of causes that operators mend, and of those without a clear answer, such as a gateway's, which pass by themselves or not.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cause: Guidance | None = None
        self._times = 0
        self._warned: dict[str, float] = {}

    def on_event(self, event: Event) -> None:
        """Note how a request ended; called from any thread."""
        if event.kind != "answered" or event.facts.get("outcome") not in _TRIED:
            return
        guidance = failure_of(event)
        if guidance is None or not (guidance.fixer is Fixer.OPERATOR or guidance.in_doubt):
            self._cause, self._times = None, 0
            return
        self._times = self._times + 1 if guidance is self._cause else 1
        self._cause = guidance
        now = self._clock()
        if self._times < _IN_A_ROW or now - self._warned.get(guidance.key, -_HOUR) < _HOUR:
            return
        self._warned[guidance.key] = now
        _log.warning(
            "shares keep failing",
            extra={
                "cause": guidance.key,
                "in_a_row": self._times,
                "why": guidance.title,
                "fix": fix_of(guidance),
                "request": event.facts.get("request"),
            },
        )

    def trouble(self) -> str | None:
        """Return why the last shares failed, if so many in a row did; None once one ends otherwise."""
        cause, times = self._cause, self._times
        return f"the last {times} failed: {cause.title}" if cause and times >= _IN_A_ROW else None


class Refusals:
    """Logs refused POSTs with a rate limit; `log_new` has to be called every second or so."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._new = Counter[tuple[str, Enum]]()
        self._due: dict[tuple[str, Enum], float] = {}

    def refused(self, path: str, why: Enum) -> None:
        """Note a refusal; there are few paths and reasons."""
        self._new[path, why] += 1

    def log_new(self) -> None:
        """Log each path and reason that was not logged within the last minute."""
        now = self._clock()
        for each in [each for each in self._new if now >= self._due.get(each, now)]:
            path, why = each
            facts = {"path": path, "times": self._new.pop(each)}
            facts |= {"reason": why.value.found, "fix": why.value.fix or None}
            _log.warning("delivery refused", extra=facts)
            self._due[each] = now + _MINUTE
