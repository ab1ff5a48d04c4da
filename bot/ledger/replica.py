"""This replica among the others: it beats while it lives, holds what it works on, and takes over what nobody holds."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager

from sqlalchemy import Connection

from bot.ledger.entries import Entry, entry_of, facts_of, key_of
from bot.ledger.events import record
from bot.ledger.lease import LEASE, Lease
from bot.ledger.statements import Statements
from bot.ledger.writer import LedgerDownError, Writer


class Replica:
    """Holds requests for as long as its lease runs; `alone` where no other process can be on the ledger."""

    def __init__(
        self, writer: Writer, say: Statements, lease: Lease, holder: str, *, alone: bool
    ) -> None:
        self._writer = writer
        self._say = say
        self._lease = lease
        self._holder = holder
        self._alone = alone
        self._beaten: float | None = None
        """By time.monotonic(); None while the last beat was not taken."""

    async def start(self) -> None:
        """Begin to hold requests; free what this replica held before or, if it is alone, all."""

        def work(on: Connection) -> None:
            self._let_go(on)
            if self._alone:
                on.execute(self._say.everybody_is_gone)
            self._beat(on)

        began = time.monotonic()
        await self._writer.run(work)
        self._lease.renewed(began)
        self._beaten = time.monotonic()

    async def stop(self) -> None:
        """Hand everything back."""
        await self._writer.run(self._let_go)

    async def beat(self) -> None:
        """Hold this replica's requests for another lease."""
        began = time.monotonic()
        try:
            await self._writer.run(self._beat)
        except LedgerDownError:
            self._beaten = None
            raise
        self._beaten = time.monotonic()
        self._lease.renewed(began)

    @property
    def writable(self) -> bool:
        """Whether it took this replica's last beat, and lately: known without asking the database."""
        return self._beaten is not None and time.monotonic() - self._beaten < LEASE

    async def hold(self, entry: Entry) -> bool:
        """Tell whether this replica holds a request; asks the database only if its lease ran out since it took it."""
        if self._alone or self._lease.covers(entry):
            return True
        stands = self._say.stands.with_for_update()  # so that nobody is just taking it over

        def work(on: Connection) -> bool:
            self._beat(on)
            return on.scalar(stands, {**key_of(entry), "the_state": entry.state.value}) is not None

        began = time.monotonic()
        held = await self._writer.run(work)
        self._lease.renewed(began)
        if held:
            self._lease.took(entry)
        return held

    def lease(self) -> AbstractAsyncContextManager[asyncio.Timeout]:
        """Cut short, with TimeoutError, what is done in this context once the lease has run out."""
        return self._lease.running()

    async def rest(self, entry: Entry) -> bool:
        """Let go of a request that waits for its approvers, until half of the time that is left or, then, all; once."""
        await self._writer.run(lambda on: on.execute(self._say.rest, key_of(entry)))
        self._lease.lost(entry)
        return True

    async def take_over(self, limit: int) -> list[Entry]:
        """Take up to `limit` requests that nobody holds any more; the oldest first."""
        taken: list[Entry] = []

        def work(on: Connection) -> list[Entry]:
            rows = on.execute(
                self._say.take_over, {"me": self._holder, "most": max(limit, 0)}
            ).mappings()
            taken[:] = sorted(map(entry_of, rows.all()), key=lambda entry: entry.created)
            for entry in taken:
                facts = {**facts_of(entry.request), "detail": f"number {entry.taken_over}"}
                record(on, self._say, "taken over", entry.request.origin, facts)
            return taken

        def put_back(on: Connection) -> None:
            for entry in taken:
                on.execute(self._say.let_go, {**key_of(entry), "the_holder": self._holder})

        with self._writer.or_else(put_back):
            await self._writer.run(work)
        for entry in taken:
            self._lease.took(entry)
        return taken

    def _beat(self, on: Connection) -> None:
        on.execute(self._say.beat, {"id": self._holder})

    def _let_go(self, on: Connection) -> None:
        on.execute(self._say.let_all_go, {"the_holder": self._holder})
        on.execute(self._say.gone, {"the_id": self._holder})
