"""Moves of a request between states, each within a transaction of the replica that holds it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, update

from bot.domain.outcome import Outcome, Step
from bot.domain.request import State, before
from bot.ledger.entries import Entry, answered, key_of
from bot.ledger.events import record
from bot.ledger.lane import requeue_others
from bot.ledger.outcomes import answer_events, columns_of_outcome
from bot.ledger.prepared import Prepared
from bot.ledger.schema import requests
from bot.ledger.statements import HALF_TIME, MINE, NOTHING_OWED, NOW, STANDS, among
from bot.ledger.steps import told_steps

_MOVE = {
    to: Prepared(
        update(requests)
        .where(MINE, among(before(to)))
        .values(state=to.value, **NOTHING_OWED)
        .values({"ended": NOW, "response_url": None} if to is State.ENDED else {})
    )
    for to in (State.PLACED, State.ANSWERED, State.ENDED)
}
_WAITS = update(requests).where(MINE, among([State.WAITING]))
_SETTLED = _WAITS.values(**NOTHING_OWED)
_ASKED = _WAITS.values(holder=None, owed=None, wake=HALF_TIME)
_STANDS = select(requests.c.id).where(STANDS)


def move(
    entry: Entry,
    to: State,
    happened: Sequence[tuple[str, Mapping[str, object]]],
    columns: Mapping[str, object],
    on: Connection,
) -> bool:
    """Change the state and add the events; False if the fence is old or the move is not lawful."""
    mine = key_of(entry)
    if _MOVE[to].run(on, {**columns, **mine}) != 1:
        # An earlier try may have been committed without learning so.
        return on.scalar(_STANDS, {**mine, "the_state": to.value}) is not None
    for kind, facts in happened:
        record(on, kind, entry.request, facts)
    return True


def settle(entry: Entry, place: str, on: Connection) -> bool:
    """Record where the answer to a waiting request goes; False if another replica holds it or it no longer waits."""
    return on.execute(_SETTLED, {**key_of(entry), "place": place}).rowcount == 1


def ask(entry: Entry, where: str, on: Connection) -> bool:
    """Record where the approvers were asked, and release the request until half of its time is over; False as above."""
    return on.execute(_ASKED, {**key_of(entry), "asked": where}).rowcount == 1


def answer(  # noqa: PLR0913, PLR0917  # one column or event each
    entry: Entry,
    outcome: Outcome,
    seconds: float,
    steps: Sequence[Step],
    called_again: bool,  # as the column
    on: Connection,
) -> Entry | None:
    """Record the outcome and the steps towards it; None if another replica holds the request."""
    if entry.request.appids:
        requeue_others(on, entry)
    columns = {**columns_of_outcome(outcome), "called_again": called_again}
    if not move(entry, State.ANSWERED, answer_events(outcome, seconds, steps), columns, on):
        return None
    steps_known = told_steps(on, entry.request, outcome)
    return answered(entry, outcome, called_again=called_again, told_steps=steps_known)
