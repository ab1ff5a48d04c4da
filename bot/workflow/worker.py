"""The worker: takes each request from state to state to its end: open the place, call WeChat, deliver.

Each step is recorded before the next one begins, so a replica that takes a request over continues from its state.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from bot.domain.outcome import (
    Cancelled,
    Expired,
    Finished,
    Outcome,
    Readiness,
    Step,
    Unknown,
    doubted,
)
from bot.domain.request import Request, State
from bot.guidance import Trouble
from bot.ledger import LEASE, Entry, Ledger, LedgerDownError
from bot.runtime.observers import no_op
from bot.runtime.tasks import log_request
from bot.workflow.approval import WaitingRequests
from bot.workflow.batches import Batches
from bot.workflow.brake import Brake
from bot.workflow.deadline import after_share
from bot.workflow.leased import LeasedSteps, LeaseExpiredError, LeaseLostError
from bot.workflow.ports import AwayError, Owners, Places, ReadinessCheck

MOST_TAKE_OVERS = 5
_LOOKS_PER_LEASE = 12
_LOOKS_PER_HEARTBEAT = 3
_TAKEN_AT_ONCE = 50
_PAUSE = 3.0  # seconds after an unforeseen error
_OWED_AT_MOST = 7 * 86_400.0  # seconds

_GIVEN_UP = Unknown(Trouble.GIVEN_UP.value, tries=0)
_UNCONFIRMED = Expired("confirmation")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """Takes requests from state to state until they end; `lease` is in seconds."""

    ledger: Ledger
    leased: LeasedSteps
    places: Places
    owners: Owners
    waiting: WaitingRequests
    batches: Batches
    brake: Brake
    start: Callable[[Coroutine[None, None, None]], None]
    readiness: ReadinessCheck
    lease: float = LEASE
    changed: Callable[[Request], None] = no_op
    """Called after each recorded move of a request."""

    async def process(self, entry: Entry, *, taken: bool = False) -> None:
        """Take a request from its state to its end; stop silently once another replica holds it, or is to go on with it.

        After an unforeseen error it continues from the state it has reached. `taken` after a take-over: WeChat may
        have been called by the former holder.
        """
        try:
            await self._take_to_end(entry, taken=taken)
        finally:
            self.ledger.lease.released(entry)

    async def _take_to_end(self, entry: Entry, *, taken: bool) -> None:
        called_again = entry.called_again or (taken and entry.state is State.PLACED)
        while True:
            await self.leased.turn()
            try:
                reached = await self._step(entry, called_again=called_again)
            except LeaseLostError:
                await self.leased.leave(entry)
                return
            except LeaseExpiredError:
                entry = replace(entry, taken_over=max(entry.taken_over, 1))
                continue
            except AwayError as away:
                await self.leased.owe(entry, away)
                return
            except Exception:  # noqa: BLE001  # no other replica takes it over while this one lives
                _log.exception("unforeseen error")
                if entry.taken_over > MOST_TAKE_OVERS:
                    await self.leased.end(entry, "given up")
                    self.changed(entry.request)
                    return
                await self.leased.sleep(_PAUSE)
                called_again = called_again or entry.state is State.PLACED
                reached = replace(entry, taken_over=entry.taken_over + 1)
            self.changed(entry.request)
            if reached is None:
                return
            entry = reached

    async def _step(self, entry: Entry, *, called_again: bool) -> Entry | None:
        """Take a request one state further; None once there is nothing more to do."""
        if entry.state is State.WAITING and entry.place is None and not entry.overdue:
            return await self._open_place(entry)
        if entry.state in {State.CONFIRMING, State.WAITING}:
            return await self.waiting.step(entry)
        if entry.owed_since is not None and entry.at - entry.owed_since > _OWED_AT_MOST:
            await self.leased.end(entry, "not delivered", "too late")
            return None
        if entry.outcome is not None:
            await self._deliver(entry, entry.outcome, called_again=called_again)
            return None
        if entry.place is None:
            return await self._open_place(entry)
        if entry.asked:
            self._show_decided(entry, entry.place)
        if entry.request.appids:
            return await self._run(entry, entry.place)
        return await self._call(entry, called_again=called_again)

    async def _deliver(self, entry: Entry, outcome: Outcome, *, called_again: bool) -> None:
        """Deliver the outcome to the requester, and then show it to the approvers."""
        request = entry.request
        if isinstance(outcome, Finished) and outcome.lacks_groups:
            outcome = await self.batches.finished(request)
        # A crash or an error of Slack's may have come between posting the question and recording where it is.
        unrecorded = isinstance(outcome, Cancelled | Expired) and outcome != _UNCONFIRMED
        if entry.place is None and unrecorded:
            place = await self.places.find(request, entry.created)
        else:
            place = self.places.reopen(request, entry.place)
        again = called_again and outcome != _GIVEN_UP
        after = await after_share(self.readiness, self.ledger, entry, outcome)
        async with self.leased.while_held(entry) as since:
            delivered = await place.close(
                request, outcome, look_since=since, called_again=again, after=after
            )
        if entry.asked or unrecorded:
            await self.waiting.approvals.show_decision(entry)
        if delivered:
            ready = after.readiness.value if after.readiness is Readiness.READY else None
            await self.leased.end(entry, "delivered", ready)
            return
        facts = {"request": request.id, "outcome": type(outcome).__name__.lower()}
        _log.error("Slack takes the answer nowhere", extra=facts)
        await self.leased.end(entry, "not delivered", "refused")

    def _show_decided(self, entry: Entry, where: str) -> None:
        """Show the decision to the requester and to the approvers."""
        request = entry.request
        self.start(self._for_now(entry, partial(self.waiting.approvals.show_decision, entry)))
        if not (request.appids and entry.taken_over):  # else it shows the progress
            place = self.places.reopen(request, where)
            self.start(self._for_now(entry, partial(place.go_on, request)))

    async def _for_now(self, entry: Entry, show: Callable[[], Awaitable[None]]) -> None:
        """Show the decision under the lease; skipped while Slack is away, since the outcome will be shown in the same place."""
        with suppress(AwayError, LeaseExpiredError, LeaseLostError):
            async with self.leased.while_held(entry):
                await show()

    async def _open_place(self, entry: Entry) -> Entry | None:
        """Open the place for the answer, where it says what is under way or waited for, and record it."""
        request, waits = entry.request, entry.state is State.WAITING
        async with self.leased.while_held(entry) as since:
            place = await self.places.open(request, look_since=since, waiting=waits)
        if place is None:
            facts = {"request": request.id}
            _log.error("Slack leaves nowhere to answer, so the request ends", extra=facts)
            await self.leased.end(entry, "nowhere to answer")
            return None
        state, ref = State.WAITING if waits else State.PLACED, place.ref
        placed = replace(entry, state=state, place=ref, owed_since=None, wake=None)
        # Before anything else: after a crash it would be unknown that WeChat may have been called.
        recorded = await self.leased.keep_trying(partial(self.ledger.place, entry, ref))
        return placed if recorded else None

    async def _call(self, entry: Entry, *, called_again: bool) -> Entry | None:
        """Call WeChat, and record the outcome."""
        began, steps = time.monotonic(), list[Step]()
        outcome = await self._outcome(entry, steps, called_again=called_again)
        seconds = time.monotonic() - began
        return await self.leased.answer(entry, outcome, seconds, steps, called_again=called_again)

    async def _outcome(self, entry: Entry, steps: list[Step], *, called_again: bool) -> Outcome:
        """Return the outcome: of the call, or without one if the policy stops it or it was taken over too often."""
        if entry.taken_over > MOST_TAKE_OVERS:
            return _GIVEN_UP
        if self.brake.is_due(entry):
            ended = await self.brake.end_of(entry, self.leased, begun=called_again)
            if ended is not None:
                return ended
        request, may_call = entry.request, partial(self.leased.holds, entry)
        outcome = await self.owners.share(
            request.owner, request.env, request.appid, steps.append, may_call
        )
        # An earlier call may have succeeded.
        return doubted(outcome) if called_again else outcome

    async def _run(self, entry: Entry, where: str) -> Entry | None:
        """Run a batch to its end, and record its outcome."""
        if entry.taken_over > MOST_TAKE_OVERS:
            outcome = await self.batches.give_up(entry, _GIVEN_UP)
        else:
            outcome = await self.batches.run(entry, self.places.reopen(entry.request, where))
        if outcome is None:
            raise LeaseLostError
        return await self.leased.answer(entry, outcome)

    async def run(self) -> None:
        """Send heartbeats and, until the bot stops, take over free requests; runs until cancelled.

        It looks more often than it sends heartbeats, since people wait for the requests of a replica that has stopped.
        """
        healthy_since = -math.inf
        for look in count():
            try:
                if look % _LOOKS_PER_HEARTBEAT == 0:
                    await self.ledger.replica.heartbeat()
                healthy = time.monotonic() - healthy_since >= self.lease
                if healthy and not self.leased.stopping():
                    await self._take_over()
            except LedgerDownError as error:
                # Once the ledger is back, all other replicas must have had time for a heartbeat.
                healthy_since = -math.inf if self.ledger.exclusive else time.monotonic()
                _log.warning("the ledger is down", extra={"reason": str(error)})
            except Exception:  # noqa: BLE001  # without heartbeats a replica would lose its requests
                _log.exception("unforeseen error")
            await asyncio.sleep(self.lease / _LOOKS_PER_LEASE)

    async def _take_over(self) -> None:
        """Take over all free requests, a few at a time, so that other replicas get their share."""
        while True:
            taken = await self.ledger.replica.take_over(_TAKEN_AT_ONCE)
            for entry in taken:
                with log_request(entry.request.id):
                    self.start(self.process(entry, taken=True))
            if len(taken) < _TAKEN_AT_ONCE:
                return
