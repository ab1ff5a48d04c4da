"""Read the events for an audit, and delete everything before a day."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    create_engine,
    event,
    literal,
    select,
    union_all,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from bot.domain.finding import Problem
from bot.domain.kept import KeptShare
from bot.domain.request import Act, Request
from bot.domain.sentence import Sentence
from bot.ledger.collector import WORDS
from bot.ledger.database import is_transient, reason_of, remedy
from bot.ledger.deletion import Busy, Deleted, Unsendable, delete_some
from bot.ledger.engine import REACHING, CannotOpenError, file_of, parse, sqlite_engine
from bot.ledger.entries import Entry, read_entries
from bot.ledger.events import HAPPENED, Happened
from bot.ledger.inspection import path_problem
from bot.ledger.items import Item, read_items
from bot.ledger.kept import find_kept
from bot.ledger.schema import events, requests
from bot.runtime.clock import Runtime

COLUMNS = ("at", *(column.name for column in events.columns if column.name not in {"id", "at"}))
_AT_ONCE = 2000
_NOT_READ = Sentence("The ledger cannot be read ({why})")
NOT_WRITTEN = Sentence("The ledger cannot be written ({why})")
"""For `reported`, where something is written."""
_PAUSE = 0.05  # seconds
_BUSY_SECONDS = 5.0  # for which the bot's own transactions are waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """The filter of an audit; None means any."""

    since: datetime | None = None
    user: str | None = None
    env: str | None = None
    appid: str | None = None
    outcome: str | None = None
    request: str | None = None
    """A request's id; of a batch, its items match too."""
    batch: str | None = None
    """The batch that the request is an item of: what happened to all of it matches too."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on a row of `events`."""
        equal = {"user": self.user, "env": self.env, "appid": self.appid}
        equal |= (
            {"kind": "broke glass"}
            if self.outcome == Act.BREAK_GLASS.value
            else {"outcome": self.outcome}
        )
        named = [events.c[name] == value for name, value in equal.items() if value is not None]
        if self.request is not None:
            named.append(_is_part_of(self.request, self.batch))
        return [*named, *([events.c.at >= self.since.timestamp()] if self.since else [])]


def _is_part_of(request: str, batch: str | None) -> ColumnElement[bool]:
    """Return the condition that an event is one of a request, of one of its items, or of its batch."""
    # One set: with OR between two conditions PostgreSQL would read all events.
    itself, its_batch = (select(literal(id_)) for id_ in (request, batch or request))
    items = select(requests.c.id).where(requests.c.batch == request)
    return events.c.request.in_(union_all(itself, its_batch, items))


def open_for_audit(url: str) -> Engine:
    """Return an engine on the ledger of a bot that may be running; raises CannotOpenError if there is no ledger."""
    parsed = parse(url)
    path = file_of(parsed)
    if path and (trouble := path_problem(path)):
        found, fix = trouble
        raise CannotOpenError(Problem(Sentence("DATABASE_URL: {found}", found=found), fix))
    if parsed.get_backend_name() == "sqlite" and not (path and path.is_file()):
        found = (
            Sentence("DATABASE_URL: there is no ledger at {path}", path=path)
            if path
            else Sentence("DATABASE_URL: there is no ledger in memory")
        )
        raise CannotOpenError(Problem(found, Sentence("Start the bot once.")))
    # Without a pool no connection stays open, so the engine need not be disposed.
    if path:
        return sqlite_engine(parsed, Runtime().now, poolclass=NullPool, busy_seconds=_BUSY_SECONDS)
    engine = create_engine(parsed, hide_parameters=True, poolclass=NullPool, connect_args=REACHING)
    event.listen(engine, "begin", _without_time_limit)
    return engine


def _without_time_limit(connection: Connection) -> None:
    """Lift the limit that the database has behind PgBouncer: the whole table may be searched."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def read(
    engine: Engine, wanted: EventFilter, *, words: bool = False
) -> Iterator[Mapping[str, object]]:
    """Yield the events, oldest first, with their time as ISO 8601 in UTC; raises CannotOpenError.

    With `words`, each also has the WORDS of its request.
    """
    columns = (*COLUMNS, *(WORDS if words else ()))
    query = (
        select(events, *(requests.c[name] for name in WORDS))
        .outerjoin(requests, events.c.request == requests.c.id)
        .where(*wanted.conditions())
        .order_by(events.c.id)
        .limit(_AT_ONCE)
    )
    last, more = 0, True
    while more:
        # Each part in a transaction of its own: during one that waits for a pager, SQLite's write-ahead log only grows.
        with reported(engine), engine.connect() as connection:
            rows = connection.execute(query.where(events.c.id > last)).mappings().all()
        for row in rows:
            at = datetime.fromtimestamp(row["at"], UTC).isoformat(timespec="milliseconds")
            yield {name: at if name == "at" else row[name] for name in columns}
            last = row["id"]
        more = len(rows) == _AT_ONCE


def find(engine: Engine, request: str) -> Entry | None:
    """Return the current entry of a request or of an item of a batch; raises CannotOpenError."""
    with reported(engine), engine.connect() as connection:
        entries = read_entries(connection, select(requests).where(requests.c.id == request))
    return entries[0] if entries else None


def items(engine: Engine, batch: Request) -> list[Item]:
    """Return the items of a batch that are recorded; raises CannotOpenError."""
    with reported(engine), engine.connect() as connection:
        return read_items(connection, batch)


def delete_before(engine: Engine, when: datetime, url: str | None = None) -> tuple[int, int] | int:
    """Delete what is from before `when` (see `deletion.py`); return how many requests and events.

    If the collector at `url` does not have all events from before, nothing is deleted: the return value is how many it does
    not have. Raises CannotOpenError.
    """
    requests_gone = events_gone = 0
    while True:
        with reported(engine, NOT_WRITTEN), engine.begin() as connection:
            connection.info[HAPPENED] = happened = Happened()
            done = delete_some(connection, when.timestamp(), url)
            happened.write(connection)
        match done:
            case Unsendable(count):
                return count
            case Deleted(many, several):
                requests_gone, events_gone = requests_gone + many, events_gone + several
                if not done:
                    return requests_gone, events_gone
            case Busy():
                pass
            case _:
                assert_never(done)
        Runtime().block(_PAUSE)  # a running bot gets the lock


def find_kept_share(engine: Engine, request: str) -> KeptShare | None:
    """Return the share that a deleted request made; raises CannotOpenError."""
    with reported(engine), engine.connect() as connection:
        return find_kept(connection, request)


@contextmanager
def reported(engine: Engine, tried: str = _NOT_READ) -> Iterator[None]:
    """Turn an error of the database into a CannotOpenError."""
    try:
        yield
    except SQLAlchemyError as error:
        why = reason_of(error)
        fix = remedy(file_of(engine.url), why)
        raise CannotOpenError(
            Problem(Sentence(tried, why=why), fix), transient=is_transient(error)
        ) from error
