"""Look once more at the messages of requests about which a call to Slack ended in doubt, and mend what came late."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain.outcome import Finished
from bot.domain.request import State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError
from bot.workflow.batches import Batches
from bot.workflow.ports import Approvals, AwayError, Places, Twins

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """Ends twins, and writes the last state of a request that has ended over a text that came late."""

    ledger: Ledger
    places: Places
    approvals: Approvals
    twins: Twins
    batches: Batches
    idle: Callable[[float], Awaitable[None]]
    every: float
    """Seconds between two looks for what is due."""

    async def run(self) -> None:
        """Look at what is due, again and again; runs until cancelled."""
        while True:
            pause = await self.look()
            await self.idle(pause)

    async def look(self) -> float:
        """Mend the messages of one request whose look is due, and return after how many seconds to look again.

        At once only after a success, since more may be due. If Slack is away, it says how long to wait, and another look at
        this request is due in a minute, until the doubt is a day old.
        """
        facts = dict[str, str]()
        try:
            due = await self.ledger.rechecks.due()
            if due is None:
                return self.every
            entry, taken = due
            facts["request"] = entry.request.id
            await self.twins.end(entry)
            if entry.state is State.ENDED:
                await self._show_last_state(entry)
            await self.ledger.rechecks.done(entry, taken)
        except AwayError as away:
            facts["reason"] = str(away)
            _log.info("messages in doubt could not be looked at", extra=facts)
            return max(self.every, away.after)
        except LedgerDownError:
            return self.every  # the heartbeats report it
        except Exception:  # noqa: BLE001  # the others' looks are due too
            _log.exception("unforeseen error", extra=facts)
            return self.every
        return 0.0

    async def _show_last_state(self, entry: Entry) -> None:
        outcome = entry.outcome
        if isinstance(outcome, Finished):  # the ledger keeps its groups only in the items
            outcome = await self.batches.finished(entry.request)
        if outcome:
            await self.places.show_outcome(entry.request, entry.place, outcome, entry.created)
        if entry.asked:
            await self.approvals.show_decision(entry)
