"""The statements about the items of a batch; named as in `statements`: `the_…` is compared.

Where it can be, one statement covers all items: each releases the interpreter's lock, and beside a busy loop it takes
long to get that back.
"""

from functools import cache

from sqlalchemy import (
    JSON,
    Boolean,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from bot.domain.outcome import Skipped, SkipReason
from bot.domain.request import BEGUN, State
from bot.ledger.entries import NEW_COLUMNS
from bot.ledger.schema import CARRIED, SHARED, requests
from bot.ledger.statements import Statements, compared

_r = requests.c


class BatchStatements:
    """The statements about one batch and its items; `batch_statements_for` gives them."""

    def __init__(self, say: Statements, dialect: str) -> None:
        open_ = _r.state == State.QUEUED.value
        of_batch = compared(_r.batch)
        self.stands = say.stands.with_for_update()  # so that nobody is just taking it over
        runs = _r.state.in_([state.value for state in BEGUN])
        self.runs = select(_r.id).where(compared(_r.id), runs).with_for_update()
        self.recorded = select(_r.id).where(of_batch)
        self.items = select(requests).where(of_batch)
        ends = [_r[name] for name in ("id", "appid", "ending")]
        self.outcomes = select(*ends).where(of_batch)
        self.called_again = select(_r.id, _r.appid).where(of_batch, _r.called_again)
        earlier = requests.alias("earlier")
        told = select(earlier.c.id).where(
            earlier.c.appid == _r.appid,
            earlier.c.owner == _r.owner,
            earlier.c.outcome == "shared",
            earlier.c.state == State.ENDED.value,
            or_(earlier.c.batch.is_(None), earlier.c.batch != _r.batch),
        )
        self.first_shared = (
            select(_r.id).where(of_batch, _r.outcome == "shared", ~exists(told)).limit(1)
        )
        self.are_left = select(_r.id).where(of_batch, open_).limit(1)
        self.begin = update(requests).where(compared(_r.id), open_).values(begun=True)
        self.put_back = (
            update(requests).where(compared(_r.id), open_).values(begun=bindparam("may_be_shared"))
        )
        over = {"state": State.ENDED.value, "ended": say.now}
        self.end = update(requests).where(compared(_r.id), _r.ended.is_(None)).values(over)
        self.end_left = update(requests).where(of_batch, open_).values(over).returning(_r.id)
        self.end_not_begun = self.end_left.where(~_r.begun)
        self._of_new_items(say, dialect)

    def _of_new_items(self, say: Statements, dialect: str) -> None:
        """Build what records items: `the_items` are their appids by their ids, the other columns they share."""
        pairs = func.json_each_text if dialect == "postgresql" else func.json_each
        item = pairs(bindparam("the_items", type_=JSON)).table_valued("key", "value").alias("item")
        own = {"id": item.c.key, "trigger_id": item.c.key, "appid": item.c.value}
        new = [own.get(name, bindparam(name, type_=_r[name].type)) for name in NEW_COLUMNS]
        pair = and_(_r.env == bindparam("env", type_=_r.env.type), _r.appid == item.c.value)
        under_way = exists().where(pair, CARRIED)
        again = bindparam("again", type_=Boolean)
        shared_before = and_(~again, exists().where(pair, SHARED))

        self.queue = (
            say.upsert(requests)
            .from_select([*NEW_COLUMNS, "created"], select(*new, say.now).where(~shared_before))
            .on_conflict_do_nothing()
            .returning(_r.id)
        )
        under_way_now, before = (
            literal(Skipped(why), _r.ending.type)
            for why in (SkipReason.UNDER_WAY, SkipReason.SHARED_BEFORE)
        )
        ending = case((under_way, under_way_now), else_=before)
        left_out = select(*new, say.now, say.now, literal("skipped"), ending)
        self.leave_out = (
            say.upsert(requests)
            .from_select(
                [*NEW_COLUMNS, "created", "ended", "outcome", "ending"],
                left_out.where(or_(under_way, shared_before)),
            )
            .on_conflict_do_nothing()
            .returning(_r.id, _r.ending)
        )


@cache
def batch_statements_for(say: Statements, dialect: str) -> BatchStatements:
    """Return the statements for one kind of database, built once in a process."""
    return BatchStatements(say, dialect)
