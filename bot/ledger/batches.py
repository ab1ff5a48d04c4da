"""The items of batches: queued, begun, answered or cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.dml import ReturningUpdate

from bot.domain.outcome import Cancelled, Outcome, Skipped, Step, Stopped
from bot.domain.request import Request, State, items_of, number_of
from bot.ledger.batch_statements import batch_statements_for
from bot.ledger.entries import Entry, columns_of, entry_of, facts_of, key_of
from bot.ledger.events import record, record_each
from bot.ledger.outcomes import answer_events, columns_of_outcome
from bot.ledger.statements import Statements
from bot.ledger.writer import Writer


@dataclass(frozen=True, slots=True)
class ItemAnswered:
    """How one item ended, after `seconds` and what was done for it.

    `called_again` if WeChat was asked once more, since a replica stopped before it recorded the answer.
    """

    item: Request
    outcome: Outcome
    seconds: float
    steps: Sequence[Step]
    called_again: bool = False


class BatchItems:
    """Writes for the replica that holds a batch; nothing is written once another holds it."""

    def __init__(self, writer: Writer, say: Statements, dialect: str) -> None:
        self._writer = writer
        self._say = say
        self._own = batch_statements_for(say, dialect)

    async def queue(self, batch: Entry) -> bool:
        """Record the items that are not recorded yet, those that are left out with the reason."""

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            self._queue(on, batch.request)
            return True

        return await self._writer.run(work)

    def _queue(self, on: Connection, batch: Request) -> None:
        recorded = set(on.scalars(self._own.recorded, {"the_batch": batch.id}))
        missing = {item.id: item for item in items_of(batch) if item.id not in recorded}
        while missing:
            some = next(iter(missing.values()))
            its = {"the_items": {item.id: item.appid for item in missing.values()}}
            new = {**columns_of(some, State.QUEUED, None), **its}
            for id_ in on.scalars(self._own.queue, new).all():
                del missing[id_]
            if missing:
                self._leave_out(on, missing, new)
            # What stood in the way of the others has ended since, so once more.

    def _leave_out(
        self, on: Connection, missing: dict[str, Request], new: Mapping[str, object]
    ) -> None:
        left_out: dict[Skipped, list[Request]] = {}
        ended = {**new, "state": State.ENDED.value}
        for id_, outcome in on.execute(self._own.leave_out, ended):
            left_out.setdefault(outcome, []).append(missing.pop(id_))
        for outcome, items in left_out.items():
            record_each(on, self._say, "left out", items, {"detail": outcome.why.value})

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
            return [(row["appid"], row["ending"]) for row in ordered]

        return await self._writer.run(work)

    async def called_again(self, batch_id: str) -> list[str]:
        """Return the appids for which WeChat was asked twice, in the order in which they were asked for."""

        def work(on: Connection) -> list[str]:
            rows = on.execute(self._own.called_again, {"the_batch": batch_id}).mappings()
            return [row["appid"] for row in sorted(rows, key=lambda row: number_of(row["id"]))]

        return await self._writer.run(work)

    async def shared_to_all(self, batch_id: str) -> bool:
        """Tell whether other requests shared an env of this owner's with all appids that the batch was shared with."""
        asked = {"the_batch": batch_id}
        work = self._own.first_shared
        return await self._writer.run(lambda on: on.scalar(work, asked) is None)

    async def advance(
        self, batch: Entry, done: ItemAnswered | None, following: Request | None
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

    def _answer(self, on: Connection, done: ItemAnswered) -> None:
        columns = {**columns_of_outcome(done.outcome), "called_again": done.called_again}
        if not self._end(on, done.item, columns):
            return  # recorded already, by a try that was never told so
        for kind, told in answer_events(done.outcome, done.seconds, done.steps):
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
            self._queue(on, batch)
            waiting = self._end_all(on, batch, self._own.end_not_begun, Cancelled(by))
            said = {**facts_of(batch), "detail": f"{len(waiting)} items", "user": by}
            record(on, self._say, "cancelled", batch.origin, said)
            return len(waiting)

        return await self._writer.run(work)

    async def give_up(self, batch: Entry, outcome: Outcome) -> bool:
        """End with `outcome` all items that have not ended; False if somebody else holds the batch."""

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            self._queue(on, batch.request)
            self._answer_all(on, batch.request, self._own.end_left, outcome)
            return True

        return await self._writer.run(work)

    async def stop(self, batch: Entry, midway: Sequence[ItemAnswered]) -> bool:
        """End as stopped all items that have not begun, and as `midway` says those of a replica that died.

        False if somebody else holds the batch.
        """

        def work(on: Connection) -> bool:
            if not self._holds(on, batch):
                return False
            for done in midway:
                self._answer(on, done)
            left = self._answer_all(on, batch.request, self._own.end_not_begun, Stopped())
            if left or midway:
                said = {**facts_of(batch.request), "detail": f"{len(left) + len(midway)} items"}
                record(on, self._say, "stopped", batch.request.origin, said)
            return True

        return await self._writer.run(work)

    def _answer_all(
        self, on: Connection, batch: Request, which: ReturningUpdate[Any], outcome: Outcome
    ) -> list[Request]:
        """End items with the same outcome, record that of each, and return them."""
        ended = self._end_all(on, batch, which, outcome)
        ((kind, told),) = answer_events(outcome, 0.0, ())
        record_each(on, self._say, kind, ended, told)
        return ended

    def _end_all(
        self, on: Connection, batch: Request, which: ReturningUpdate[Any], outcome: Outcome
    ) -> list[Request]:
        """End items with the same outcome, and return them."""
        ended = set(on.scalars(which, {**columns_of_outcome(outcome), "the_batch": batch.id}))
        return [item for item in items_of(batch) if item.id in ended]

    def _end(self, on: Connection, item: Request, columns: Mapping[str, object]) -> bool:
        return on.execute(self._own.end, {**columns, "the_id": item.id}).rowcount == 1

    def _holds(self, on: Connection, batch: Entry) -> bool:
        key = {**key_of(batch), "the_state": State.PLACED.value}
        return on.scalar(self._own.stands, key) is not None
