"""The ledger: what was asked and what became of it, durable before anybody is told.

Requests change state; events only ever grow in number.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from bot.command import is_appid
from bot.domain.outcome import Outcome, Step
from bot.domain.request import Origin, Request, Retry, State
from bot.ledger.acceptance import (
    Acceptance,
    Accepted,
    New,
    accept,
    withdraw,
)
from bot.ledger.batches import BatchItems
from bot.ledger.clicks import ClickMoves
from bot.ledger.entries import Entry, entry_of, facts_of, key_of
from bot.ledger.events import Told, record, untold
from bot.ledger.lane import Lane
from bot.ledger.lease import LEASE, since_boot
from bot.ledger.opening import Opened, open_database
from bot.ledger.outcomes import answer_events, columns_of_outcome
from bot.ledger.replica import Replica
from bot.ledger.seal import Seal
from bot.ledger.statements import statements_for
from bot.ledger.tokens import Tokens
from bot.ledger.writer import LedgerDownError, Writer
from bot.runtime.observers import Transacted, nobody


class Ledger:
    """One replica's way to the ledger; every method raises LedgerDownError if the database does not take it.

    What raised may be tried again: a move that was recorded after all is not recorded twice.
    """

    def __init__(  # noqa: PLR0913  # a test may bring its own clock
        self,
        opened: Opened,
        holder: str,
        lease: float = LEASE,
        told: Told = untold,
        transacted: Transacted = nobody,
        *,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self._opened = opened
        self._holder = holder
        dialect = opened.engine.dialect.name
        self._say = statements_for(dialect)
        self._writer = Writer(opened.engine, told=told, transacted=transacted)
        alone = opened.exclusive
        self.replica = Replica(self._writer, self._say, holder, lease, alone=alone, clock=clock)
        self.clicks = ClickMoves(self._writer, self._say, self.replica.lease, holder)
        self.batches = BatchItems(self._writer, self._say, dialect)
        self.lane = Lane(self._writer, self._say)

    @classmethod
    def open(
        cls,
        url: str,
        holder: str,
        lease: float = LEASE,
        told: Told = untold,
        transacted: Transacted = nobody,
    ) -> "Ledger":
        """Return the ledger at `url`; raises CannotOpenError. `told` hears of each event once it is recorded."""
        return cls(open_database(url), holder, lease, told, transacted)

    def tokens(self, platform: str, seal: Seal) -> Tokens:
        """Return the tokens of a third-party platform, given its component appid."""
        return Tokens(self._writer, self._opened.engine.dialect.name, platform, seal)

    @property
    def exclusive(self) -> bool:
        """Whether no other process can be on this ledger."""
        return self._opened.exclusive

    async def start(self) -> None:
        """Begin to hold requests; free what this replica held before or, where nobody else can be, all."""
        await self.replica.start()

    @property
    def queued(self) -> int:
        """How many pieces of work wait for the database."""
        return self._writer.queued

    @property
    def alive(self) -> bool:
        """Whether the thread that talks to the database still runs."""
        return self._writer.alive

    async def close(self) -> None:
        """Release all requests and close."""
        with suppress(LedgerDownError):  # the leases run out by themselves
            await self.replica.stop()
        await self._writer.close()
        self._opened.release()

    async def accept(
        self,
        request: Request,
        state: State = State.ACCEPTED,
        *,
        patience: float | None = None,
        retry: Retry | None = None,
    ) -> Acceptance:
        """Record a new request, unless it is known, under way or was shared before, or was retried already.

        CONFIRMING and WAITING end after `patience` seconds; nobody holds what is to be confirmed.
        """
        holder = None if state is State.CONFIRMING else self._holder
        new = New(request, state, holder, patience, retry)
        # Whoever asked is told that nothing was done, so nothing may come of it.
        with self._writer.or_else(partial(withdraw, self._say, new), request=request.id):
            found = await self._writer.run(partial(accept, self._say, new))
        if isinstance(found, Accepted) and holder:
            self.replica.lease.took(found.entry)
        return found

    async def place(self, entry: Entry, place: str) -> bool:
        """Record where the answer goes; False if somebody else holds the request now."""
        if entry.state is State.WAITING:
            return await self._write(entry, {"place": place})
        return await self._move(entry, State.PLACED, [("placed", {})], {"place": place})

    async def asked(self, entry: Entry, where: str) -> bool:
        """Record where the approvers are asked; False if somebody else holds the request now."""
        return await self._write(entry, {"asked": where})

    async def answer(
        self,
        entry: Entry,
        outcome: Outcome,
        seconds: float = 0.0,
        steps: Sequence[Step] = (),
        *,
        called_again: bool = False,
    ) -> bool:
        """Record how the call ended and what was done for it; False if somebody else holds the request now.

        `called_again` if WeChat was asked once more, since a replica stopped before it recorded the answer.
        """
        columns = {**columns_of_outcome(outcome), "called_again": called_again}
        happened = answer_events(outcome, seconds, steps)
        return await self._move(entry, State.ANSWERED, happened, columns)

    async def end(self, entry: Entry, how: str, why: str | None = None) -> bool:
        """Record that the request is over: `how` is delivered, not delivered or the like, and `why` not."""
        return await self._move(entry, State.ENDED, [(how, {"detail": why})], {})

    async def note(self, kind: str, origin: Origin, facts: Mapping[str, object]) -> None:
        """Record an event that moves no request."""
        await self._writer.run(lambda on: record(on, self._say, kind, origin, facts))

    async def history(self, mine: tuple[str, str], about: str | None, limit: int) -> list[Entry]:
        """Return the newest requests of (team, user) or, with `about`, anybody's about this env or appid."""
        say, asked = self._say.history, {"the_team": mine[0], "the_user": mine[1]}
        if about is not None:
            of_appid = is_appid(about)
            say = self._say.history_of_appid if of_appid else self._say.history_of_env
            asked = {"the_appid" if of_appid else "the_env": about}

        def work(on: Connection) -> list[Entry]:
            rows = on.execute(say, {**asked, "most": limit}).mappings()
            return [entry_of(row) for row in rows]

        return await self._writer.run(work)

    async def shared_to(self, owner: str, appid: str, but: str) -> bool:
        """Tell whether another request than `but` shared an env of this owner's with this appid, and was answered."""
        asked = {"the_owner": owner, "the_appid": appid, "but": but}
        work = self._say.shared_to
        return await self._writer.run(lambda on: on.scalar(work, asked) is not None)

    async def envs(self, limit: int) -> list[str]:
        """Return the envs of past requests, the one asked for last first."""
        asked = {"most": limit}
        return await self._writer.run(lambda on: list(on.scalars(self._say.envs, asked)))

    async def _write(self, entry: Entry, columns: Mapping[str, object]) -> bool:
        """Fill columns of a request that waits; False if somebody else holds it now or it waits no more."""
        fill = {**key_of(entry), **columns}
        written = await self._writer.run(lambda on: on.execute(self._say.fill, fill).rowcount == 1)
        if not written:
            self.replica.lease.lost(entry)
        return written

    async def _move(
        self,
        entry: Entry,
        to: State,
        happened: Sequence[tuple[str, Mapping[str, object]]],
        columns: Mapping[str, object],
    ) -> bool:
        """Change the state and write the events, in one transaction, if the fence and the move are good."""
        mine = key_of(entry)

        def work(on: Connection) -> bool:
            if to is State.ANSWERED and entry.request.is_batch:
                self.lane.pass_on(on, entry)
            if on.execute(self._say.move[to], {**columns, **mine}).rowcount != 1:
                # Recorded already, by a try that was never told so?
                return on.scalar(self._say.stands, {**mine, "the_state": to.value}) is not None
            for kind, facts in happened:
                record(
                    on, self._say, kind, entry.request.origin, {**facts_of(entry.request), **facts}
                )
            return True

        moved = await self._writer.run(work)
        if not moved or to is State.ENDED:
            self.replica.lease.lost(entry)
        return moved
