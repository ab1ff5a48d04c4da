"""An entry: a request with its state and outcome in the ledger, as a row; and how entries are found and listed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar, get_args

from sqlalchemy import (
    Column,
    Connection,
    RowMapping,
    Select,
    Table,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
)

from bot.command.grammar import is_appid
from bot.domain.language import Language
from bot.domain.link import Link
from bot.domain.outcome import (
    OUTCOMES,
    Expired,
    Finished,
    Ground,
    Outcome,
    Party,
    Said,
    SkipReason,
    Tally,
)
from bot.domain.request import BEGUN, Agreement, Approval, BrokenGlass, Origin, Request, State
from bot.guidance import Guidance, by_key
from bot.ledger.schema import OPEN, kept_shares, requests
from bot.ledger.statements import (
    ASKED_BY,
    OF_TEAM,
    READ_AT,
    STANDS,
    WITH_PLACES,
    Prepared,
    among,
    compared,
)

Member = TypeVar("Member", bound=Enum)
T = TypeVar("T")

_MOST_WAITING = 1000  # by all rules: each approver sees those of their own

_r = requests.c

_FOUND = select(requests, READ_AT)
_FIND = _FOUND.where(compared(_r.id))
# One that was withdrawn ended without an outcome: it counts as never recorded.
_MADE_BY = _FOUND.where(
    compared(_r.trigger_id), or_(_r.state != State.ENDED.value, _r.outcome.is_not(None))
)
_ASKED = and_(among([State.WAITING]), _r.asked.is_not(None))
_STOPPABLE = or_(among([State.CONFIRMING]), _ASKED, and_(among(BEGUN), _r.appids.is_not(None)))
_FIND_STOPPABLE_IN = (
    _FOUND.where(OPEN, OF_TEAM, _STOPPABLE).order_by(_r.created).limit(_MOST_WAITING)
)
_FIND_STOPPABLE = _FOUND.where(OPEN, _STOPPABLE).order_by(_r.created).limit(_MOST_WAITING)

_FIND_STANDING = Prepared(select(_r.id).where(STANDS).with_for_update())

# Newest first. A batch is one line, except in the history of an appid, which lists items.
_NEWEST = WITH_PLACES.order_by(_r.created.desc()).limit(bindparam("most"))
_HISTORY = _NEWEST.where(ASKED_BY, _r.batch.is_(None))
_HISTORY_OF_APPID = _NEWEST.where(compared(_r.appid))
_HISTORY_OF_ENV = _NEWEST.where(compared(_r.env), _r.batch.is_(None))
_SHARES_OF_ENV = _HISTORY_OF_ENV.where(text("outcome in ('shared', 'finished')"))


def _envs_in(table: Table, at: Column[Any]) -> Select[Any]:
    """Return each env of a table with its newest time: a loose index scan, since there are few, and many rows for each."""
    first = select(func.min(table.c.env).label("env")).cte(f"in_{table.name}", recursive=True)
    following = select(func.min(table.c.env)).where(table.c.env > first.c.env).scalar_subquery()
    known = first.union_all(select(following).where(first.c.env.is_not(None)))
    newest = select(func.max(at)).where(table.c.env == known.c.env).scalar_subquery()
    return select(known.c.env, newest.label("at")).where(known.c.env.is_not(None))


_EITHER = (
    _envs_in(requests, _r.created).union_all(_envs_in(kept_shares, kept_shares.c.ended)).subquery()
)
_ENVS = (
    select(_EITHER.c.env)
    .group_by(_EITHER.c.env)
    .order_by(func.max(_EITHER.c.at).desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A request with its current state in the ledger; times in Unix seconds by the database's clock.

    `place` is where its answer goes (an item's is its batch's, where it is read WITH_PLACES), `asked` where its
    approvers are asked: references, see `Posted`; `all_asked` once all those questions are posted. `fence` is the fencing token: it grows with each
    take-over, and only a holder with the newest one may write. `at` is when this was read, 0 if not needed. `until` is
    when waiting for people ends, `wake` when to look at the request next, and `owed_since` since when Slack has refused
    its next message. `called_again` if WeChat was called twice, since a replica stopped before it recorded the first
    answer. `told_steps`, known right after a share, if earlier answers told the receivers the remaining steps.
    `taken_over` is how often it was taken over; those after clean stops count as one. `overdue` if its wait for people
    had expired when this was read.
    """

    request: Request
    state: State
    fence: int
    created: float
    _: KW_ONLY
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
    all_asked: bool = False
    told_steps: bool | None = None
    overdue: bool = field(default=False, compare=False)

    @property
    def agreed(self) -> tuple[Agreement, ...]:
        """Those who agreed so far, where several have to."""
        return self.request.agreed

    @property
    def waits_since(self) -> float:
        """Since when it waits for its approvers."""
        return self.decided or self.created

    @property
    def free_since(self) -> float:
        """Since when it waits for no people: the command, the last click, or when they had let it expire."""
        if isinstance(self.outcome, Expired) and self.until is not None:
            return self.until
        return self.waits_since

    @property
    def half_time(self) -> float:
        """When half of the time is over in which its approvers may decide."""
        return (self.waits_since + (self.until or 0.0)) / 2


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
    *("retried_by", "called_again", "all_asked"),
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


def find(on: Connection, request_id: str) -> Entry | None:
    """Return the current entry of a request; None if there is none, or for a text that databases refuse."""
    if not (request_id.isascii() and request_id.isprintable()):
        return None
    return next(iter(read_entries(on, _FIND, the_id=request_id)), None)


