"""The events: what happened, to which request, and who did it; they are only ever added."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.domain.request import Origin, Request
from bot.ledger.entries import facts_of
from bot.ledger.statements import SAME_FOR_EACH, Statements

_UNTOLD = "events"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `facts` are its columns besides its kind and time, None where there is nothing.

    What somebody typed is written, but not told.
    """

    kind: str
    facts: Mapping[str, object]


Told = Callable[[Event], None]
"""Hears of each event once it is committed, in the ledger's own thread; returns at once and never raises."""


def untold(_: Event) -> None:
    """Tell nobody."""


def all_told(*listeners: Told) -> Told:
    """Return what tells each of them; an error of one is logged, since it would end the ledger's thread."""

    def tell(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # an error would end the thread
                _log.exception("unforeseen error", extra={"kind": event.kind})

    return tell


def who_of(origin: Origin) -> dict[str, object]:
    """Return the columns of an event, or the words of a log line, that say who did it and where."""
    return {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}


def record(  # noqa: PLR0913, PLR0917  # what an event is made of
    on: Connection,
    say: Statements,
    kind: str,
    origin: Origin,
    facts: Mapping[str, object],
    typed: str | None = None,
) -> None:
    """Write one event; `facts` override what the origin says of who did it, and `typed` becomes its detail."""
    event = Event(kind, {**who_of(origin), **facts})
    detail = {"detail": typed} if typed else {}
    on.execute(say.event, {"kind": event.kind, **event.facts, **detail})
    on.info.setdefault(_UNTOLD, []).append(event)


def record_each(
    on: Connection,
    say: Statements,
    kind: str,
    requests: Sequence[Request],
    facts: Mapping[str, object],
) -> None:
    """Write the same event for each of several requests, which are recorded."""
    if not requests:
        return
    same = dict.fromkeys(SAME_FOR_EACH)
    ids = [request.id for request in requests]
    on.execute(say.event_of_each, {**same, "kind": kind, **facts, "the_ids": ids})
    on.info.setdefault(_UNTOLD, []).extend(
        Event(kind, {**who_of(request.origin), **facts_of(request), **facts})
        for request in requests
    )


def recorded(on: Connection) -> list[Event]:
    """Return the events written over this connection since this was asked last."""
    events: list[Event] = on.info.pop(_UNTOLD, [])
    return events
