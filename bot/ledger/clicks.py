"""What people's clicks change in the ledger: one of them decides, however many click at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.outcome import Outcome, Skipped, Why
from bot.domain.request import BEGUN, State
from bot.ledger.entries import Entry, entry_of, facts_of
from bot.ledger.events import record
from bot.ledger.lease import Lease
from bot.ledger.outcomes import columns_of_outcome
from bot.ledger.schema import CARRIED, SHARED, requests
from bot.ledger.statements import NOTHING_OWED, Statements
from bot.ledger.writer import Writer

_r = requests.c
_MOST_WAITING = 1000  # of one workspace, by all rules: each approver sees those of their own


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


class Clicks:
    """Reads requests for a click, and moves those that wait for people."""

    def __init__(self, writer: Writer, say: Statements, lease: Lease, holder: str) -> None:
        self._writer = writer
        self._say = say
        self._lease = lease
        self._holder = holder

    async def find(self, request_id: str) -> Entry | None:
        """Return a request as it stands; what no id can be is not asked for, since databases refuse some of it."""
        if not (request_id.isascii() and request_id.isprintable()):
            return None
        found = await self._read(select(requests).where(_r.id == request_id))
        return found[0] if found else None

    async def waiting(self, team_id: str) -> list[Entry]:
        """Return what waits for an approval in a workspace, oldest first."""
        asked = _r.team == team_id, _r.state == State.WAITING.value, _r.asked.is_not(None)
        oldest = select(requests).where(*asked).order_by(_r.created)
        return await self._read(oldest.limit(_MOST_WAITING))

    async def stoppable(self, team_id: str) -> list[Entry]:
        """Return what can be cancelled in a workspace, oldest first: what waits for people, and batches under way."""
        asked = and_(_r.state == State.WAITING.value, _r.asked.is_not(None))
        begun = and_(_r.state.in_([state.value for state in BEGUN]), _r.appids.is_not(None))
        open_ = _r.team == team_id, or_(_r.state == State.CONFIRMING.value, asked, begun)
        oldest = select(requests).where(*open_).order_by(_r.created)
        return await self._read(oldest.limit(_MOST_WAITING))

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
            self._record(on, move.kind, moved, said, move.comment)
            made.append(moved)
            return moved

        def undo(on: Connection) -> None:
            for moved in made:
                self._undo(on, entry, moved, move.by)

        # Whoever clicked is told that nothing was done, and may click again.
        with self._writer.or_else(undo, request=entry.request.id):
            moved = await self._writer.run(work)
        if moved and moved.state is not State.ENDED:
            self._lease.took(moved)
        return moved

    def _change(self, on: Connection, entry: Entry, move: Move) -> RowMapping | None:
        """Write a move, or that there is nothing left to do; return the row, or None if it cannot be moved any more."""
        in_time = or_(_r.until.is_(None), _r.until > self._say.now)
        change = (
            update(requests)
            .where(_r.id == entry.request.id, _r.state == entry.state.value, in_time)
            .returning(requests, self._say.read_at)
        )
        why = self._done_meanwhile(on, entry) if move.to in BEGUN else None
        if why is None:
            try:
                with on.begin_nested():
                    made = on.execute(change.values(self._columns(entry, move)))
                    return made.mappings().first()
            except IntegrityError:  # another replica was faster
                why = Why.UNDER_WAY
        # Whoever confirmed it is told by the answer to that click.
        to = State.ENDED if entry.state is State.CONFIRMING else State.ANSWERED
        skipped = replace(move, to=to, outcome=Skipped(why))
        return on.execute(change.values(self._columns(entry, skipped))).mappings().first()

    @staticmethod
    def _done_meanwhile(on: Connection, entry: Entry) -> Why | None:
        """Return why there is nothing left to do for a request that waited; of a batch each item is asked about later."""
        request = entry.request
        if request.is_batch:
            return None
        others = _r.env == request.env, _r.appid == request.appid, _r.id != request.id
        own = requests.alias()
        asked = select(own.c.created).where(own.c.id == request.id).scalar_subquery()
        since = or_(and_(_r.ended.is_(None), _r.created > asked), _r.ended > asked)
        # In this order: what is not carried out any more when the second is asked has been shared by then, or not at all.
        for why, stands in (
            (Why.UNDER_WAY, select(_r.id).where(*others, CARRIED)),
            (Why.SHARED_BEFORE, select(_r.id).where(*others, SHARED, since)),
        ):
            if on.scalar(stands.limit(1)) is not None:
                return why
        return None

    def _columns(self, entry: Entry, move: Move) -> dict[str, Any]:
        """Return what a move changes in the row of a request."""
        columns: dict[str, Any] = {
            "state": move.to.value,
            "holder": self._holder,
            "fence": _r.fence + 1,
            **NOTHING_OWED,
            "until": None if move.patience is None else self._say.now + move.patience,
            **(columns_of_outcome(move.outcome) if move.outcome else {}),
        }
        if move.to is not State.WAITING:
            columns |= {"decided_by": move.by, "comment": move.comment, "decided": self._say.now}
        if move.to is State.ENDED:
            columns |= {"ended": self._say.now, "response_url": None}
        elif move.response_url:
            columns["response_url"] = move.response_url
        columns |= {"rule": move.rule} if move.rule else {}
        return columns | _missing(entry, asked=move.asked, place=move.place)

    def _undo(self, on: Connection, entry: Entry, moved: Entry, by: str) -> None:
        """Let a request wait again as it did, for whoever looks at it next."""
        origin = entry.request.origin
        as_before = {
            **dict.fromkeys(("holder", "outcome", "ending", "decided_by", "comment")),
            **dict.fromkeys(("decided", "ended")),
            "state": entry.state.value,
            "wake": entry.wake,
            "owed": entry.owed_since,
            "until": entry.until,
            "rule": entry.request.rule,
            "response_url": origin.response_url,
        }
        mine = _r.id == moved.request.id, _r.fence == moved.fence, _r.holder == self._holder
        # If that move was rolled back, another click may have got its fence and its holder, but not its times.
        then = (
            _r.decided.is_not_distinct_from(moved.decided),
            _r.until.is_not_distinct_from(moved.until),
        )
        if on.execute(update(requests).where(*mine, *then).values(as_before)).rowcount:
            self._record(on, "taken back", entry, {"user": by})

    def _record(
        self,
        on: Connection,
        kind: str,
        entry: Entry,
        said: Mapping[str, object],
        comment: str | None = None,
    ) -> None:
        request = entry.request
        record(on, self._say, kind, request.origin, {**facts_of(request), **said}, comment)

    async def _read(self, query: Select[Any]) -> list[Entry]:
        def work(on: Connection) -> list[Entry]:
            return [
                entry_of(row) for row in on.execute(query.add_columns(self._say.read_at)).mappings()
            ]

        return await self._writer.run(work)


def _missing(entry: Entry, **told: str | None) -> dict[str, str]:
    """Return of what a click tells what an entry does not know."""
    return {name: what for name, what in told.items() if what and getattr(entry, name) is None}