def made_by(on: Connection, trigger_id: str) -> Entry | None:
    """Return the request that was recorded for a trigger of Slack's; None if there is none."""
    return next(iter(read_entries(on, _MADE_BY, the_trigger_id=trigger_id)), None)


def stoppable(on: Connection, team_id: str | None) -> list[Entry]:
    """Return what can be cancelled in a workspace, or in all, oldest first: what waits for people, and batches under way."""
    if team_id is None:
        return read_entries(on, _FIND_STOPPABLE)
    return read_entries(on, _FIND_STOPPABLE_IN, the_team=team_id)


def history(on: Connection, mine: tuple[str, str], about: str | None, limit: int) -> list[Entry]:
    """Return the newest requests of `mine`, a (team, user), or with `about` everybody's for this env or appid."""
    if about is None:
        return read_entries(on, _HISTORY, the_team=mine[0], the_user=mine[1], most=limit)
    if is_appid(about):
        return read_entries(on, _HISTORY_OF_APPID, the_appid=about, most=limit)
    return read_entries(on, _HISTORY_OF_ENV, the_env=about, most=limit)


def shares(on: Connection, env: str, limit: int) -> list[Entry]:
    """Return the requests that shared an env, among the newest `limit` that shared it or were batches for it."""
    entries = read_entries(on, _SHARES_OF_ENV, the_env=env, most=limit)
    return [e for e in entries if not isinstance(e.outcome, Finished) or e.outcome.tally.shared]


def envs(on: Connection, limit: int) -> list[str]:
    """Return the envs of past requests and of earlier shares, the most recent first."""
    return [*on.scalars(_ENVS, {"most": limit})]


def _request_of(row: RowMapping) -> Request:
    origin = {field: row[column] for column, field in _ORIGIN.items()}
    decided = row["decided_by"] and row["outcome"] not in _NOT_APPROVED
    approval: Approval | BrokenGlass | None = None
    if decided and row["broke_glass"]:
        approval = BrokenGlass(row["decided_by"], row["comment"])
    elif decided and row["asked"]:
        approval = Approval(row["decided_by"], row["comment"])
    return Request(
        origin=Origin(**origin | {"response_url": row["response_url"] or ""}),
        language=_known(Language, row["language"], Language.ENGLISH),
        appids=tuple((row["appids"] or "").split()),
        approval=approval,
        agreed=_agreed_in(row["agreed"]),
        escalated=row["escalated"] is not None,
        **{name: row[name] for name in _OWN},
    )


def agreed_column(agreed: Sequence[Agreement]) -> str | None:
    """Return the JSON of those who agreed, in ASCII; None if nobody has."""
    return json.dumps([[each.by, each.comment] for each in agreed]) if agreed else None


def _agreed_in(column: str | None) -> tuple[Agreement, ...]:
    return tuple(Agreement(by, comment) for by, comment in json.loads(column or "[]"))


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


def _known(kind: type[Member], value: object, otherwise: T) -> Member | T:
    """Return a member of an enum by its value; `otherwise` for one that only another version of the bot knows."""
    return next((member for member in kind if member.value == value), otherwise)


_KINDS: Mapping[str, type[Outcome]] = dict(zip(OUTCOMES, get_args(Outcome), strict=True))
_OF_ITEMS = {"groups", "called_again"}
"""The fields of a batch's outcome that are read from its items instead."""


def _party_in(users: Sequence[str], groups: Sequence[str], count: int) -> Party:
    return Party(frozenset(users), frozenset(groups), count)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "guidance": by_key,
    "said": lambda said: Said(**said),
    "missing": lambda parties: tuple(_party_in(**party) for party in parties),
    "link": lambda link: _known(Link, link, None),
    "ground": lambda ground: _known(Ground, ground, Ground.NOT_ALLOWED),
    "why": SkipReason,
    "tally": lambda tally: Tally(**tally),
}
"""How the JSON of a field of an outcome is read, if it is neither text nor a number."""


def _plain(value: object) -> object:
    """Return the JSON of such a field."""
    match value:
        case Guidance():
            return value.key
        case Enum():
            return value.value
        case Said() | Tally() | Party():
            return asdict(value)
        case frozenset():
            return sorted(value)
        case _:
            raise TypeError(value)


_JSON = json.JSONEncoder(default=_plain)


def encode(outcome: Outcome) -> str:
    """Return the JSON of an outcome, in ASCII, since databases refuse some characters."""
    facts = ((name, getattr(outcome, name)) for name in _stored(type(outcome)))
    known_facts = {name: fact for name, fact in facts if fact not in {None, ()}}
    return _JSON.encode({"kind": name_of(outcome), **known_facts})


def decode(ending: str | None) -> Outcome | None:
    """Return an outcome; None if there is none, or for a kind that only another version of the bot knows."""
    facts = json.loads(ending) if ending else {}
    kind = _KINDS.get(facts.get("kind", ""))
    if kind is None:
        return None
    stored = {name: facts[name] for name in _stored(kind) if name in facts}
    return kind(**{name: _READ[name](x) if name in _READ else x for name, x in stored.items()})


def _stored(kind: type[Outcome]) -> list[str]:
    """Return the names of the fields that are stored."""
    return [field.name for field in fields(kind) if field.name not in _OF_ITEMS]


def name_of(outcome: Outcome) -> str:
    """Return an outcome's name in the ledger."""
    return type(outcome).__name__.lower()


def columns_of_outcome(outcome: Outcome) -> dict[str, object]:
    """Return the columns of `requests` that an outcome fills; `outcome` repeats the kind for conditions and indexes."""
    return {"outcome": name_of(outcome), "ending": encode(outcome)}
