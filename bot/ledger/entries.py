"""An entry: a request with its state in the ledger, read from and written to a row."""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from bot.domain.language import Language
from bot.domain.outcome import Outcome
from bot.domain.request import Approval, Origin, Request, State
from bot.ledger.outcomes import decode, known
from bot.ledger.prepared import Prepared
from bot.ledger.schema import requests
from bot.ledger.statements import STANDS

_FIND_STANDING = Prepared(select(requests.c.id).where(STANDS).with_for_update())


@dataclass(frozen=True, slots=True)
class Entry:
    """A request with its current state in the ledger; times in Unix seconds by the database's clock.

    `place` is where its answer goes (an item's is its batch's, where it is read WITH_PLACES), `asked` where its
    approvers were asked: references that only `bot.slack` reads. `fence` is the fencing token: it grows with each
    take-over, and only a holder with the newest one may write. `at` is when this was read, 0 if not needed. `until` is
    when waiting for people ends, `wake` when to look at the request next, and `owed_since` since when Slack has refused
    its next message. `called_again` if WeChat was called twice, since a replica stopped before it recorded the first
    answer. `told_steps` right after a share if earlier answers told the receivers the remaining steps. `taken_over` is how often it was taken over; those after clean stops count as one. `overdue` if its
    wait for people had expired when this was read.
    """

    request: Request
    state: State
    fence: int
    created: float
    place: str | None = None
    outcome: Outcome | None = None
    taken_over: int = 0
    ended: float | None = None
    at: float = field(default=0.0, compare=False)
    until: float | None = None
    wake: float | None = None
    asked: str | None = None
    decided: float | None = None
    retried_by: str | None = None
    owed_since: float | None = None
    called_again: bool = False
    told_steps: bool = False
    overdue: bool = field(default=False, compare=False)


_NOT_APPROVED = {"rejected", "denied", "cancelled", "expired"}
_ORIGIN = {
    "trigger_id": "trigger_id",
    "team": "team_id",
    "user": "user_id",
    "channel": "channel_id",
    "channel_name": "channel_name",
    "response_url": "response_url",
    "thread_ts": "thread_ts",
}
"""The columns that a request's origin fills, and its fields for them."""

_OWN = ("id", "appid", "env", "owner", "rule", "reason", "batch", "again")
"""The columns that have the name of the request's field."""

_SAME = (
    *("fence", "created", "taken_over", "ended", "until", "wake", "asked", "decided"),
    *("retried_by", "called_again"),
)
"""The columns that have the name of the entry's field."""

NEW_COLUMNS = (*_ORIGIN, *_OWN, "language", "appids", "state", "holder")
"""The columns of a new request."""

_PARAMETERS = [f"the_{name}" for name in NEW_COLUMNS]
_facts_of = attrgetter(*(f"origin.{field}" for field in _ORIGIN.values()), *_OWN, "language.value")


def entry_of(row: RowMapping) -> Entry:
    """Return the Entry of a row of `requests`."""
    at, until = row.get("read_at") or 0.0, row["until"]
    return Entry(
        request=_request_of(row),
        state=State(row["state"]),
        place=row["place"] or row.get("answered_in"),
        outcome=decode(row["ending"]),
        owed_since=row["owed"],
        at=at,
        overdue=until is not None and at >= until,
        **{name: row[name] for name in _SAME},
    )


def read_entries(on: Connection, /, query: Select[Any], **parameters: object) -> list[Entry]:
    """Return the Entries of the rows that a query over `requests` returns."""
    return [entry_of(row) for row in on.execute(query, parameters).mappings()]


def _request_of(row: RowMapping) -> Request:
    origin = {field: row[column] for column, field in _ORIGIN.items()}
    approved = row["asked"] and row["decided_by"] and row["outcome"] not in _NOT_APPROVED
    return Request(
        origin=Origin(**origin | {"response_url": row["response_url"] or ""}),
        language=known(Language, row["language"], Language.ENGLISH),
        appids=tuple((row["appids"] or "").split()),
        approval=Approval(row["decided_by"], row["comment"]) if approved else None,
        **{name: row[name] for name in _OWN},
    )


def columns_of(request: Request, state: State, holder: str | None) -> dict[str, object]:
    """Return the parameters for the NEW_COLUMNS of a request, leased to `holder`; None leaves it free."""
    others = (" ".join(request.appids) or None, state.value, holder)
    return dict(zip(_PARAMETERS, (*_facts_of(request), *others), strict=True))


def key_of(entry: Entry) -> dict[str, object]:
    """Return the parameters of MINE: they match the row until another replica takes the request over."""
    return {"the_id": entry.request.id, "the_fence": entry.fence}


def stands(on: Connection, entry: Entry, state: State) -> bool:
    """Tell whether a request is in this state and not taken over; waits for a take-over that has not committed yet."""
    return _FIND_STANDING.scalar(on, {**key_of(entry), "the_state": state.value}) is not None
