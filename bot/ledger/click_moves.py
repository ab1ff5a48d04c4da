"""What clicks change in the ledger: of several at once, exactly one moves the request."""

from dataclasses import KW_ONLY, dataclass, replace

from sqlalchemy import Connection, RowMapping, bindparam, case, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.outcome import Outcome, Skipped, SkipReason
from bot.domain.request import MOVES, Agreement, State
from bot.ledger.entries import Entry, agreed_column, columns_of_outcome, entry_of, key_of
from bot.ledger.events import record
from bot.ledger.kept import OF_PAIR
from bot.ledger.lease import Lease
from bot.ledger.schema import CARRIED, SHARED, events, kept_shares, requests
from bot.ledger.statements import (
    MINE,
    NOTHING_OWED,
    NOW,
    PAIR,
    READ_AT,
    columns_in,
    compared,
    seconds,
)
from bot.ledger.writer import Writer

_r = requests.c

_OWN, _THE_ID = events.alias(), bindparam("the_id", type_=_r.id.type)
# By their ids, since the database's clock may leap back.
_BEGAN = select(func.min(_OWN.c.id)).where(_OWN.c.request == _THE_ID).scalar_subquery()
# An answer may be owed for days, before the request ends.
_SINCE = exists().where(
    events.c.request == _r.id, events.c.kind == "answered", events.c.id > _BEGAN
)
_ANOTHER = exists().where(_r.id != _THE_ID, PAIR)
# Of what was deleted since, only the times are left.
_MADE = select(_r.created).where(_r.id == _THE_ID).correlate(None).scalar_subquery()
_KEPT_SINCE = exists().where(*OF_PAIR, kept_shares.c.ended > _MADE)
# Joined by OR, SQLite may read all ended requests for the env.
_OTHER = select(
    case(
        (_ANOTHER.where(CARRIED), SkipReason.UNDER_WAY.value),
        (_ANOTHER.where(SHARED, _SINCE), SkipReason.SHARED_BEFORE.value),
        (_KEPT_SINCE, SkipReason.SHARED_BEFORE.value),
    )
)

_STILL = (
    update(requests)
    .where(compared(_r.id), compared(_r.state), or_(_r.until.is_(None), _r.until > NOW))
    .where(_r.agreed.is_not_distinct_from(bindparam("the_agreed", type_=_r.agreed.type)))
    .values(fence=_r.fence + 1)
    .returning(requests, READ_AT)
)
# The questions show it as soon as they are asked anew, also after a crash.
_AGREE = _STILL.values(all_asked=False, **NOTHING_OWED)
_CHANGE = _STILL.values(until=NOW + seconds("patience"), decided=NOW)
_MOVE = {
    to: _CHANGE.values(columns_in(to)) for to in MOVES[State.CONFIRMING] | MOVES[State.WAITING]
}
# If a move was rolled back, another click may have got the same fence and holder, but not the same times.
_UNDO = (
    update(requests)
    .where(compared(_r.id), compared(_r.fence), compared(_r.holder))
    .where(_r.decided.is_not_distinct_from(seconds("the_decided")))
    .where(_r.until.is_not_distinct_from(seconds("the_until")))
    .where(_r.agreed.is_not_distinct_from(bindparam("the_agreed", type_=_r.agreed.type)))
    .values(dict.fromkeys(("holder", "outcome", "ending", "decided_by", "comment", "ended")))
    .values(broke_glass=False)
)
_RELEASE = update(requests).where(MINE).values(holder=None)


@dataclass(frozen=True, slots=True)
class Move:
    """A change of state by a click: the new state, who clicked, and the kind of its event.

    In WAITING the request expires after `patience` seconds, and `rule` names its approvers. `asked` is the reference of
    the questions with the clicked one, if that was not recorded; `place` is the reference of the clicked message, which
    is recorded only if the entry lacks it. The replica that posted the message may have crashed before it recorded it.
    `agreed`, if that changes, are those who agreed before the one who decides or, from WAITING to WAITING, so far. `broke_glass` if
    the requester did not wait for the approval.
    """

    to: State
    by: str
    kind: str
    _: KW_ONLY
    comment: str | None = None
    outcome: Outcome | None = None
    patience: float | None = None
    rule: str | None = None
    asked: str | None = None
    place: str | None = None
    agreed: tuple[Agreement, ...] | None = None
    broke_glass: bool = False


