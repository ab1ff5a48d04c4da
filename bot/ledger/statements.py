"""The ledger's statements for one kind of database, built once: building one costs more than running it.

Parameters that a condition compares are named `the_…`; the others are the columns that they fill.
"""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.request import State, before
from bot.ledger.entries import NEW_COLUMNS
from bot.ledger.schema import CARRIED, OPEN, SHARED, events, requests

NOTHING_OWED: Mapping[str, None] = {"wake": None, "owed": None}
"""The columns of a request once it has moved on, so that nothing is owed of what was to be said before."""

SAME_FOR_EACH = ("kind", "outcome", "errcode", "rid", "seconds", "detail")
_OWN_OF_EACH = ("request", "team", "user", "channel", "env", "appid", "rule")
"""The columns of an event that several requests have in common, and those that they do not."""

_r = requests.c


def compared(column: Column[str] | Column[int]) -> ColumnElement[bool]:
    """Return the condition that a column equals its parameter `the_…`."""
    return column == bindparam(f"the_{column.name}", type_=column.type)


def clock(dialect: str) -> ColumnElement[float]:
    """Return the database's own time, in Unix seconds."""
    return literal_column(
        "cast(extract(epoch from clock_timestamp()) as float)"  # else it comes as a Decimal
        if dialect == "postgresql"
        else "(julianday('now') - 2440587.5) * 86400.0"
    )


def _literal(state: State) -> ColumnElement[str]:
    return literal_column(f"'{state.value}'")


class Statements:
    """The statements about any request; `statements_for` gives them."""

    def __init__(self, dialect: str) -> None:
        self.upsert = upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        self.now = now = clock(dialect)
        pair, mine = (
            and_(compared(_r.env), compared(_r.appid)),
            and_(compared(_r.id), compared(_r.fence)),
        )

        # The insert itself looks for what stands in its way, so that nothing comes in between.
        new = [bindparam(name, type_=_r[name].type) for name in NEW_COLUMNS]
        single = and_(pair, _r.appid != "")
        own = compared(_r.team), compared(_r.user)
        done = _r.outcome.in_([literal_column("'shared'"), literal_column("'unknown'")])
        untold = and_(single, _r.state == _literal(State.ANSWERED), or_(done, and_(*own)))
        waits = and_(single, _r.state == _literal(State.WAITING), *own)
        wanted = and_(
            ~exists().where(pair, CARRIED),
            ~exists().where(waits),
            or_(bindparam("anew", type_=Boolean), ~exists().where(untold)),
            or_(bindparam("regardless", type_=Boolean), ~exists().where(pair, SHARED)),
        )
        patience = now + bindparam("patience", type_=Float)  # NULL where nobody is waited for
        wake = now + bindparam("nap", type_=Float)
        self.accept = (
            upsert(requests)
            .from_select(
                [*NEW_COLUMNS, "created", "until", "wake"],
                select(*new, now, patience, wake).where(wanted),
            )
            .on_conflict_do_nothing()
            .returning(_r.created)
        )
        self.read_at = now.label("read_at")
        self.same = select(requests).where(or_(compared(_r.trigger_id), compared(_r.id)))
        self.under_way = select(requests).where(or_(and_(pair, CARRIED), waits))
        self.untold = select(requests).where(untold).order_by(_r.created.desc()).limit(1)
        self.shared = select(requests).where(pair, SHARED).order_by(_r.ended.desc()).limit(1)

        # Told: the answer to it has been delivered, or nobody waits for it any more.
        self.shared_to = (
            select(_r.id)
            .where(compared(_r.owner), compared(_r.appid), SHARED)
            .where(_r.state == _literal(State.ENDED), _r.id != bindparam("but"))
            .limit(1)
        )

        before_the_end = [State.CONFIRMING, State.WAITING, State.ACCEPTED, State.PLACED]
        self.waiting_batches = (
            select(func.count())
            .select_from(requests)
            .where(compared(_r.team), compared(_r.user), OPEN, _r.appids.is_not(None))
            .where(_r.state.in_([_literal(state) for state in before_the_end]), _r.lane.is_(None))
        )

        self.move = {
            to: update(requests)
            .where(mine, _r.state.in_([_literal(state) for state in before(to)]))
            .values(state=to.value, **NOTHING_OWED)
            for to in State
            if before(to)
        }
        over = {"ended": now, "response_url": None}
        self.move[State.ENDED] = self.move[State.ENDED].values(over)
        self.stands = select(_r.id).where(mine, compared(_r.state))
        # Fills the columns that are given of a request that waits.
        self.fill = (
            update(requests).where(mine, _r.state == _literal(State.WAITING)).values(**NOTHING_OWED)
        )
        new_born = [_literal(state) for state in (State.ACCEPTED, State.CONFIRMING, State.WAITING)]
        self.withdraw = (
            update(requests)
            .where(compared(_r.id), _r.state.in_(new_born), _r.decided_by.is_(None))
            .values(state=State.ENDED.value, **over)
        )
        self.retried = (
            update(requests)
            .where(_r.id == bindparam("earlier"), _r.retried_by.is_(None))
            .values(retried_by=bindparam("by"))
        )
        self.not_retried = (
            update(requests).where(_r.id == bindparam("earlier")).values(retried_by=None)
        )
        # Newest first; a batch is one line but where an appid is asked about.
        newest = select(requests).order_by(_r.created.desc()).limit(bindparam("most"))
        self.history = newest.where(*own, _r.batch.is_(None))
        self.history_of_appid = newest.where(compared(_r.appid))
        self.history_of_env = newest.where(compared(_r.env), _r.batch.is_(None))
        last = func.max(_r.created).desc()
        self.envs = select(_r.env).group_by(_r.env).order_by(last).limit(bindparam("most"))
        self.event = insert(events).values(at=now).inline()
        same = [bindparam(name, type_=events.c[name].type) for name in SAME_FOR_EACH]
        theirs = [_r["id" if name == "request" else name] for name in _OWN_OF_EACH]
        which = _r.id.in_(bindparam("the_ids", expanding=True))
        self.event_of_each = insert(events).from_select(
            ["at", *SAME_FOR_EACH, *_OWN_OF_EACH], select(now, *same, *theirs).where(which)
        )


@cache
def statements_for(dialect: str) -> Statements:
    """Return the statements for one kind of database, built once in a process."""
    return Statements(dialect)
