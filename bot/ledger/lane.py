"""The one lane in which batches run, across replicas: one at a time, in the order in which they were asked for.

A person's second batch comes after everybody's first: it waits as if it had been asked for when the one before it was
through. A batch that waits for people, or pauses, blocks nobody; neither does one whose replica is gone, until another has
taken it over.
"""

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.request import BEGUN
from bot.ledger.entries import Entry, key_of
from bot.ledger.schema import LANE, OPEN, replicas, requests
from bot.ledger.statements import MINE, NOW, OPEN_OF
from bot.ledger.writer import Writer

_r = requests.c


# The batch whose turn it is: the one that has the lane counts for its person.
_ONE = requests.alias("one").c
_HELD = exists().where(replicas.c.id == _ONE.holder, replicas.c.lease_until > NOW)
_WHO = _ONE.team.concat(" ").concat(_ONE.user)  # an index by either goes through all that has ended
_NTH = func.row_number().over(partition_by=_WHO, order_by=(_ONE.created, _ONE.id))
_WANTING = (
    select(
        *(_ONE.id, _ONE.lane),
        *(_NTH.label("nth"), func.coalesce(_ONE.turn, _ONE.created).label("since")),
    )
    .where(OPEN, _ONE.state.in_([state.value for state in BEGUN]))
    .where(_ONE.appids.is_not(None), ~_ONE.paused)
    .where(or_(_HELD, _ONE.id == bindparam("the_id")))
    .subquery("wanting")
    .c
)
_NEXT = (
    select(_WANTING.id)
    .where(_WANTING.lane.is_(None))
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
_REQUEUE_OTHERS = (
    update(requests)
    .where(OPEN_OF, _r.appids.is_not(None), _r.id != bindparam("the_id"), _HAD_IT)
    .values(turn=NOW)
)
_LEAVE = update(requests).where(MINE).values(lane=None, paused=True)


class Lane:
    """Writes who has the lane; it is left when the batch is answered."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def take(self, batch: Entry) -> bool:
        """Take the lane; False while another batch has it or comes first."""

        def work(on: Connection) -> bool:
            on.execute(_WANT, key_of(batch))
            try:
                with on.begin_nested():
                    return on.execute(_TAKE, key_of(batch)).rowcount == 1
            except IntegrityError:  # another replica was faster
                return False

        return await self._writer.run(work)

    async def leave(self, batch: Entry) -> None:
        """Let other batches run, until this one wants the lane again."""
        await self._writer.run(lambda on: on.execute(_LEAVE, key_of(batch)))


def requeue_others(on: Connection, batch: Entry) -> None:
    """Let the other batches of the same person wait anew, if this one had the lane and is about to be through."""
    whose = {"the_team": batch.request.origin.team_id, "the_user": batch.request.origin.user_id}
    on.execute(_REQUEUE_OTHERS, {**key_of(batch), **whose})
