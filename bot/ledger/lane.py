"""The one lane in which batches run, across replicas: one at a time, in the order in which they were asked for.

A person's second batch comes after everybody's first: it waits as if it had been asked for when the one before it was
through. A batch that waits for people, or pauses, blocks nobody; neither does one whose replica is gone, until another has
taken it over.
"""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.request import BEGUN
from bot.ledger.entries import Entry, key_of
from bot.ledger.schema import OPEN, replicas, requests
from bot.ledger.statements import Statements, compared
from bot.ledger.writer import Writer

_LANE = "batches"

_r = requests.c


class _LaneStatements:
    """The statements about the lane."""

    def __init__(self, say: Statements) -> None:
        mine = and_(compared(_r.id), compared(_r.fence))
        other = requests.alias()
        is_taken = exists().where(other.c.lane == _LANE)
        is_next = _r.id == self._next(say).scalar_subquery()
        self.want = update(requests).where(mine, _r.paused).values(paused=False)
        self.take = (
            update(requests)
            .where(mine, or_(_r.lane == _LANE, and_(~is_taken, is_next)))
            .values(lane=_LANE)
        )
        me = requests.alias("me").c
        had_it = exists().where(me.id == bindparam("the_id"), me.fence == bindparam("the_fence"))
        self.pass_on = (
            update(requests)
            .where(OPEN, compared(_r.team), compared(_r.user), _r.appids.is_not(None))
            .where(_r.id != bindparam("the_id"), had_it.where(me.lane == _LANE))
            .values(turn=say.now)
        )
        self.leave = update(requests).where(mine).values(lane=None, paused=True)

    @staticmethod
    def _next(say: Statements) -> Select[Any]:
        """Return the id of the batch whose turn it is; the one that has the lane counts for its person."""
        one = requests.alias("one").c
        is_held = exists().where(replicas.c.id == one.holder, replicas.c.lease_until > say.now)
        nth = func.row_number().over(
            partition_by=(one.team, one.user), order_by=(one.created, one.id)
        )
        since = func.coalesce(one.turn, one.created)
        wanting = (
            select(one.id, one.lane, nth.label("nth"), since.label("since"))
            .where(
                one.state.in_([state.value for state in BEGUN]),
                one.appids.is_not(None),
                ~one.paused,
            )
            .where(or_(is_held, one.id == bindparam("the_id")))
            .subquery("wanting")
        )
        c = wanting.c
        return select(c.id).where(c.lane.is_(None)).order_by(c.nth, c.since, c.id).limit(1)


@cache
def _statements_for(say: Statements) -> _LaneStatements:
    return _LaneStatements(say)


class Lane:
    """Writes who has the lane; it is left when the batch is answered."""

    def __init__(self, writer: Writer, say: Statements) -> None:
        self._writer = writer
        self._say = _statements_for(say)

    async def take(self, batch: Entry) -> bool:
        """Take the lane; False while another batch has it or comes first."""

        def work(on: Connection) -> bool:
            on.execute(self._say.want, key_of(batch))
            try:
                with on.begin_nested():
                    return on.execute(self._say.take, key_of(batch)).rowcount == 1
            except IntegrityError:  # another replica was faster
                return False

        return await self._writer.run(work)

    async def leave(self, batch: Entry) -> None:
        """Let other batches run, until this one wants the lane again."""
        await self._writer.run(lambda on: on.execute(self._say.leave, key_of(batch)))

    def pass_on(self, on: Connection, batch: Entry) -> None:
        """Let the other batches of the same person wait anew, if this one had the lane and is about to be through."""
        whose = {"the_team": batch.request.origin.team_id, "the_user": batch.request.origin.user_id}
        on.execute(self._say.pass_on, {**key_of(batch), **whose})
