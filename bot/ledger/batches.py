"""The items of batches: queued, begun, answered or cancelled, one commit for each; and the one lane they run in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, exists, select, update
from sqlalchemy.exc import IntegrityError

from bot.ledger.acceptance import New, SharedBefore, UnderWay, finding, standing_in_the_way
from bot.ledger.entries import (
    OUTCOME_COLUMNS,
    Entry,
    answer_events,
    columns_of_outcome,
    entry_of,
    facts_of,
    key_of,
    outcome_of,
)
from bot.ledger.events import record
from bot.ledger.schema import requests
from bot.ledger.statements import Statements, compared
from bot.ledger.writer import Writer
from bot.outcome import Cancelled, Outcome, Skipped, Step, Why
from bot.request import Request, State, items_of, number_of

_LANE = "batches"
_r = requests.c


@dataclass(frozen=True, slots=True)
class Answered:
    """How one item ended, after `seconds` and what was done for it."""

    item: Request
    outcome: Outcome
    seconds: float
    steps: Sequence[Step]


class _Sayings:
    """The statements about batches, built once: building one costs more than running it."""

    def __init__(self, say: Statements) -> None:
        mine = and_(compared(_r.id), compared(_r.fence))
        open_ = _r.state == State.QUEUED.value
        of_batch = compared(_r.batch)
        self.stands = say.stands.with_for_update()  # so that nobody is just taking it over
        runs = _r.state.in_([State.ACCEPTED.value, State.PLACED.value])
        self.runs = select(_r.id).where(compared(_r.id), runs).with_for_update()
        self.recorded = select(_r.id).where(of_batch)
        self.items = select(requests).where(of_batch)
        ends = [_r[name] for name in ("id", "appid", *OUTCOME_COLUMNS)]
        self.outcomes = select(*ends).where(of_batch)
        self.are_left = select(_r.id).where(of_batch, open_).limit(1)
        self.not_begun = select(requests).where(of_batch, open_, ~_r.begun).with_for_update()
        self.left = select(requests).where(of_batch, open_)
        self.begin = update(requests).where(compared(_r.id), open_).values(begun=True)
        self.put_back = (
            update(requests).where(compared(_r.id), open_).values(begun=bindparam("may_be_shared"))
        )
        over = {"state": State.ENDED.value, "ended": say.now}
        self.end = update(requests).where(compared(_r.id), _r.ended.is_(None)).values(over)
        other = requests.alias()
        taken = exists().where(other.c.lane == _LANE, other.c.id != bindparam("the_id"))
        self.take_lane = update(requests).where(mine, ~taken).values(lane=_LANE)
        self.leave_lane = update(requests).where(mine).values(lane=None)


class Batches:
    """Writes for the replica that holds a batch; nothing is written once another holds it."""

    def __init__(self, writer: Writer, say: Statements) -> None:
        self._writer = writer
        self._say = say
        self._own = _Sayings(say)

    async def queue(self, batch: Entry, items: Sequence[Request]) -> bool:
        """Record items, those first that are left out with the reason; what is recorded stays as it is."""

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            self._queue(on, batch.request, items)
            return True

        return await self._writer.run(work)

    def _queue(self, on: Connection, batch: Request, items: Sequence[Request]) -> None:
        recorded = set(on.scalars(self._own.recorded, {"the_batch": batch.id}))
        for item in items:
            if item.id not in recorded:
                self._queue_one(on, item)

    def _queue_one(self, on: Connection, item: Request) -> None:
        fill = New(item, State.QUEUED, None).columns
        find = finding(fill)
        if on.scalar(self._say.accept, {**fill, **find}) is not None:
            return
        match standing_in_the_way(on, self._say, find, again=item.again, anew=True):
            case UnderWay():
                why = Why.UNDER_WAY
            case SharedBefore():
                why = Why.SHARED_BEFORE
            case _:
                return  # it is recorded
        on.scalar(
            self._say.accept, {**fill, **find, "state": State.ENDED.value, "regardless": True}
        )
        self._end(on, item, columns_of_outcome(Skipped(why)))
        record(on, self._say, "left out", item.origin, {**facts_of(item), "detail": why.value})

    async def items(self, batch_id: str) -> list[Entry]:
        """Return all items that are recorded, in the order in which they were asked for."""

        def work(on: Connection) -> list[Entry]:
            rows = on.execute(self._own.items, {"the_batch": batch_id}).mappings()
            return sorted(map(entry_of, rows), key=lambda entry: number_of(entry.request.id))

        return await self._writer.run(work)

    async def outcomes(self, batch_id: str) -> list[tuple[str, Outcome | None]]:
        """Return the appid of each item and how it ended, in the order in which they were asked for."""

        def work(on: Connection) -> list[tuple[str, Outcome | None]]:
            rows = on.execute(self._own.outcomes, {"the_batch": batch_id}).mappings()
            ordered = sorted(rows, key=lambda row: number_of(row["id"]))
            return [(row["appid"], outcome_of(row)) for row in ordered]

        return await self._writer.run(work)

    async def advance(
        self, batch: Entry, done: Answered | None, following: Request | None
    ) -> bool | None:
        """Record an answer and begin the next item, in one commit; None if somebody else holds the batch.

        False: the next item is not to be begun, since it was cancelled.
        """

        def work(on: Connection) -> bool | None:
            if not self._holds(on, batch):
                return None
            if done is not None:
                self._answer(on, done)
            if following is None:
                return False
            return on.execute(self._own.begin, {"the_id": following.id}).rowcount == 1

        return await self._writer.run(work)

    def _answer(self, on: Connection, done: Answered) -> None:
        columns = columns_of_outcome(done.outcome)
        if not self._end(on, done.item, columns):
            return  # recorded already, by a try that was never told so
        for kind, told in answer_events(columns, done.seconds, done.steps):
            record(on, self._say, kind, done.item.origin, {**facts_of(done.item), **told})

    async def put_back(self, batch: Entry, item: Request, *, begun: bool) -> bool:
        """Let an item wait again; False if somebody else holds the batch.

        `begun` if it may have been shared all the same, so that it cannot be cancelled.
        """

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            on.execute(self._own.put_back, {"the_id": item.id, "may_be_shared": begun})
            return True

        return await self._writer.run(work)

    async def are_left(self, batch: Request) -> bool:
        """Tell whether any item has not ended."""
        asked = {"the_batch": batch.id}
        return await self._writer.run(lambda on: on.scalar(self._own.are_left, asked) is not None)

    async def cancel(self, batch: Request, by: str) -> int:
        """End all items that have not begun, also those not recorded yet; return how many."""

        def work(on: Connection) -> int:
            if on.scalar(self._own.runs, {"the_id": batch.id}) is None:
                return 0
            self._queue(on, batch, items_of(batch))
            rows = on.execute(self._own.not_begun, {"the_batch": batch.id}).mappings()
            waiting = [entry_of(row).request for row in rows]
            for item in waiting:
                self._end(on, item, columns_of_outcome(Cancelled(by)))
            said = {**facts_of(batch), "detail": f"{len(waiting)} items", "user": by}
            record(on, self._say, "cancelled", batch.origin, said)
            return len(waiting)

        return await self._writer.run(work)

    async def give_up(self, batch: Entry, outcome: Outcome) -> bool:
        """End with `outcome` all items that have not ended; False if somebody else holds the batch."""

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            self._queue(on, batch.request, items_of(batch.request))
            rows = on.execute(self._own.left, {"the_batch": batch.request.id}).mappings()
            for item in [entry_of(row).request for row in rows]:
                self._answer(on, Answered(item, outcome, 0.0, ()))
            return True

        return await self._writer.run(work)

    async def take_lane(self, batch: Entry) -> bool:
        """Take the one lane in which a batch runs, across replicas; False while another batch has it.

        It is left when the batch is answered.
        """

        def work(on: Connection) -> bool:
            try:
                with on.begin_nested():
                    return on.execute(self._own.take_lane, key_of(batch)).rowcount == 1
            except IntegrityError:  # another replica was faster
                return False

        return await self._writer.run(work)

    async def leave_lane(self, batch: Entry) -> None:
        """Let other batches run."""
        await self._writer.run(lambda on: on.execute(self._own.leave_lane, key_of(batch)))

    def _end(self, on: Connection, item: Request, columns: Mapping[str, object]) -> bool:
        return on.execute(self._own.end, {**columns, "the_id": item.id}).rowcount == 1

    def _holds(self, on: Connection, batch: Entry) -> bool:
        key = {**key_of(batch), "the_state": State.PLACED.value}
        return on.scalar(self._own.stands, key) is not None