class ClickMoves:
    """Moves the requests that wait for people."""

    def __init__(self, writer: Writer, lease: Lease, holder: str) -> None:
        self._writer = writer
        self._lease = lease
        self._holder = holder

    async def move(self, entry: Entry, move: Move) -> Entry | None:
        """Move a waiting request and lease it; None if its state or who agreed has changed since, or it has expired.

        If the same env was shared with the same appid meanwhile, or is being shared, it ends as Skipped instead; also if
        another request of this person for the same share waits for its approvers.
        """
        made: list[Entry] = []

        def work(on: Connection) -> Entry | None:
            made.clear()
            row = self._change(on, entry, move)
            if row is None:
                return None
            moved = entry_of(row)
            facts = {"outcome": row["outcome"], "user": move.by}
            record(on, move.kind, moved.request, facts, move.comment)
            made.append(moved)
            return moved

        def undo(on: Connection) -> None:
            for moved in made:
                self._undo(on, entry, moved, move.by)

        # On an error the user is told that nothing was done and may click again, so the move must not stand.
        moved = await self._writer.run_or(undo, work, request=entry.request.id)
        if moved and moved.state is not State.ENDED:
            self._lease.acquired(moved)
        return moved

    def _change(self, on: Connection, entry: Entry, move: Move) -> RowMapping | None:
        """Write a move, or Skipped if nothing is left to do; return the row, or None if the request cannot be moved."""
        why = None if move.outcome else self._skip_reason(on, entry)
        if why is None:
            try:
                with on.begin_nested():
                    return self._write(on, entry, move)
            except IntegrityError:  # another replica was faster, or another request waits
                why = SkipReason.UNDER_WAY
        # A confirming requester learns of it from the reply to the click, so nothing is left to deliver.
        to = State.ENDED if entry.state is State.CONFIRMING else State.ANSWERED
        return self._write(on, entry, replace(move, to=to, outcome=Skipped(why)))

    def _skip_reason(self, on: Connection, entry: Entry) -> SkipReason | None:
        """Return why nothing is left to do for a request; None for a batch, which has no appid: its items are checked later."""
        request = entry.request
        same = {"the_env": request.env, "the_appid": request.appid, "the_id": request.id}
        reason = on.scalar(_OTHER, same)
        return reason and SkipReason(reason)

    def _write(self, on: Connection, entry: Entry, move: Move) -> RowMapping | None:
        which = {
            "the_id": entry.request.id,
            "the_state": entry.state.value,
            "the_agreed": agreed_column(entry.agreed),
        }
        agrees = entry.state is move.to
        return (
            on.execute(_AGREE if agrees else _MOVE[move.to], which | self._columns(entry, move))
            .mappings()
            .first()
        )

    def _columns(self, entry: Entry, move: Move) -> dict[str, object]:
        """Return the columns that a move fills, besides state and times."""
        columns: dict[str, object] = {"holder": self._holder}
        columns |= {"patience": move.patience} if move.to is not entry.state else {}
        if move.outcome:
            columns |= columns_of_outcome(move.outcome)
        if move.to is not State.WAITING:
            columns |= {"decided_by": move.by, "comment": move.comment}
        columns |= {"agreed": agreed_column(move.agreed)} if move.agreed is not None else {}
        columns |= {"rule": move.rule} if move.rule else {}
        columns |= {"broke_glass": True} if move.broke_glass else {}
        columns |= {"asked": move.asked} if move.asked else {}
        return columns | ({"place": move.place} if move.place and entry.place is None else {})

    def _undo(self, on: Connection, entry: Entry, moved: Entry, by: str) -> None:
        """Restore the waiting request, free for any replica; where its messages stand remains recorded."""
        which = {
            "the_id": moved.request.id,
            "the_fence": moved.fence,
            "the_holder": self._holder,
            "the_decided": moved.decided,
            "the_until": moved.until,
            "the_agreed": agreed_column(moved.agreed),
        }
        as_before = {
            "state": entry.state.value,
            "wake": entry.wake,
            "owed": entry.owed_since,
            "until": entry.until,
            "decided": entry.decided,
            "agreed": agreed_column(entry.agreed),
            "all_asked": entry.all_asked,
            "rule": entry.request.rule,
            "response_url": entry.request.origin.response_url,
        }
        try:
            with on.begin_nested():
                undone = on.execute(_UNDO, which | as_before).rowcount
        except IntegrityError:  # they asked again meanwhile, so the move stands, and is told
            on.execute(_RELEASE, key_of(moved))
            return
        if undone:
            record(on, "taken back", entry.request, {"user": by})
