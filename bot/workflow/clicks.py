"""What every answer to a click needs: who clicked, on which request, and what to say where that leads nowhere.

Whoever clicks is known by the click alone; who they are, and who is in which group, is read again.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bot.domain.click import Click
from bot.domain.outcome import Expired
from bot.domain.request import State
from bot.ledger import Entry, LedgerDownError
from bot.messages import Message
from bot.messages import clicks as say
from bot.messages.too_late import too_late
from bot.messages.words import Words
from bot.policy import Person, Policy, Unreadable
from bot.workflow.ports import Known, Ports
from bot.workflow.ruling import Decided, decide_all
from bot.workflow.submit import Submitting

_WAITED_FOR: Mapping[State, Literal["confirmation", "approval"]] = {
    State.CONFIRMING: "confirmation",
    State.WAITING: "approval",
}

_WORDS_SECONDS = 0.5  # of the three for which a trigger opens a modal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to tell whoever clicked, alone; `settles` where it takes the place of the message with the button."""

    message: Message
    settles: bool = False


@dataclass(frozen=True, slots=True)
class Answering:
    """Reads what a click is about, and takes on what it moved."""

    submitting: Submitting
    ports: Ports

    async def person(self, click: Click, policy: Policy, people: Known) -> Person | Unreadable:
        """Return who clicked, for `policy` to decide about, as `people` know them."""
        return await people.person(click.team_id, click.user_id, policy.groups)

    def now(self) -> Known:
        """Return who people are now, for one click that decides."""
        return self.ports.people.now()

    async def words(self, click: Click) -> Words:
        """Return the words of whoever clicked."""
        return self.submitting.words(
            await self.person(click, self.submitting.policy, self.ports.people)
        )

    async def words_soon(self, click: Click) -> Words:
        """Return the words of whoever clicked or, where Slack is slow to tell who that is, the channel's."""
        try:
            async with asyncio.timeout(_WORDS_SECONDS):
                return await self.words(click)
        except TimeoutError:
            return self.ports.tongues.channel

    async def find(self, click: Click) -> Entry | None:
        """Return the request of a button; a button of another workspace is of no request here.

        What waits but whose time is over counts as expired, also before that is recorded.
        """
        entry = await self.ports.ledger.clicks.find(click.request_id)
        if entry is None or entry.request.origin.team_id != click.team_id:
            return None
        if entry.state not in _WAITED_FOR or not entry.overdue:
            return entry
        return replace(entry, state=State.ANSWERED, outcome=Expired(_WAITED_FOR[entry.state]))

    @staticmethod
    def decisions(policy: Policy, entry: Entry, requester: Person | Unreadable) -> list[Decided]:
        """Return what the policy says now to what was asked then."""
        request = entry.request
        return decide_all(policy, request.origin, requester, request.receivers, request.env)

    def go_on(self, moved: Entry) -> None:
        """Carry on what a click has moved."""
        self.ports.changed(moved.request)
        if moved.state is not State.ENDED:
            self.ports.start(self.ports.carry(moved))

    async def too_late(self, words: Words, click: Click) -> Reply:
        """Say that somebody was faster, and what they did."""
        entry = await self.find(click)
        if entry is None:
            return Reply(say.no_such_request(words))
        return Reply(too_late(words, entry.request, entry.outcome))

    def down(self, words: Words, click: Click, error: LedgerDownError) -> Reply:
        """Say that the ledger did not take it."""
        told = {"request": click.request_id, "reason": str(error)}
        _log.error("the ledger does not take a click", extra=told)  # no trace
        return Reply(say.click_not_recorded(words))
