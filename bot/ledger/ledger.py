"""The ledger: requests, which change state, and events, which are append-only."""

from collections.abc import Callable
from contextlib import suppress

from bot.ledger import deletion, entries, events, kept, moves
from bot.ledger.acceptance import NewRequests
from bot.ledger.batches import BatchItems
from bot.ledger.click_moves import ClickMoves
from bot.ledger.collector import Collector
from bot.ledger.database import Opened
from bot.ledger.lease import LEASE
from bot.ledger.rechecks import Rechecks
from bot.ledger.replica import Replica
from bot.ledger.seal import Seal
from bot.ledger.tokens import Tokens
from bot.ledger.writer import LedgerDownError, Writer


class Ledger:
    """One replica's access to the ledger; every method raises LedgerDownError if the database fails or is too slow.

    Every method can be retried after that: a move that was recorded nevertheless is not recorded twice. The `writer` writes
    to the `opened` database, and is closed with the ledger; `clock` goes on while the machine is suspended.
    """

    def __init__(  # noqa: PLR0913  # a test may bring its own clock and intervals
        self,
        opened: Opened,
        writer: Writer,
        holder: str,
        *,
        clock: Callable[[], float],
        lease: float = LEASE,
        silence: float = LEASE,
        recheck_after: float = 45.0,
    ) -> None:
        self.writer = writer
        operation = writer.operation
        self.place = operation(moves.place)
        self.asking = operation(moves.asking)
        self.asked = operation(moves.asked)
        self.escalate = operation(moves.escalate)
        self.record_outcome = operation(moves.record_outcome)
        self.end = operation(moves.end)
        self.record_event = operation(events.record_event)
        self.find = operation(entries.find)
        self.made_by = operation(entries.made_by)
        self.stoppable = operation(entries.stoppable)
        self.history = operation(entries.history)
        self.envs = operation(entries.envs)
        self.find_told = operation(kept.find_told)
        self.past_shares = operation(kept.past_shares)
        self.past_requests = operation(kept.past_requests)
        self.delete_old = operation(deletion.delete_old)
        self.told_steps = operation(moves.told_steps)
        self._release = opened.release
        self.exclusive = opened.exclusive
        """Whether no other process can use this database."""
        self.replica = Replica(
            writer,
            holder,
            lease,
            silence,
            recheck_after,
            exclusive=opened.exclusive,
            clock=clock,
        )
        self.start = self.replica.start
        self.lease = self.replica.lease
        self.accept = NewRequests(writer, self.lease, holder).accept
        self.clicks = ClickMoves(writer, self.lease, holder)
        self.batches = BatchItems(writer)
        self.rechecks = Rechecks(writer, recheck_after)

    def tokens(self, platform: str, seal: Seal) -> Tokens:
        """Return the tokens of the third-party platform with this component appid."""
        return Tokens(self.writer, platform, seal)

    def collector(self, url: str) -> Collector:
        """Return what this replica sends to the collector of events at a URL."""
        return Collector(self.writer, self.replica.holder, url)

    async def close(self) -> None:
        """Release all requests and close the database."""
        with suppress(LedgerDownError):  # the leases expire anyway
            await self.replica.stop()
        await self.writer.close()
        self._release()
