"""Requests that wait for people: ask the approvers, remind them once at half time, expire.

Every message raises AwayError while Slack is away.
"""

import logging
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.outcome import Expired, Failed
from bot.domain.request import State
from bot.ledger import Entry, Ledger
from bot.workflow.leased import LeasedSteps
from bot.workflow.ports import Approvals, NotAskedError

_PAST = 50  # requests in which earlier shares are looked for; batches may have shared nothing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingRequests:
    """Runs the steps of requests that wait for people; a click or the deadline ends the wait."""

    ledger: Ledger
    leased: LeasedSteps
    approvals: Approvals

    async def step(self, entry: Entry) -> Entry | None:
        """Take one step for a waiting request whose place is recorded; None when there is nothing to do but wait."""
        if entry.state is State.CONFIRMING:
            return await self.leased.answer(entry, Expired("confirmation"))
        if entry.overdue:
            return await self.leased.answer(entry, Expired("approval"))
        if entry.asked is None:
            return await self._ask(entry)
        if entry.wake is not None:
            await self.approvals.remind(entry.request, entry.asked, entry.until or 0.0)
            _log.info("reminded", extra={"request": entry.request.id})
        await self.leased.keep_trying(partial(self.ledger.replica.release_waiting, entry))
        return None

    async def _ask(self, entry: Entry) -> Entry | None:
        shares = partial(self.ledger.shares, entry.request.env, _PAST)
        past = await self.leased.keep_trying(shares)
        try:
            async with self.leased.while_held(entry) as since:
                asked = await self.approvals.ask(
                    entry.request, past, look_since=since, until=entry.until or 0.0
                )
        except NotAskedError as no:
            return await self.leased.answer(entry, Failed(no.why.value, tries=0))
        if await self.leased.keep_trying(partial(self.ledger.asked, entry, asked)):
            return None
        # Somebody clicked on the first question before all were posted; the others have to show the decision too.
        find = partial(self.ledger.clicks.find, entry.request.id)
        if moved := await self.leased.keep_trying(find):
            await self.approvals.show_decision(replace(moved, asked=asked))
        return None
