"""The statements about tokens for one kind of database; named as in `statements`: `the_…` is compared."""

from sqlalchemy import Float, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.ledger.schema import tokens
from bot.ledger.statements import clock, compared

_t = tokens.c


class TokenStatements:
    """What is said of one platform's tokens."""

    def __init__(self, dialect: str) -> None:
        upsert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        now = clock(dialect)
        one = and_(compared(_t.platform), compared(_t.name))
        mine = and_(one, compared(_t.fence))
        told = bindparam("told", type_=Float)
        newer = and_(one, or_(_t.told.is_(None), _t.told < told))
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
        self.claim = (
            update(tokens)
            .where(one, _t.lease_until <= now)
            .values(fence=_t.fence + 1, lease_until=now + bindparam("seconds", type_=Float))
            .returning(tokens, now.label("now"))
        )
        self.save = update(tokens).where(mine).values(lease_until=0.0, **fresh)
        self.failed = update(tokens).where(mine).values(lease_until=0.0, **trouble)
        self.noted = update(tokens).where(mine).values(trouble)
        self.release = update(tokens).where(mine).values(lease_until=0.0)

        # What WeChat pushes counts more than a renewal under way, which loses its claim.
        self.told = update(tokens).where(newer).values(told=told)
        self.new_ticket = update(tokens).where(newer).values(told=told, **fresh)
        self.replace = update(tokens).where(one).values(**fresh, **held_off)
        self.forget = (
            update(tokens)
            .where(one)
            .values(
                value=None, refresh_token=None, issued=None, expires=None, **trouble, **held_off
            )
        )
