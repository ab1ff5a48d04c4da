"""The statements on the table `tokens`; parameters are named as in `statements`."""

from sqlalchemy import Text, and_, bindparam, case, func, insert, not_, or_, select, true, update

from bot.ledger.schema import tokens
from bot.ledger.statements import NOW, UNLESS_CONFLICT, compared, seconds, value_of

_t = tokens.c
_ONE = and_(compared(_t.platform), compared(_t.name))
_CLAIMED = and_(_ONE, compared(_t.fence))
_TOLD, _MARK = seconds("the_told"), bindparam("the_mark", type_=Text)
_NEWER = or_(_t.told.is_(None), _t.told < _TOLD)
_SAME_SECOND = and_(_t.told == _TOLD, not_(_t.told_marks.contains(_MARK)))
_IS_NEW = and_(_ONE, or_(_NEWER, _SAME_SECOND))
_LATEST = and_(_ONE, _t.told == _TOLD, _t.told_marks.endswith(_MARK))
_MARKS = case((_t.told == _TOLD, _t.told_marks + _MARK), else_=_MARK)
_RECORDED = {"told": _TOLD, "told_marks": _MARKS}
_TROUBLE = {"error": value_of(_t.error), "error_at": NOW}
_VOID_CLAIM = {"fence": _t.fence + 1, "lease_until": 0.0}
_FRESH = {
    "value": value_of(_t.value),
    "refresh_token": func.coalesce(value_of(_t.refresh_token), _t.refresh_token),
    "issued": NOW,
    "expires": NOW + seconds("life"),
    "error": None,
    "error_at": None,
}

ALL = select(tokens, NOW.label("now")).where(compared(_t.platform))
ONE = ALL.where(compared(_t.name))
MAKE = insert(tokens).from_select(
    ["platform", "name"],
    select(value_of(_t.platform), value_of(_t.name))
    .where(true())  # else SQLite reads ON as a part of a join
    .suffix_with(UNLESS_CONFLICT),
)
_UNTIL = NOW + seconds("seconds")
# A claim that ends later than a new one would was made before the clock was set back, so it is void.
CLAIM = (
    update(tokens)
    .where(_ONE, or_(_t.lease_until <= NOW, _t.lease_until > _UNTIL))
    .values(fence=_t.fence + 1, lease_until=_UNTIL)
    .returning(tokens, NOW.label("now"))
)
SAVE = update(tokens).where(_CLAIMED).values(lease_until=0.0, **_FRESH)
FAILED = update(tokens).where(_CLAIMED).values(lease_until=0.0, **_TROUBLE)
NOTED = update(tokens).where(_CLAIMED).values(_TROUBLE)
RELEASE = update(tokens).where(_CLAIMED).values(lease_until=0.0)

# A push from WeChat takes precedence over a renewal under way, which loses its claim.
_NOTHING = dict.fromkeys(("value", "refresh_token", "issued", "expires"))
NEW_TICKET = update(tokens).where(_ONE, _NEWER).values(told=_TOLD, **_FRESH)
RECORD_PUSH = update(tokens).where(_IS_NEW).values(_RECORDED)
FIND_LATEST = select(_t.name).where(_LATEST)
REPLACE = update(tokens).where(_LATEST).values(**_FRESH, **_VOID_CLAIM)
REVOKE = update(tokens).where(_IS_NEW).values(**_RECORDED, **_NOTHING, **_TROUBLE, **_VOID_CLAIM)
