"""The ledger: requests, which change state, and events, which are append-only."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection, bindparam, func, select, text

from bot.command.grammar import is_appid
from bot.domain.outcome import Finished
from bot.domain.request import Request, Retry, State
from bot.ledger import acceptance, events, moves
from bot.ledger.acceptance import Acceptance, Accepted
from bot.ledger.batches import BatchItems
from bot.ledger.clicks import ClickMoves
from bot.ledger.database import Opened
from bot.ledger.entries import Entry, read_entries
from bot.ledger.events import EventListener
from bot.ledger.lane import Lane
from bot.ledger.lease import LEASE, since_boot
from bot.ledger.operations import Operations, as_method, in_transaction
from bot.ledger.replica import Replica
from bot.ledger.schema import requests
from bot.ledger.seal import Seal
from bot.ledger.statements import ASKED_BY, compared
from bot.ledger.tokens import Tokens
from bot.ledger.writer import LedgerDownError, Writer
from bot.runtime.observers import Transacted

_r = requests.c

# Newest first. A batch is one line, except in the history of an appid, which lists items.
_NEWEST = select(requests).order_by(_r.created.desc()).limit(bindparam("most"))
_HISTORY = _NEWEST.where(ASKED_BY, _r.batch.is_(None))
_HISTORY_OF_APPID = _NEWEST.where(compared(_r.appid))
_HISTORY_OF_ENV = _NEWEST.where(compared(_r.env), _r.batch.is_(None))
_SHARES_OF_ENV = _HISTORY_OF_ENV.where(text("outcome in ('shared', 'finished')"))
# A loose index scan from env to env, since there are few of them and many requests for each.
_FIRST = select(func.min(_r.env).label("env")).cte("known", recursive=True)
_NEXT = select(func.min(_r.env)).where(_r.env > _FIRST.c.env).scalar_subquery()
_KNOWN = _FIRST.union_all(select(_NEXT).where(_FIRST.c.env.is_not(None)))
_ASKED_FOR = select(func.max(_r.created)).where(_r.env == _KNOWN.c.env).scalar_subquery()
_ENVS = (
    select(_KNOWN.c.env)
    .where(_KNOWN.c.env.is_not(None))
    .order_by(_ASKED_FOR.desc())
    .limit(bindparam("most"))
)


class Ledger(Operations):
    """One replica's access to the ledger; every method raises LedgerDownError if the database fails or is too slow.

    Every method can be retried after that: a move that was recorded nevertheless is not recorded twice.
    """

    conflict = as_method(acceptance.conflict)
    place = as_method(moves.place)
    asked = as_method(moves.asked)
    answer = as_method(moves.answer)
    end = as_method(moves.end)
    note = as_method(events.note)
    told_steps = as_method(moves.told_steps)

    def __init__(  # noqa: PLR0913  # a test may bring its own clock
        self,
        opened: Opened,
        holder: str,
        lease: float = LEASE,
        listeners: Sequence[EventListener] = (),
        transacted: Transacted | None = None,
        *,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        self.writer = Writer(opened.engine, listeners=listeners, transacted=transacted)
        super().__init__(self.writer)
        self._release = opened.release
        self._holder = holder
        self.exclusive = opened.exclusive
        """Whether no other process can use this database."""
        self.replica = Replica(self.writer, holder, lease, exclusive=opened.exclusive, clock=clock)
        self.start = self.replica.start
        self.lease = self.replica.lease
        self.clicks = ClickMoves(self.writer, self.lease, holder)
        self.batches = BatchItems(self.writer)
        self.lane = Lane(self.writer)

    def tokens(self, platform: str, seal: Seal) -> Tokens:
        """Return the tokens of the third-party platform with this component appid."""
        return Tokens(self.writer, platform, seal)

    async def close(self) -> None:
        """Release all requests and close the database."""
        with suppress(LedgerDownError):  # the leases expire anyway
            await self.replica.stop()
        await self.writer.close()
        self._release()

    async def accept(
        self,
        request: Request,
        state: State = State.ACCEPTED,
        *,
        patience: float | None = None,
        retry: Retry | None = None,
    ) -> Acceptance:
        """Record a new request, or return the conflict that kept it from being recorded.

        CONFIRMING and WAITING expire after `patience` seconds; a request in CONFIRMING is leased to no replica.
        """
        holder = None if state is State.CONFIRMING else self._holder
        # On an error the requester is told that nothing was done, so the request must not stand.
        undo = partial(acceptance.withdraw, request=request, retry=retry)
        with self.writer.run_on_failure(undo, request=request.id):
            found = await self.writer.run(
                acceptance.accept, request, state, holder, patience=patience, retry=retry
            )
        if isinstance(found, Accepted) and holder:
            self.lease.acquired(found.entry)
        return found

    @in_transaction
    def history(
        self, on: Connection, mine: tuple[str, str], about: str | None, limit: int
    ) -> list[Entry]:
        """Return the newest requests of `mine`, a (team, user), or with `about` everybody's for this env or appid."""
        if about is None:
            return read_entries(on, _HISTORY, the_team=mine[0], the_user=mine[1], most=limit)
        if is_appid(about):
            return read_entries(on, _HISTORY_OF_APPID, the_appid=about, most=limit)
        return read_entries(on, _HISTORY_OF_ENV, the_env=about, most=limit)

    @in_transaction
    def shares(self, on: Connection, env: str, limit: int) -> list[Entry]:
        """Return the requests that shared an env, among the newest `limit` that shared it or were batches for it."""
        found = read_entries(on, _SHARES_OF_ENV, the_env=env, most=limit)
        return [e for e in found if not isinstance(e.outcome, Finished) or e.outcome.tally.shared]

    @in_transaction
    def envs(self, on: Connection, limit: int) -> list[str]:
        """Return the envs of past requests, the most recent first."""
        return [*on.scalars(_ENVS, {"most": limit})]
