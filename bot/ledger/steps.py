"""Whether earlier answers told the receivers the remaining steps after a share."""

from sqlalchemy import Connection, bindparam, exists, func, or_, select

from bot.domain.outcome import Finished, Outcome, Readiness, Shared
from bot.domain.request import Request, State
from bot.ledger.prepared import Prepared
from bot.ledger.schema import SHARED, events, requests
from bot.ledger.statements import among, compared

_r = requests.c

# The event `delivered` has the detail "ready" if the answer had no steps. Events of older versions have no detail, and
# count as answers with steps.
_told = events.c
_STEPS_TOLD = ~exists().where(
    _told.request == func.coalesce(_r.batch, _r.id),
    _told.kind == "delivered",
    _told.detail == Readiness.READY.value,
)
# A share counts once it has ended: its answer was delivered, or given up.
_TOLD = Prepared(
    select(_r.id)
    .where(compared(_r.owner), compared(_r.appid), SHARED)
    .where(among([State.ENDED]), _r.id != bindparam("but"), _STEPS_TOLD)
    .limit(1)
)
_item = requests.alias("item").c
_TOLD_BEFORE = exists().where(
    _r.appid == _item.appid,
    _r.owner == _item.owner,
    _r.outcome == "shared",
    _r.state == State.ENDED.value,
    or_(_r.batch.is_(None), _r.batch != _item.batch),
    _STEPS_TOLD,
)
_FIRST_UNTOLD = (
    select(_item.id)
    .where(_item.batch == bindparam("the_batch"), _item.outcome == "shared", ~_TOLD_BEFORE)
    .limit(1)
)


def told_steps(on: Connection, request: Request, outcome: Outcome) -> bool | None:
    """Tell whether answers to earlier shares of this owner told all receivers the remaining steps.

    None if nothing was shared, so that there are no steps.
    """
    match outcome:
        case Shared():
            asked = {"the_owner": request.owner, "the_appid": request.appid, "but": request.id}
            return _TOLD.scalar(on, asked) is not None
        case Finished(tally) if tally.shared:
            return on.scalar(_FIRST_UNTOLD, {"the_batch": request.id}) is None
        case _:
            return None
