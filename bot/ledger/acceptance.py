"""Record a new request, or find what stands in its way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select

from bot.domain.request import Request, Retry, State
from bot.ledger.entries import Entry, columns_of, entry_of, facts_of
from bot.ledger.events import record
from bot.ledger.statements import Statements

MOST_WAITING = 5
"""Batches of one person that may wait, for people or for their turn, besides one that runs."""


@dataclass(frozen=True, slots=True)
class New:
    """A request to record, in the state in which it begins; nobody holds it without a `holder`.

    CONFIRMING and WAITING end after `patience` seconds; with `retry` an earlier request is tried again.
    """

    request: Request
    state: State
    holder: str | None
    patience: float | None = None
    retry: Retry | None = None

    @property
    def columns(self) -> dict[str, object]:
        """The parameters of the statement that records it."""
        request, confirming = self.request, self.state is State.CONFIRMING
        return {
            **columns_of(request, self.state, self.holder),
            "regardless": request.again or request.is_batch,
            "anew": request.again or self.retry is not None or request.batch is not None,
            "patience": self.patience,
            "nap": self.patience if confirming else None,
        }

    @property
    def retried(self) -> dict[str, object]:
        """The parameters of the statement that uses up the one retry."""
        return {"earlier": self.retry.of, "by": self.retry.by} if self.retry else {}


@dataclass(frozen=True, slots=True)
class Accepted:
    """Recorded, and held by this replica."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Known:
    """The same trigger was recorded before."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same env is being shared with the same appid, or the same requester waits for just that."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Untold:
    """The same was asked for and has ended, and Slack has not taken the answer yet."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class SharedBefore:
    """The same env was shared with the same appid."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Retried:
    """The earlier request was tried again already: once is enough."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """As many batches of this person wait as may."""


Acceptance = Accepted | Known | UnderWay | Untold | SharedBefore | Retried | TooMany


def accept(say: Statements, new: New, on: Connection) -> Acceptance:
    """Record a new request, unless something stands in its way."""
    fill = new.columns
    find = finding(fill)
    if new.request.is_batch and _has_too_many(on, say, fill):
        return standing_in_the_way(on, say, find, again=True, anew=True) or TooMany()
    if new.retry and not on.execute(say.retried, new.retried).rowcount:
        return standing_in_the_way(on, say, find, again=True, anew=True) or Retried()
    while True:
        created = on.scalar(say.accept, {**fill, **find})
        if created is not None:
            record(on, say, "accepted", new.request.origin, facts_of(new.request))
            if new.retry:
                asked = {"request": new.retry.of, "user": new.retry.by, "detail": new.request.id}
                record(on, say, "retried", new.request.origin, {**facts_of(new.request), **asked})
            until = None if new.patience is None else created + new.patience
            entry = Entry(new.request, new.state, 1, created, at=created, until=until)
            return Accepted(entry)
        again, anew = new.request.again, bool(fill["anew"])
        standing = standing_in_the_way(on, say, find, again=again, anew=anew)
        if standing is not None:
            if new.retry:
                on.execute(say.not_retried, new.retried)
            return standing
        # What stood in the way has ended since, so once more.


def withdraw(say: Statements, new: New, on: Connection) -> None:
    """End a request that may have been recorded although whoever asked was told that it was not."""
    if on.execute(say.withdraw, {"the_id": new.request.id}).rowcount:
        record(on, say, "withdrawn", new.request.origin, facts_of(new.request))
        if new.retry:
            on.execute(say.not_retried, new.retried)


def finding(columns: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters by which what stands in the way of a new request is found."""
    names = ("id", "trigger_id", "team", "user", "env", "appid")
    return {f"the_{name}": columns[name] for name in names}


def _has_too_many(on: Connection, say: Statements, columns: Mapping[str, object]) -> bool:
    whose = {f"the_{name}": columns[name] for name in ("team", "user")}
    return (on.scalar(say.waiting_batches, whose) or 0) >= MOST_WAITING


def standing_in_the_way(
    on: Connection, say: Statements, find: Mapping[str, object], *, again: bool, anew: bool
) -> Known | UnderWay | Untold | SharedBefore | None:
    """Return why a new request was not recorded; None if that has passed.

    With `again` it does also what was done before; with `anew` also what has an answer that Slack has not taken.
    """

    def first(statement: Select[Any]) -> Entry | None:
        row = on.execute(statement, find).mappings().first()
        return entry_of(row) if row else None

    if known := first(say.same):
        return Known(known)
    if under_way := first(say.under_way):
        return UnderWay(under_way)
    untold = None if anew else first(say.untold)
    if untold:
        return Untold(untold)
    shared = None if again else first(say.shared)
    return SharedBefore(shared) if shared else None
