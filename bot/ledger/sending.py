"""What operators ask about the events that a collector does not have, and how they change what it gets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Update,
    func,
    insert,
    select,
    update,
)

from bot.ledger.audit import NOT_WRITTEN, reported
from bot.ledger.collector import BEGIN, key_of, unsent
from bot.ledger.schema import collectors, events
from bot.ledger.statements import NOW

SENT_AGAIN, NOT_SENT = "sent again", "not sent"
"""The kinds of the events that record such a change; their detail is what it was about."""


def first_unsent(engine: Engine, url: str) -> Mapping[str, object] | None:
    """Return the next event that a collector is to get; None if it has all, or is not known; raises CannotOpenError."""
    with reported(engine), engine.connect() as on:
        found = unsent(on, url)
    return found.first if found else None


def send_since(engine: Engine, url: str, since: datetime) -> int:
    """Let a collector get all events from `since` on, and what it does not have; return how many; raises CannotOpenError."""
    first = select(func.min(events.c.id)).where(events.c.at >= since.timestamp())
    with reported(engine, NOT_WRITTEN), engine.begin() as on:
        _wait_for_writers(on)
        _record(on, SENT_AGAIN, f"since {since:%Y-%m-%d}")
        cursor = (on.scalar(first) or 1) - 1
        BEGIN.run(on, {"the_key": key_of(url), "the_cursor": cursor})
        on.execute(_of(url).where(collectors.c.cursor > cursor).values(cursor=cursor))
        return on.scalar(_unsent(url, func.count())) or 0


def leave_out(engine: Engine, url: str, event: Mapping[str, object], name: str) -> bool:
    """Let a collector not get an event; return False if that is not the next one by now; raises CannotOpenError.

    It gets one that says so, with the `name` of the other.
    """
    with reported(engine, NOT_WRITTEN), engine.begin() as on:
        _wait_for_writers(on)
        if on.scalar(_unsent(url, func.min(events.c.id))) != event["id"]:
            return False
        on.execute(_of(url).values(cursor=event["id"]))
        _record(on, NOT_SENT, name)
        return True


def _unsent(url: str, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return the query for what a collector does not have; nothing if it is not known."""
    cursor = select(collectors.c.cursor).where(collectors.c.key == key_of(url)).scalar_subquery()
    return select(*columns).select_from(events).where(events.c.id > cursor)


def _of(url: str) -> Update:
    return update(collectors).where(collectors.c.key == key_of(url))


def _wait_for_writers(on: Connection) -> None:
    """Let all who have drawn an id commit first, or the cursor might move past an event that is not visible yet."""
    if on.dialect.name != "sqlite":  # one writes after the other
        on.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        on.exec_driver_sql("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")


def _record(on: Connection, kind: str, detail: str) -> None:
    on.execute(insert(events).values(at=NOW, kind=kind, detail=detail))
