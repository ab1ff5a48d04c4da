"""What people's clicks change in the ledger: one of them decides, however many click at once."""

from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.outcome import Outcome, Skipped, SkipReason
from bot.domain.request import BEGUN, MOVES, State
from bot.ledger.entries import Entry, entry_of, read_entries
from bot.ledger.events import record
from bot.ledger.lease import Lease
from bot.ledger.outcomes import columns_of_outcome
from bot.ledger.schema import CARRIED, OPEN, SHARED, requests
from bot.ledger.statements import (
    NOTHING_OWED,
    NOW,
    OF_TEAM,
    PAIR,
    READ_AT,
    among,
    compared,
    seconds,
)
from bot.ledger.writer import Writer

_MOST_WAITING = 1000  # of one workspace, by all rules: each approver sees those of their own

_r = requests.c

_READ = select(requests, READ_AT)
_FIND = _READ.where(compared(_r.id))
_ASKED = and_(among([State.WAITING]), _r.asked.is_not(None))
_STOPPABLE = or_(among([State.CONFIRMING]), _ASKED, and_(among(BEGUN), _r.appids.is_not(None)))
_OLDEST = _READ.where(OPEN, OF_TEAM).order_by(_r.created).limit(_MOST_WAITING)
_FIND_WAITING, _FIND_STOPPABLE = _OLDEST.where(_ASKED), _OLDEST.where(_STOPPABLE)

_OWN, _THE_ID = requests.alias(), bindparam("the_id", type_=_r.id.type)
_BEGAN = select(_OWN.c.created).where(_OWN.c.id == _THE_ID).scalar_subquery()
_SINCE = or_(and_(_r.ended.is_(None), _r.created > _BEGAN), _r.ended > _BEGAN)
_OTHERS = select(_r.id).where(PAIR, _r.id != _THE_ID).limit(1)
_CONFLICTS = {
    SkipReason.UNDER_WAY: _OTHERS.where(CARRIED),
    SkipReason.SHARED_BEFORE: _OTHERS.where(SHARED, _SINCE),
}
"""What stands in the way of a request, and whether something does; to be asked in this order.

What is not carried out any more when the second is asked has been shared by then, or not at all.
"""

_CHANGE = (
    update(requests)
    .where(compared(_r.id), compared(_r.state), or_(_r.until.is_(None), _r.until > NOW))
    .values(fence=_r.fence + 1, until=NOW + seconds("patience"), **NOTHING_OWED)
    .returning(requests, READ_AT)
)
_MOVE = {
    to: _CHANGE.values(state=to.value)
    .values({"decided": NOW} if to is not State.WAITING else {})
    .values({"ended": NOW, "response_url": None} if to is State.ENDED else {})
    for to in MOVES[State.CONFIRMING] | MOVES[State.WAITING]
}
# If a move was rolled back, another click may have got its fence and its holder, but not its times.
_UNDO = (
    update(requests)
    .where(compared(_r.id), compared(_r.fence), compared(_r.holder))
    .where(_r.decided.is_not_distinct_from(seconds("the_decided")))
    .where(_r.until.is_not_distinct_from(seconds("the_until")))
    .values(
        dict.fromkeys(("holder", "outcome", "ending", "decided_by", "comment", "decided", "ended"))
    )
)


@dataclass(frozen=True, slots=True)
class Move:
    """What a click comes to: where it takes a request, who clicked, and the kind of its event.

    With `patience` it waits on, for so many seconds, by `rule`. `asked` is where the approvers were asked, and `place`
    where the answer goes, if whoever settled that could not record it.
    """

    to: State
    by: str
    kind: str
    comment: str | None = None
    outcome: Outcome | None = None
    response_url: str | None = field(default=None, repr=False)
    patience: float | None = None
    rule: str | None = None
    asked: str | None = None
    place: str | None = None


