"""The requests whose messages are looked at once more, since a call to Slack about them ended in doubt.

Slack may carry such a call out later, when it has been repeated: a late post makes a twin, a late edit hides a newer text.
"""

from sqlalchemy import Connection, case, select, update

from bot.ledger.entries import Entry, entry_of
from bot.ledger.schema import requests
from bot.ledger.statements import NOW, READ_AT, compared, seconds
from bot.ledger.writer import Operations, Writer, in_transaction

_AT_ONCE = 20
_AGAIN = 60.0  # seconds after which another look is due, unless this one succeeds

_r = requests.c
_THIS = update(requests).where(compared(_r.id))
_AFTER = seconds("after")
_IN_DOUBT = _THIS.values(doubted=NOW, recheck=NOW + _AFTER)
_SOON = _THIS.values(recheck=NOW)
_DUE = (
    select(_r.id)
    .where(_r.recheck <= NOW)
    .order_by(_r.recheck)
    .limit(_AT_ONCE)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_TAKE = (
    update(requests)
    .where(_r.id.in_(select(_DUE.c.id)))
    .values(recheck=NOW + _AGAIN)
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
        self._writer.run_later(
            lambda on: on.execute(_SOON, {"the_id": request_id}), request=request_id
        )

    @in_transaction
    def due(self, on: Connection) -> list[tuple[Entry, float]]:
        """Return requests whose look is due, each with its mark for `done`; no replica gets them again within a minute."""
        rows = on.execute(_TAKE).mappings().all()
        return [(entry_of(row), row["recheck"]) for row in rows]

    @in_transaction
    def done(self, on: Connection, entry: Entry, taken: float) -> None:
        """Record that a request was looked at; no effect if a call about it has ended in doubt since."""
        on.execute(_DONE, {"the_id": entry.request.id, "taken": taken, "after": self.after})
