"""The writes for batches: queue, begin, end, put back, cancel and stop their items; take and leave the lane.

The lane: across all replicas one batch runs at a time, in the order of the commands. A person with several batches
does not keep others waiting: only the first of them is in the queue, and the next one enters it at the end, once the
first has ended. A batch does not block others while it waits for people, pauses, or waits for its turn without a live
replica. A batch that ran keeps the lane until another replica has taken it over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from bot.domain.outcome import Cancelled, Outcome, Step
from bot.domain.request import BEGUN, Request, State, item_ids, item_of
from bot.ledger.entries import Entry, columns_of_outcome, key_of, stands
from bot.ledger.events import outcome_events, record, step_events
from bot.ledger.items import Item, read_items, record_items
from bot.ledger.schema import LANE, OPEN, replicas, requests
from bot.ledger.statements import (
    MINE,
    NOW,
    OPEN_OF,
    Prepared,
    among,
    columns_in,
    compared,
    value_of,
)
from bot.ledger.writer import Operations, in_transaction

_QUEUED_AT_ONCE = 100  # since acks wait for the transaction

_r = requests.c
_THIS, _OF_BATCH, _QUEUED = compared(_r.id), compared(_r.batch), _r.state == State.QUEUED.value

_RUNS = select(_r.id).where(_THIS, among(BEGUN)).with_for_update()
_CANCELLED_BY = select(_r.cancelled_by).where(_THIS)
_ARE_LEFT = select(_r.id).where(_OF_BATCH, _QUEUED).limit(1)
_CANCEL = update(requests).where(_THIS).values(cancelled_by=value_of(_r.cancelled_by))
_BEGIN = Prepared(
    update(requests)
    .where(_THIS, _QUEUED)
    .values(begun=True, paused=False, called_again=value_of(_r.called_again))
)
_PUT_BACK = update(requests).where(_THIS, _QUEUED, ~_r.paused).values(paused=True)
_OVER = columns_in(State.ENDED)
_END = Prepared(update(requests).where(_THIS, _r.ended.is_(None)).values(_OVER))
_END_LEFT = update(requests).where(_OF_BATCH, _QUEUED).values(_OVER).returning(_r.id)
_END_BEGUN, _END_NOT_BEGUN = _END_LEFT.where(_r.begun), _END_LEFT.where(~_r.begun)

# The next batch: of each person only the first counts. When a batch ends, `turn` puts the same person's others at the
# end of the queue. Those that are being recorded at that moment get no `turn`, so time alone would let a person's later
# batch run before an earlier one.
_ONE = requests.alias("one").c
_HELD = exists().where(replicas.c.id == _ONE.holder, replicas.c.lease_until > NOW)
_NTH = func.row_number().over(partition_by=_ONE.user, order_by=(_ONE.created, _ONE.id))
_WANTING = (
    select(_ONE.id, _NTH.label("nth"), func.coalesce(_ONE.turn, _ONE.created).label("since"))
    .where(OPEN, _ONE.state.in_([state.value for state in BEGUN]))
    .where(_ONE.appids.is_not(None), ~_ONE.paused)
    .where(or_(_HELD, _ONE.id == bindparam("the_id")))
    .subquery("wanting")
    .c
)
_NEXT = (
    select(_WANTING.id)
    .order_by(_WANTING.nth, _WANTING.since, _WANTING.id)
    .limit(1)
    .scalar_subquery()
)

_WANT = update(requests).where(MINE, _r.paused).values(paused=False)
_TAKEN = exists().where(requests.alias().c.lane == LANE)
_TAKE = (
    update(requests)
    .where(MINE, or_(_r.lane == LANE, and_(~_TAKEN, _r.id == _NEXT)))
    .values(lane=LANE)
)
_ME = requests.alias("me").c
_HAD_IT = exists().where(
    _ME.id == bindparam("the_id"), _ME.fence == bindparam("the_fence"), _ME.lane == LANE
)
_REQUEUE_OTHERS = update(requests).where(OPEN_OF, _r.appids.is_not(None), _HAD_IT).values(turn=NOW)
_LEAVE = update(requests).where(MINE).values(lane=None, paused=True)


@dataclass(frozen=True, slots=True)
class ItemEnded:
    """How one item ended, after `seconds` and these steps.

    `called_again` if WeChat was called twice, since a replica stopped before it recorded the first answer.
    """

    item: Request
    outcome: Outcome
    seconds: float
    steps: Sequence[Step]
    called_again: bool = False


class BatchItems(Operations):
    """Writes for the replica that holds a batch; each checks the lease, and writes nothing once another replica has it."""

    @in_transaction
    def queue(self, on: Connection, batch: Entry) -> bool | None:
        """Record some of the items that are not recorded yet; return whether none is left.

        None if another replica holds the batch.
        """
        if not stands(on, batch, State.PLACED):
            return None
        return record_items(on, batch.request, _QUEUED_AT_ONCE)

    @in_transaction
    def items(self, on: Connection, batch: Request) -> list[Item]:
        """Return the recorded items, in the order of the command."""
        return read_items(on, batch)

    @in_transaction
    def advance(
        self,
        on: Connection,
        batch: Entry,
        done: ItemEnded | None,
        following: str | None,
        *,
        again: bool = False,
    ) -> bool | None:
        """Record an outcome and begin the item with the id `following` in one commit; return whether it may begin.

        False if it was cancelled, or there is none; None if another replica holds the batch. `again` if it had begun
        before a replica stopped, so that its outcome says that WeChat was called twice, also if it is given up.
        """
        if not stands(on, batch, State.PLACED):
            return None
        if done is not None:
            _record_outcome(on, done)
        begins = {"the_id": following, "the_called_again": again}
        return following is not None and _BEGIN.run(on, begins) == 1

    @in_transaction
    def put_back(
        self, on: Connection, batch: Entry, item: Request, steps: Sequence[Step], *, begun: bool
    ) -> bool:
        """Return an item to the queue after these steps; False if another replica holds the batch.

        `begun` if WeChat may have shared it nevertheless, so that it can no longer be cancelled.
        """
        holds = stands(on, batch, State.PLACED)
        # A second try, after a commit in doubt, finds the item paused already.
        if holds and on.execute(_PUT_BACK, {"the_id": item.id, "begun": begun}).rowcount:
            for kind, facts in step_events(steps):
                record(on, kind, item, facts)
        return holds

    @in_transaction
    def are_left(self, on: Connection, batch: Request) -> bool:
        """Tell whether any item may still begin: is open, and nobody cancelled the rest."""
        if on.scalar(_CANCELLED_BY, {"the_id": batch.id}):
            return False
        return on.scalar(_ARE_LEFT, {"the_batch": batch.id}) is not None

    @in_transaction
    def cancelled_by(self, on: Connection, batch: Request) -> str | None:
        """Return who cancelled the rest of a batch, if anybody."""
        user: str | None = on.scalar(_CANCELLED_BY, {"the_id": batch.id})
        return user

    @in_transaction
    def cancel(self, on: Connection, batch: Request, by: str) -> int:
        """End all items that have not begun as cancelled, also those not recorded yet; return how many.

        Those that have begun are called no more once another replica takes the batch over.
        """
        if on.scalar(_RUNS, {"the_id": batch.id}) is None:
            return 0
        on.execute(_CANCEL, {"the_id": batch.id, "the_cancelled_by": by})
        record_items(on, batch)
        waiting = _end_all(on, batch, _END_NOT_BEGUN, Cancelled(by))
        if waiting:
            record(on, "cancelled", batch, {"detail": f"{len(waiting)} items", "user": by})
        return len(waiting)

    @in_transaction
    def end(self, on: Connection, batch: Entry, begun: Outcome, others: Outcome) -> bool:
        """End all open items, none of which is being called: those that have begun with one outcome, the others with another.

        False if another replica holds the batch.
        """
        holds = stands(on, batch, State.PLACED)
        if holds:
            record_items(on, batch.request)
            for which, outcome in ((_END_BEGUN, begun), (_END_NOT_BEGUN, others)):
                ((kind, facts),) = outcome_events(outcome, 0.0, ())
                for item in _end_all(on, batch.request, which, outcome):
                    record(on, kind, item, facts)
        return holds

    @in_transaction
    def take_lane(self, on: Connection, batch: Entry) -> bool:
        """Take the lane; False while another batch has it or is next. An answered batch has left it."""
        on.execute(_WANT, key_of(batch))
        try:
            with on.begin_nested():
                return on.execute(_TAKE, key_of(batch)).rowcount == 1
        except IntegrityError:  # another replica was faster
            return False

    @in_transaction
    def leave_lane(self, on: Connection, batch: Entry) -> None:
        """Leave the lane to other batches, until this one takes it again."""
        on.execute(_LEAVE, key_of(batch))


def _record_outcome(on: Connection, done: ItemEnded) -> None:
    """Record how an item ended, unless that was done before, by an earlier try whose result was lost."""
    columns = {**columns_of_outcome(done.outcome), "called_again": done.called_again}
    if _END.run(on, {**columns, "the_id": done.item.id}) == 1:
        for kind, facts in outcome_events(done.outcome, done.seconds, done.steps):
            record(on, kind, done.item, facts)


def _end_all(
    on: Connection, batch: Request, which: ReturningUpdate[Any], outcome: Outcome
) -> list[Request]:
    """End items with the same outcome and return them; records no events."""
    ended = set(on.scalars(which, {**columns_of_outcome(outcome), "the_batch": batch.id}))
    return [item_of(batch, id_, appid) for id_, appid in item_ids(batch).items() if id_ in ended]


def requeue_others(on: Connection, batch: Entry) -> None:
    """Put the same person's other batches at the end of the queue, if this one has the lane and is about to end."""
    on.execute(_REQUEUE_OTHERS, {**key_of(batch), "the_user": batch.request.origin.user_id})