class ClickMoves:
    """Reads requests for a click, and moves those that wait for people."""

    def __init__(self, writer: Writer, lease: Lease, holder: str) -> None:
        self._writer = writer
        self._lease = lease
        self._holder = holder

    async def find(self, request_id: str) -> Entry | None:
        """Return a request as it stands; what no id can be is not asked for, since databases refuse some of it."""
        if not (request_id.isascii() and request_id.isprintable()):
            return None
        found = await self._read(_FIND, the_id=request_id)
        return found[0] if found else None

    async def waiting(self, team_id: str) -> list[Entry]:
        """Return what waits for an approval in a workspace, oldest first."""
        return await self._read(_FIND_WAITING, the_team=team_id)

    async def stoppable(self, team_id: str) -> list[Entry]:
        """Return what can be cancelled in a workspace, oldest first: what waits for people, and batches under way."""
        return await self._read(_FIND_STOPPABLE, the_team=team_id)

    async def move(self, entry: Entry, move: Move) -> Entry | None:
        """Move a request that waits, and take it on; None if it does not wait like that any more, or its time is over.

        What is to be carried out, but was shared meanwhile or is being shared, ends as Skipped instead.
        """
        made: list[Entry] = []

        def work(on: Connection) -> Entry | None:
            made.clear()
            row = self._change(on, entry, move)
            if row is None:
                return None
            moved = entry_of(row)
            said = {"outcome": row["outcome"], "user": move.by}
            record(on, move.kind, moved.request, said, move.comment)
            made.append(moved)
            return moved

        def undo(on: Connection) -> None:
            for moved in made:
                self._undo(on, entry, moved, move.by)

        # Whoever clicked is told that nothing was done, and may click again.
        with self._writer.undo_on_failure(undo, request=entry.request.id):
            moved = await self._writer.run(work)
        if moved and moved.state is not State.ENDED:
            self._lease.acquired(moved)
        return moved

    def _change(self, on: Connection, entry: Entry, move: Move) -> RowMapping | None:
        """Write a move, or that there is nothing left to do; return the row, or None if it cannot be moved any more."""
        why = self._skip_reason(on, entry) if move.to in BEGUN else None
        if why is None:
            try:
                with on.begin_nested():
                    return self._write(on, entry, move)
            except IntegrityError:  # another replica was faster
                why = SkipReason.UNDER_WAY
        # Whoever confirmed it is told by the answer to that click.
        to = State.ENDED if entry.state is State.CONFIRMING else State.ANSWERED
        return self._write(on, entry, replace(move, to=to, outcome=Skipped(why)))

    def _skip_reason(self, on: Connection, entry: Entry) -> SkipReason | None:
        """Return why there is nothing left to do for a request that waited; of a batch each item is asked about later."""
        request = entry.request
        if request.is_batch:
            return None
        same = {"the_env": request.env, "the_appid": request.appid, "the_id": request.id}
        done = (why for why, stands in _CONFLICTS.items() if on.scalar(stands, same))
        return next(done, None)

    def _write(self, on: Connection, entry: Entry, move: Move) -> RowMapping | None:
        which = {"the_id": entry.request.id, "the_state": entry.state.value}
        return on.execute(_MOVE[move.to], which | self._columns(entry, move)).mappings().first()

    def _columns(self, entry: Entry, move: Move) -> dict[str, object]:
        """Return what a move tells of a request, besides its state and times."""
        told: dict[str, object] = {"holder": self._holder, "patience": move.patience}
        if move.outcome:
            told |= columns_of_outcome(move.outcome)
        if move.to is not State.WAITING:
            told |= {"decided_by": move.by, "comment": move.comment}
        if move.to is not State.ENDED and move.response_url:
            told["response_url"] = move.response_url
        told |= {"rule": move.rule} if move.rule else {}
        return told | _missing(entry, asked=move.asked, place=move.place)

    def _undo(self, on: Connection, entry: Entry, moved: Entry, by: str) -> None:
        """Let a request wait again as it did, for whoever looks at it next."""
        which = {
            "the_id": moved.request.id,
            "the_fence": moved.fence,
            "the_holder": self._holder,
            "the_decided": moved.decided,
            "the_until": moved.until,
        }
        as_before = {
            "state": entry.state.value,
            "wake": entry.wake,
            "owed": entry.owed_since,
            "until": entry.until,
            "rule": entry.request.rule,
            "response_url": entry.request.origin.response_url,
        }
        if on.execute(_UNDO, which | as_before).rowcount:
            record(on, "taken back", entry.request, {"user": by})

    async def _read(self, query: Select[Any], **which: str) -> list[Entry]:
        return await self._writer.run(lambda on: read_entries(on, query, which))


def _missing(entry: Entry, **told: str | None) -> dict[str, str]:
    """Return of what a click tells what an entry does not know."""
    return {name: what for name, what in told.items() if what and getattr(entry, name) is None}
