"""The statements about what waits for people, and their clicks; named as in `statements`: `the_…` is compared."""

from functools import cache

from sqlalchemy import Float, and_, bindparam, or_, select, update

from bot.domain.outcome import SkipReason
from bot.domain.request import BEGUN, MOVES, State
from bot.ledger.schema import CARRIED, SHARED, requests
from bot.ledger.statements import NOTHING_OWED, Statements, compared

_MOST_WAITING = 1000  # of one workspace, by all rules: each approver sees those of their own

_r = requests.c


class ClickStatements:
    """What is said of a request that somebody clicks on; ask `click_statements_for` for it."""

    def __init__(self, say: Statements) -> None:
        read = select(requests, say.read_at)
        self.find = read.where(compared(_r.id))

        asked = and_(_r.state == State.WAITING.value, _r.asked.is_not(None))
        begun = and_(_r.state.in_([state.value for state in BEGUN]), _r.appids.is_not(None))
        stoppable = or_(_r.state == State.CONFIRMING.value, asked, begun)
        oldest = read.where(compared(_r.team)).order_by(_r.created).limit(_MOST_WAITING)
        self.waiting, self.stoppable = oldest.where(asked), oldest.where(stoppable)

        own, the_id = requests.alias(), bindparam("the_id", type_=_r.id.type)
        began = select(own.c.created).where(own.c.id == the_id).scalar_subquery()
        since = or_(and_(_r.ended.is_(None), _r.created > began), _r.ended > began)
        others = select(_r.id).where(compared(_r.env), compared(_r.appid), _r.id != the_id).limit(1)
        self.done = {
            SkipReason.UNDER_WAY: others.where(CARRIED),
            SkipReason.SHARED_BEFORE: others.where(SHARED, since),
        }
        """What stands in the way of a request, and whether something does; to be asked in this order.

        What is not carried out any more when the second is asked has been shared by then, or not at all.
        """
        self._of_moves(say)

    def _of_moves(self, say: Statements) -> None:
        """Build what moves a request, with `patience` in seconds, to each state, and what takes that back."""
        in_time = or_(_r.until.is_(None), _r.until > say.now)
        change = (
            update(requests)
            .where(compared(_r.id), compared(_r.state), in_time)
            .values(fence=_r.fence + 1, until=say.now + bindparam("patience", type_=Float))
            .values(NOTHING_OWED)
            .returning(requests, say.read_at)
        )
        decided = change.values(decided=say.now)
        self.move = {
            state: decided.values(state=state.value)
            for state in MOVES[State.CONFIRMING] | MOVES[State.WAITING]
        }
        self.move[State.WAITING] = change.values(state=State.WAITING.value)
        over = {"ended": say.now, "response_url": None}
        self.move[State.ENDED] = self.move[State.ENDED].values(over)

        # If a move was rolled back, another click may have got its fence and its holder, but not its times.
        times = [
            column.is_not_distinct_from(bindparam(f"the_{column.name}", type_=Float))
            for column in (_r.decided, _r.until)
        ]
        mine = compared(_r.id), compared(_r.fence), compared(_r.holder)
        undone = ("holder", "outcome", "ending", "decided_by", "comment", "decided", "ended")
        self.undo = update(requests).where(*mine, *times).values(dict.fromkeys(undone))


@cache
def click_statements_for(say: Statements) -> ClickStatements:
    """Return the statements for one kind of database, built once in a process."""
    return ClickStatements(say)
