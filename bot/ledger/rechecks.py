"""The requests whose messages are looked at once more, since a call to Slack about them ended in doubt.

Slack may carry such a call out later, when it has been repeated: a late post makes a twin, a late edit hides a newer text.
"""

from sqlalchemy import Connection, RowMapping, case, or_, select, update

from bot.ledger.entries import Entry, entry_of
from bot.ledger.schema import requests
from bot.ledger.statements import NOW, READ_AT, compared, seconds
from bot.ledger.writer import Operations, Writer, in_transaction

_AGAIN = 60.0  # seconds after which another look is due, unless this one succeeds
_AT_MOST = 86_400.0  # seconds after the doubt for which a look that fails is repeated

_r = requests.c
_THIS = update(requests).where(compared(_r.id))
_AFTER = seconds("after")
_IN_DOUBT = _THIS.values(doubted=NOW, recheck=NOW + _AFTER)
# As after a call in doubt whose look is due now; a call that is younger gets its own look later.
_DUE_NOW = case((_r.doubted > NOW - _AFTER, _r.doubted), else_=NOW - _AFTER)
_SOON = _THIS.values(doubted=_DUE_NOW, recheck=NOW)
# What has been in doubt since a time to come is due: the clock was set back. It counts as in doubt since now.
_DUE = (
    select(_r.id)
    .where(_r.recheck.is_not(None), or_(_r.recheck <= NOW, _r.doubted > NOW))
    .order_by(_r.recheck)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_TAKE = (
    update(requests)
    .where(_r.id.in_(select(_DUE.c.id)))
    .values(recheck=case((_r.doubted > NOW - _AT_MOST, NOW + _AGAIN)))
    .values(doubted=case((_r.doubted > NOW, NOW), else_=_r.doubted))
    .returning(requests, READ_AT)
)
# One look at the end of the request is early: another one follows once the call is old enough.
_DONE = _THIS.where(_r.recheck == seconds("taken")).values(
    recheck=case((_r.doubted + _AFTER > NOW, _r.doubted + _AFTER))
)


class Rechecks(Operations):
    """The looks at requests in doubt, each `after` so many seconds."""

    def __init__(self, writer: Writer, after: float) -> None:
        super().__init__(writer)
        self.after = after

    def in_doubt(self, request_id: str) -> None:
        """Have a request's messages looked at later, since a call to Slack about it ended in doubt; in the background."""
        doubted = {"the_id": request_id, "after": self.after}
        self._writer.run_later(lambda on: on.execute(_IN_DOUBT, doubted), request=request_id)

    def soon(self, request_id: str) -> None:
        """Have a request's messages looked at, since one was clicked that is not recorded; in the background."""
        clicked = {"the_id": request_id, "after": self.after}
        self._writer.run_later(lambda on: on.execute(_SOON, clicked), request=request_id)

    async def due(self) -> tuple[Entry, float | None] | None:
        """Return a request whose look is due, with its mark for `done`; None if there is none.

        No replica gets it again within a minute, or ever if the doubt is a day old; nor if it cannot be read, which raises.
        """
        row = await self._take()
        return None if row is None else (entry_of(row), row["recheck"])

    @in_transaction
    def _take(self, on: Connection) -> RowMapping | None:
        return on.execute(_TAKE).mappings().one_or_none()

    @in_transaction
    def done(self, on: Connection, entry: Entry, taken: float | None) -> None:
        """Record that a request was looked at; no effect if a call about it has ended in doubt since."""
        on.execute(_DONE, {"the_id": entry.request.id, "taken": taken, "after": self.after})
