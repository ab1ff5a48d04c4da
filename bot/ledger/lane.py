"""The lane: across all replicas one batch runs at a time, in the order of the commands.

Everybody's first batch comes before anybody's second: a person's next batch queues as if it had been asked for when
the one before it ended. A batch does not block others while it waits for people, pauses, or waits for its turn without
a live replica; one that ran keeps the lane until another replica has taken it over.
"""

from sqlalchemy import Connection, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.request import BEGUN
from bot.ledger.entries import Entry, key_of
from bot.ledger.operations import Operations, in_transaction
from bot.ledger.schema import LANE, OPEN, replicas, requests
from bot.ledger.statements import MINE, NOW, OPEN_OF

_r = requests.c

# The batch that is next. The one in the lane counts as its person's first.
_ONE = requests.alias("one").c
_HELD = exists().where(replicas.c.id == _ONE.holder, replicas.c.lease_until > NOW)
# Concatenated, so that no index is used that covers ended requests.
_WHO = _ONE.team.concat(" ").concat(_ONE.user)
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
_REQUEUE_OTHERS = update(requests).where(OPEN_OF, _r.appids.is_not(None), _HAD_IT).values(turn=NOW)
_LEAVE = update(requests).where(MINE).values(lane=None, paused=True)


class Lane(Operations):
    """Takes and leaves the lane; an answered batch has left it."""

    @in_transaction
    def take(self, on: Connection, batch: Entry) -> bool:
        """Take the lane; False while another batch has it or is next."""
        on.execute(_WANT, key_of(batch))
        try:
            with on.begin_nested():
                return on.execute(_TAKE, key_of(batch)).rowcount == 1
        except IntegrityError:  # another replica was faster
            return False

    @in_transaction
    def leave(self, on: Connection, batch: Entry) -> None:
        """Leave the lane to other batches, until this one takes it again."""
        on.execute(_LEAVE, key_of(batch))


def requeue_others(on: Connection, batch: Entry) -> None:
    """Put the same person's other batches at the end of the queue, if this one has the lane and is about to end."""
    whose = {"the_team": batch.request.origin.team_id, "the_user": batch.request.origin.user_id}
    on.execute(_REQUEUE_OTHERS, {**key_of(batch), **whose})
