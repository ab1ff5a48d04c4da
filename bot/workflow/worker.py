"""The worker: takes each request from state to state to its end: open the place, ask the approvers, call WeChat, deliver.

Each step is recorded before the next one begins, so a replica that takes a request over continues from its state.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec

from bot.domain.outcome import (
    Cancelled,
    Expired,
    Failed,
    Finished,
    Outcome,
    Party,
    Readiness,
    Step,
    Unknown,
    doubted,
)
from bot.domain.request import BrokenGlass, Request, State
from bot.guidance import Trouble
from bot.ledger.entries import Entry
from bot.ledger.writer import LedgerDownError
from bot.runtime.tasks import log_request
from bot.workflow.batches import Batches
from bot.workflow.brake import Brake
from bot.workflow.deadline import after_share, look_until, within
from bot.workflow.judge import accepted_under
from bot.workflow.leased import LeasedSteps, LeaseExpiredError, LeaseLostError
from bot.workflow.look import cause_after
from bot.workflow.ports import Approvals, AwayError, EnvListing, Owners, Places, ReadinessCheck
from bot.workflow.retrying import RetryingLedger

MOST_TAKE_OVERS = 5
_PAST = 50  # requests in which earlier shares are looked for; batches may have shared nothing
_PAUSE = 3.0  # seconds after an unforeseen error
_STILL_POSTING = 1.0  # seconds for which Slack may still carry out a post that was given up
_ANSWER_SECONDS = 15.0  # within which a person is told, however slow WeChat is
_LATE = 60.0  # seconds after which the last check of the policy is too old
_OWED_AT_MOST = 7 * 86_400.0  # seconds

_GIVEN_UP = Unknown(Trouble.GIVEN_UP.value, tries=0)
_UNCONFIRMED = Expired("confirmation")

_log = logging.getLogger(__name__)

P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Takes requests from state to state until they end."""

    ledger: RetryingLedger
    leased: LeasedSteps
    places: Places
    owners: Owners
    approvals: Approvals
    batches: Batches
    brake: Brake
    start: Callable[[Coroutine[None, None, None]], None]
    readiness: ReadinessCheck
    env_list: EnvListing
    changed: Callable[[Request], None]
    """Called after each recorded move of a request."""

    def resume(self, entry: Entry) -> None:
        """Go on with a request that was taken over."""
        with log_request(entry.request.id):
            self.start(self.process(entry, taken=True))

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
        began, started, stale = self.brake.now(), self.leased.clock(), False
        while True:
            try:
                if stale:  # the step may have recorded something before it failed
                    entry, stale = await self._read_again(entry), False
                late = taken or is_late(entry, self.brake.now() - began)
                next_entry = await self._step(
                    entry, called_again=called_again, late=late, began=started
                )
            except LeaseLostError:
                # No effect if another replica holds it; the end of the stop releases it too.
                with suppress(LedgerDownError):
                    await self.ledger.once.replica.release(entry)
                return
            except AwayError as away:
                await self.leased.owe(entry, away)
                return
            except LeaseExpiredError:
                pause = _STILL_POSTING
            except Exception:  # noqa: BLE001  # no other replica takes it over while this one lives
                _log.exception("unforeseen error")
                if entry.taken_over > MOST_TAKE_OVERS:
                    await self.ledger.end(entry, "given up")
                    self.changed(entry.request)
                    return
                pause = _PAUSE
            else:
                self.changed(entry.request)
                if next_entry is None:
                    return
                entry = next_entry
                continue
            await self.leased.sleep(pause)
            called_again = called_again or entry.state is State.PLACED
            entry, stale = replace(entry, taken_over=entry.taken_over + 1), True

    async def _read_again(self, entry: Entry) -> Entry:
        """Return the request as the ledger has it now; raises LeaseLostError."""
        current = await self.ledger.find(entry.request.id)
        if current is None or current.fence != entry.fence:
            raise LeaseLostError
        return replace(current, taken_over=entry.taken_over)

    async def _step(
        self, entry: Entry, *, called_again: bool, late: bool, began: float
    ) -> Entry | None:
        """Take a request one state further; None once there is nothing more to do.

        `late` if the last check of the policy is too old: WeChat is called after another one. `began` when this replica
        began with it, by the lease's clock.
        """
        if entry.state is State.WAITING and entry.place is None and not entry.overdue:
            return await self._open_place(entry)
        if entry.state in {State.CONFIRMING, State.WAITING}:
            return await self._wait(entry)
        if entry.owed_since is not None and entry.at - entry.owed_since > _OWED_AT_MOST:
            await self.ledger.end(entry, "not delivered", "too late")
            return None
        if entry.outcome is not None:
            await self._deliver(entry, entry.outcome, called_again=called_again, began=began)
            return None
        if entry.place is None:
            return await self._open_place(entry)
        if entry.asked:
            self._show_decided(entry, entry.place)
        if entry.request.appids:
            if isinstance(entry.request.approval, BrokenGlass):  # its answer may be hours away
                await self._for_now(entry, self.approvals.tell_skipped, entry)
            return await self._run(entry, entry.place)
        return await self._call(entry, called_again=called_again, late=late)

    async def _wait(self, entry: Entry) -> Entry | None:
        """Take a step of a wait for people: ask the approvers, escalate, remind, expire; None to wait for a click."""
        if entry.state is State.CONFIRMING:
            return await self.ledger.record_outcome(entry, _UNCONFIRMED)
        if entry.overdue:
            missing = await self._missing(entry)
            several = entry.agreed or sum(each.count for each in missing) > 1
            expired = Expired("approval", missing if several else ())
            return await self.ledger.record_outcome(entry, expired)
        if not entry.all_asked:
            return await self._ask(entry)
        if entry.at >= self._escalates(entry) and entry.asked:
            return await self._escalate(entry, entry.asked)
        if entry.at >= entry.half_time and entry.asked:
            missing = await self._missing(entry)
            async with self.leased.while_held(entry):
                until = entry.until or 0.0
                await self.approvals.remind(entry.request, entry.asked, until, missing)
            _log.info("reminded", extra={"request": entry.request.id})
        await self.ledger.release_waiting(entry, self._next(entry))
        return None

    def _escalates(self, entry: Entry) -> float:
        """Return when a request escalates by the policy in force, in Unix seconds; infinite if it has, or never does."""
        rule = accepted_under(self.brake.judge.policy, entry.request)
        later = rule.approvers.escalate if rule else None
        if later is None or entry.request.escalated:
            return math.inf
        return entry.waits_since + later.after.total_seconds()

    def _next(self, entry: Entry) -> float:
        """Return when there is something to do for a request whose approvers are asked, after what was due."""
        times = self._escalates(entry), entry.half_time, entry.until or 0.0
        return min(time for time in times if time > entry.at or time == times[-1])

    async def _escalate(self, entry: Entry, asked: str) -> Entry | None:
        """Let those decide too to whom the request escalates, and ask them."""
        request = entry.request
        async with self.leased.while_held(entry):
            ref = await self.approvals.escalation(request, asked)
        if not await self.ledger.escalate(entry, ref):
            return None
        _log.info("escalated", extra={"request": request.id})
        escalated = replace(request, escalated=True)
        return replace(
            entry, request=escalated, asked=ref, all_asked=False, owed_since=None, wake=None
        )

    async def _missing(self, entry: Entry) -> tuple[Party, ...]:
        """Return of whom somebody still has to agree to a request that waits."""
        return await self.brake.judge.missing(entry.request, [each.by for each in entry.agreed])

    async def _ask(self, entry: Entry) -> Entry | None:
        request = entry.request
        past = await self.ledger.past_shares(request.env, _PAST)
        missing = await self._missing(entry)

        async def record(ref: str) -> bool:
            return await self.ledger.asking(entry, ref)

        async with self.leased.while_held(entry) as since:
            questions = await self.approvals.ask(
                request,
                past,
                entry.asked,
                record,
                look_since=since,
                until=entry.until or 0.0,
                missing=missing,
            )
        if isinstance(questions, Trouble):
            return await self.ledger.record_outcome(entry, Failed(questions.value, tries=0))
        # Also if it is over, however often they are asked anew: a reminder that was posted is not repeated.
        wake = min(self._escalates(entry), entry.half_time)
        if await self.ledger.asked(entry, questions, wake):
            return None
        # Somebody clicked on the first question before all were posted; the others have to show the decision too.
        current = await self.ledger.find(request.id)
        if current and current.state is not State.WAITING:  # else another replica asks
            await self.approvals.show_decision(replace(current, asked=questions))
        return None

    async def _deliver(
        self, entry: Entry, outcome: Outcome, *, called_again: bool, began: float
    ) -> None:
        """Deliver the outcome to the requester, and then show it to the approvers."""
        request = entry.request
        if isinstance(outcome, Finished):  # the ledger keeps its groups only in the items
            outcome = await self.batches.finished(request)
        # A crash or an error of Slack's may have come between posting the parent and recording where it is.
        # A question by direct message, whether to confirm, is not recorded either.
        unrecorded = isinstance(outcome, Cancelled | Expired)
        where = entry.place
        if where is None and unrecorded:
            where = await self.places.find(request, entry.created)
        twice = called_again and outcome != _GIVEN_UP
        after = await after_share(self.readiness, self.ledger.once, entry, outcome)
        # Of a batch nobody awaits the answer within seconds of the command.
        spent = 0.0 if request.appids else self.leased.clock() - began
        until = look_until(within(_ANSWER_SECONDS - spent))
        judge, listing = self.brake.judge, self.env_list
        after = replace(after, cause=await cause_after(judge, listing, request, outcome, until))
        async with self.leased.while_held(entry) as since:
            delivered = await self.places.close(
                request, where, outcome, look_since=since, called_again=twice, after=after
            )
        if isinstance(entry.request.approval, BrokenGlass):
            await self.approvals.tell_skipped(entry)
        if entry.asked:
            await self.approvals.show_decision(entry)
        if delivered:
            ready = after.readiness.value if after.readiness is Readiness.READY else None
            await self.ledger.end(entry, "delivered", ready)
            return
        facts = {"request": request.id, "outcome": type(outcome).__name__.lower()}
        _log.error("the answer was not delivered", extra=facts)
        await self.ledger.end(entry, "not delivered", "refused")

    def _show_decided(self, entry: Entry, where: str) -> None:
        """Show the decision to the requester and to the approvers."""
        self.start(self._for_now(entry, self.approvals.show_decision, entry))
        if not (entry.request.appids and entry.taken_over):  # else it shows the progress
            self.start(self._for_now(entry, self.places.go_on, entry.request, where))

    async def _for_now(
        self, entry: Entry, show: Callable[P, Awaitable[None]], *what: P.args, **how: P.kwargs
    ) -> None:
        """Show the decision under the lease; skipped while Slack is away, since the outcome will be shown in the same place."""
        with suppress(AwayError, LeaseExpiredError, LeaseLostError):
            async with self.leased.while_held(entry):
                await show(*what, **how)

    async def _open_place(self, entry: Entry) -> Entry | None:
        """Open the place for the answer, where it says what is under way or waited for, and record it."""
        request, waits = entry.request, entry.state is State.WAITING
        async with self.leased.while_held(entry) as since:
            ref = await self.places.open(request, look_since=since, waiting=waits)
        if ref is None:
            facts = {"request": request.id}
            _log.error("Slack leaves nowhere to answer, so the request ends", extra=facts)
            await self.ledger.end(entry, "nowhere to answer")
            return None
        state = State.WAITING if waits else State.PLACED
        placed = replace(entry, state=state, place=ref, owed_since=None, wake=None)
        # Before anything else: after a crash it would be unknown that WeChat may have been called.
        if await self.ledger.place(entry, ref):
            return placed
        # Whoever broke the glass meanwhile let it go on, with a place of its own.
        self.ledger.once.rechecks.soon(request.id)
        return None

    async def _call(self, entry: Entry, *, called_again: bool, late: bool) -> Entry | None:
        """Call WeChat, unless the policy stops it or it was taken over too often, and record the outcome."""
        if entry.taken_over > MOST_TAKE_OVERS:
            return await self.ledger.record_outcome(entry, _GIVEN_UP, called_again=called_again)
        if (late or self.brake.judge.depends_on_time(entry.request)) and (
            end := await self.brake.end_of(entry, self.leased, begun=called_again, fresh=late)
        ):
            return await self.ledger.record_outcome(entry, end, called_again=called_again)
        request, may_call = entry.request, partial(self.ledger.lease.covers, entry)
        began, steps = self.leased.clock(), list[Step]()
        async with self.leased.while_held(entry):
            outcome = await self.owners.share(
                request.owner, request.env, request.appid, steps.append, may_call
            )
        if outcome is None:
            raise LeaseExpiredError
        seconds = self.leased.clock() - began
        if called_again:  # the earlier call may have succeeded
            outcome = doubted(outcome)
        return await self.ledger.record_outcome(
            entry, outcome, seconds, steps, called_again=called_again
        )

    async def _run(self, entry: Entry, where: str) -> Entry | None:
        """Run a batch to its end, and record its outcome."""
        if entry.taken_over > MOST_TAKE_OVERS:
            outcome = await self.batches.give_up(entry, _GIVEN_UP)
        else:
            show = partial(self.places.progress, entry.request, where)
            outcome = await self.batches.run(entry, show)
        return await self.ledger.record_outcome(entry, outcome)


def is_late(entry: Entry, ago: float) -> bool:
    """Tell whether the policy has to be checked again: after a take-over, or a minute after this replica began.

    Within that minute the policy that decided at the command or the click, just before, applies to the end, unless it
    depends on the time. It began
    `ago` seconds ago by its own clock alone, which may not agree with the database's; in the future if that was set back.
    """
    return entry.taken_over > 0 or abs(ago) > _LATE
