"""Moves of a request between states, each within a transaction of the replica that holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, exists, func, literal_column, or_, select, update

from bot.domain.outcome import Outcome, Readiness, Step
from bot.domain.request import Request, State, before
from bot.ledger.batches import requeue_others
from bot.ledger.entries import Entry, columns_of_outcome, key_of, name_of, stands
from bot.ledger.events import outcome_events, record
from bot.ledger.schema import SHARED, events, requests
from bot.ledger.statements import (
    MINE,
    NOTHING_OWED,
    NOW,
    Prepared,
    among,
    columns_in,
    seconds,
    value_of,
)

_r = requests.c
_THIS = bindparam("the_id", type_=_r.id.type)

_MOVE = {
    to: Prepared(
        update(requests).where(MINE, among(before(to))).values(columns_in(to)).returning(NOW)
    )
    for to in (State.PLACED, State.ANSWERED, State.ENDED)
}
_WAITS = update(requests).where(MINE, among([State.WAITING]))
_WITH_PLACE = _WAITS.values(**NOTHING_OWED)
_ASKING = _WAITS.values(asked=value_of(_r.asked))
_ESCALATE = _ASKING.where(_r.escalated.is_(None)).values(
    escalated=NOW, all_asked=False, **NOTHING_OWED
)
_ASKED = _ASKING.values(all_asked=True, holder=None, owed=None, wake=seconds("the_wake"))

# The event `delivered` has the detail "ready" if the answer had no remaining steps. Events of older versions have no
# detail, and count as answers with steps. Before it, an item has ended, but its batch may still wait for WeChat.
_STEPS_TOLD = exists().where(
    events.c.request == func.coalesce(_r.batch, _r.id),
    events.c.kind == "delivered",
    events.c.detail.is_distinct_from(Readiness.READY.value),
)
_one = requests.alias("one").c
# The order is an index's: else PostgreSQL would read all shares of an appid that has thousands, for each answer.
_TOLD = (
    select(_r.id)
    .where(_r.appid == _one.appid, _r.owner == _one.owner, SHARED)
    .where(among([State.ENDED]), _STEPS_TOLD)
    .order_by(_r.created.desc())
    .limit(1)
    .scalar_subquery()
)
# Of a request that shared, or of a batch's items. Beside a partial index, SQLite would compile the statement anew for
# each value of a parameter.
_SHARED = _one.outcome == literal_column("'shared'")
_UNTOLD = Prepared(
    select(_one.id)
    .where(or_(_one.id == _THIS, _one.batch == _THIS), _SHARED, _TOLD.is_(None))
    .limit(1)
)


def _change(on: Connection, entry: Entry, to: State, columns: Mapping[str, object]) -> float | None:
    """Change the state; return when, in Unix seconds, or None if the fence is old or the move is not lawful.

    A batch leaves the lane, which it takes after it is placed.
    """
    lane = {"lane": None} if entry.request.appids else {}
    now: float | None = _MOVE[to].scalar(on, {**columns, **lane, **key_of(entry)})
    return now


def _move(
    on: Connection,
    entry: Entry,
    to: State,
    happened: Sequence[tuple[str, Mapping[str, object]]],
    columns: Mapping[str, object],
) -> bool:
    """Change the state and add the events; False if the fence is old or the move is not lawful."""
    if _change(on, entry, to, columns) is None:
        return stands(on, entry, to)  # an earlier try may have been committed, and its result lost
    for kind, facts in happened:
        record(on, kind, entry.request, facts)
    return True


def place(on: Connection, entry: Entry, place: str) -> bool:
    """Record where the answer goes; False if another replica holds the request, or it no longer waits."""
    columns = {"place": place}
    if entry.state is State.WAITING:
        return on.execute(_WITH_PLACE, {**key_of(entry), **columns}).rowcount == 1
    return _move(on, entry, State.PLACED, [("placed", {})], columns)


def asking(on: Connection, entry: Entry, where: str) -> bool:
    """Record where the approvers are asked, some of them yet to be; False if another replica holds it, or it no longer waits."""
    return on.execute(_ASKING, {**key_of(entry), "the_asked": where}).rowcount == 1


def asked(on: Connection, entry: Entry, where: str, wake: float) -> bool:
    """Record that all approvers are asked, and release the request until `wake`, in Unix seconds.

    False if another replica holds it, or it no longer waits.
    """
    written = {**key_of(entry), "the_asked": where, "the_wake": wake}
    return on.execute(_ASKED, written).rowcount == 1


def escalate(on: Connection, entry: Entry, where: str) -> bool:
    """Record that a request escalates, and where approvers are asked, some of them yet to be.

    False if another replica holds it, or it no longer waits.
    """
    if on.execute(_ESCALATE, {**key_of(entry), "the_asked": where}).rowcount != 1:
        return stands(on, entry, State.WAITING)  # as in `_move`
    record(on, "escalated", entry.request)
    return True


def record_outcome(  # noqa: PLR0913  # one column or event each
    on: Connection,
    entry: Entry,
    outcome: Outcome,
    seconds: float = 0.0,
    steps: Sequence[Step] = (),
    *,
    called_again: bool = False,
) -> Entry | None:
    """Record the outcome and the steps towards it; None if another replica holds the request.

    `called_again` if WeChat was called twice, since a replica stopped before it recorded the first answer.
    """
    if entry.request.appids:
        requeue_others(on, entry)
    columns = {**columns_of_outcome(outcome), "called_again": called_again}
    if not _move(on, entry, State.ANSWERED, outcome_events(outcome, seconds, steps), columns):
        return None
    return replace(
        entry,
        state=State.ANSWERED,
        outcome=outcome,
        called_again=called_again,
        owed_since=None,
        wake=None,
        told_steps=told_steps(on, entry.request),
    )


def told_steps(on: Connection, request: Request) -> bool:
    """Tell whether earlier answers told the receivers of a share the steps that remain after it."""
    return _UNTOLD.scalar(on, {"the_id": request.id}) is None


def end(on: Connection, entry: Entry, how: str, why: str | None = None) -> bool:
    """Record that the request is over; `how` is the event's kind, such as delivered, and `why` its detail.

    The detail of delivered is "ready" if the env's function was active, so that the answer had the remaining steps behind a button.
    Its listeners are also told which `answer` that was, and after how many `answer_seconds`.
    """
    now = _change(on, entry, State.ENDED, {})
    if now is None:
        return stands(on, entry, State.ENDED)
    told = _answer_by(now, entry) if how == "delivered" else {}
    record(on, how, entry.request, {"detail": why, **told})
    return True


def _answer_by(now: float, entry: Entry) -> dict[str, object]:
    if entry.outcome is None:
        return {}
    seconds = max(now - entry.free_since, 0.0)  # the database's clock may have been set back
    return {"answer": name_of(entry.outcome), "answer_seconds": round(seconds, 3)}
