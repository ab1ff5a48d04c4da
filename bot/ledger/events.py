"""The events: what happened, to which request, and who did it. Append-only."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from bot.domain.request import Origin, Request
from bot.ledger.entries import facts_of
from bot.ledger.prepared import Prepared
from bot.ledger.schema import events, requests
from bot.ledger.statements import NOW, value_of

_EVENTS, _ROWS = "events", "rows of events"
_BLANK = dict.fromkeys(column.name for column in events.columns if column.name not in {"id", "at"})
_SAME_FOR_EACH = ("kind", "outcome", "errcode", "rid", "seconds", "detail")
_OWN_OF_EACH = ("team", "user", "channel", "env", "appid", "rule")
"""For one event of several requests: the columns with one value for all, and those copied from each request."""

MOST = 8
"""The most events in one statement."""

# One statement per number of events. With executemany psycopg opens a pipeline, in which PostgreSQL never regards a
# transaction as idle: a replica that froze there would keep its locks until it wakes up.
_VALUES = [
    {"at": NOW, **{name: bindparam(f"{name}_{n}", type_=events.c[name].type) for name in _BLANK}}
    for n in range(MOST)
]
_ADD = {many: Prepared(insert(events).values(_VALUES[:many])) for many in range(1, MOST + 1)}
_ADD_FOR_EACH = insert(events).from_select(
    ["at", "request", *_SAME_FOR_EACH, *_OWN_OF_EACH],
    select(
        *(NOW, requests.c.id),
        *(value_of(events.c[name]) for name in _SAME_FOR_EACH),
        *(requests.c[name] for name in _OWN_OF_EACH),
    ).where(requests.c.id.in_(bindparam("the_ids", expanding=True))),
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `facts` are its columns besides kind and time.

    What a user typed goes into the row, but not into `facts`, since listeners write those to the log.
    """

    kind: str
    facts: Mapping[str, object]


EventListener = Callable[[Event], None]
"""Called with each event after its commit, in the ledger's thread; must return at once and not raise."""


def fan_out(*listeners: EventListener) -> EventListener:
    """Return a listener that calls each of these; errors are logged, since they would end the ledger's thread."""

    def call_each(event: Event) -> None:
        for listener in listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # see above
                _log.exception("unforeseen error", extra={"kind": event.kind})

    return call_each


def who_of(origin: Origin) -> dict[str, object]:
    """Return the columns of an event, or the extras of a log line, that say who did it and where."""
    return {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}


def note(
    on: Connection,
    kind: str,
    origin: Origin,
    facts: Mapping[str, object],
    typed: str | None = None,
) -> None:
    """Add one event to the transaction; `flush` writes them together.

    `facts` override the columns from the origin; `typed`, what a user typed, becomes the row's detail.
    """
    event = Event(kind, {**who_of(origin), **facts})
    row = {**_BLANK, "kind": kind, **event.facts} | ({"detail": typed} if typed else {})
    on.info.setdefault(_ROWS, []).append(row)
    on.info.setdefault(_EVENTS, []).append(event)


def record(
    on: Connection,
    kind: str,
    request: Request,
    facts: Mapping[str, object] | None = None,
    typed: str | None = None,
) -> None:
    """Add one event of a request to the transaction; `facts` override the columns from the request."""
    note(on, kind, request.origin, {**facts_of(request), **(facts or {})}, typed)


def record_each(
    on: Connection, kind: str, requests: Sequence[Request], facts: Mapping[str, object]
) -> None:
    """Write the same event for several recorded requests in one statement."""
    if not requests:
        return
    _write(on)
    same = dict.fromkeys(_SAME_FOR_EACH)
    ids = [request.id for request in requests]
    on.execute(_ADD_FOR_EACH, {**same, "kind": kind, **facts, "the_ids": ids})
    on.info.setdefault(_EVENTS, []).extend(
        Event(kind, {**who_of(request.origin), **facts_of(request), **facts})
        for request in requests
    )


def flush(on: Connection) -> list[Event]:
    """Write the events added since the last `discard` or `flush`, and return all of that transaction."""
    _write(on)
    events: list[Event] = on.info.pop(_EVENTS, [])
    return events


def discard(on: Connection) -> None:
    """Discard the events that an abandoned transaction left behind."""
    on.info.pop(_ROWS, None)
    on.info.pop(_EVENTS, None)


def _write(on: Connection) -> None:
    rows = on.info.pop(_ROWS, [])
    for start in range(0, len(rows), MOST):
        part = rows[start : start + MOST]
        named = {f"{name}_{n}": row[name] for n, row in enumerate(part) for name in _BLANK}
        _ADD[len(part)].run(on, named)
