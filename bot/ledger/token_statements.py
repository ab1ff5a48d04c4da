"""The statements about tokens for one kind of database; named as in `statements`: `the_…` is compared."""

from functools import cache

from sqlalchemy import Float, Text, and_, bindparam, case, func, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.ledger.schema import tokens
from bot.ledger.statements import clock, compared

_t = tokens.c


class TokenStatements:
    """The statements about one platform's tokens; `token_statements_for` gives them."""

    def __init__(self, dialect: str) -> None:
        upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        now = clock(dialect)
        one = and_(compared(_t.platform), compared(_t.name))
        mine = and_(one, compared(_t.fence))
        told, mark = bindparam("the_told", type_=Float), bindparam("the_mark", type_=Text)
        newer = or_(_t.told.is_(None), _t.told < told)
        same = and_(_t.told == told, not_(_t.told_marks.contains(mark)))
        unheard = and_(one, or_(newer, same))
        latest = and_(one, _t.told == told, _t.told_marks.endswith(mark))
        heard = {
            "told": told,
            "told_marks": case((_t.told == told, _t.told_marks + mark), else_=mark),
        }
        fine = {"error": None, "error_at": None}
        trouble = {"error": bindparam("error", type_=_t.error.type), "error_at": now}
        held_off = {"fence": _t.fence + 1, "lease_until": 0.0}
        fresh = {
            "value": bindparam("value", type_=_t.value.type),
            "refresh_token": func.coalesce(
                bindparam("refresh_token", type_=_t.refresh_token.type), _t.refresh_token
            ),
            "issued": now,
            "expires": now + bindparam("life", type_=Float),
            **fine,
        }

        self.all = select(tokens, now.label("now")).where(compared(_t.platform))
        self.one = select(tokens, now.label("now")).where(one)
        self.make = upsert(tokens).on_conflict_do_nothing()
        until = now + bindparam("seconds", type_=Float)
        # A claim that ends later than any made now was made before the clock was set back.
        self.claim = (
            update(tokens)
            .where(one, or_(_t.lease_until <= now, _t.lease_until > until))
            .values(fence=_t.fence + 1, lease_until=until)
            .returning(tokens, now.label("now"))
        )
        self.save = update(tokens).where(mine).values(lease_until=0.0, **fresh)
        self.failed = update(tokens).where(mine).values(lease_until=0.0, **trouble)
        self.noted = update(tokens).where(mine).values(trouble)
        self.release = update(tokens).where(mine).values(lease_until=0.0)

        # What WeChat pushes counts more than a renewal under way, which loses its claim.
        nothing = dict.fromkeys(("value", "refresh_token", "issued", "expires"))
        self.new_ticket = update(tokens).where(one, newer).values(told=told, **fresh)
        self.hear = update(tokens).where(unheard).values(heard)
        self.latest = select(_t.name).where(latest)
        self.replace = update(tokens).where(latest).values(**fresh, **held_off)
        self.forget = (
            update(tokens).where(unheard).values(**heard, **nothing, **trouble, **held_off)
        )


@cache
def token_statements_for(dialect: str) -> TokenStatements:
    """Return the statements for one kind of database, built once in a process."""
    return TokenStatements(dialect)
