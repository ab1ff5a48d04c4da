"""Handle every click: read the request and the people, decide, apply the decision, and reply.

A click is trusted for the user's id only; their standing and groups are read again, once per click.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Literal, assert_never

from bot.domain.outcome import Expired, Failed, Finished, Skipped, Unknown
from bot.domain.request import Act, Click, State
from bot.ledger.entries import Entry
from bot.ledger.events import facts_of
from bot.ledger.writer import LedgerDownError
from bot.messages import click_replies as say
from bot.messages.conversation import answer
from bot.messages.words import Words
from bot.workflow.click_decisions import (
    ApplyMove,
    CancelRest,
    ClickContext,
    ClickStep,
    Reply,
    Resubmit,
    is_unrecorded,
    is_unsure,
    late,
    step_of,
)
from bot.workflow.deadline import modal_words, not_recorded
from bot.workflow.judge import Judge
from bot.workflow.ports import Ports
from bot.workflow.submit import Intake

_OF_RECORDED = {Act.CANCEL, Act.APPROVE, Act.REJECT}
"""The buttons of messages that the ledger records; on another message they are a twin's."""

_WAITED_FOR: Mapping[State, Literal["confirmation", "approval"]] = {
    State.CONFIRMING: "confirmation",
    State.WAITING: "approval",
}

WAITS_FOR_SLACK = 8.0
"""Seconds after which a click looks once more at people whom Slack did not return."""

_log = logging.getLogger(__name__)


class ClickHandler:
    """Handles clicks and the modals of decisions."""

    def __init__(
        self, intake: Intake, judge: Judge, ports: Ports, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._intake = intake
        self._judge = judge
        self._sleep = sleep
        self._ports = ports
        self._ledger = ports.ledger

    async def answer(self, act: Act, click: Click) -> Reply:
        """Handle a click, and return the reply to the user who clicked."""
        try:
            decision = await self._decide(act, click)
            if decision and is_unsure(decision[1]):
                await self._sleep(WAITS_FOR_SLACK)
                decision = await self._decide(act, click)
        except LedgerDownError as error:
            return _ledger_down(await self._words(click), click, error)
        if decision is None:
            return Reply(say.refused(await self._words(click), say.NothingDone.NO_SUCH_REQUEST))
        context, step = decision
        if act in _OF_RECORDED:
            self._end_twin(click, context.entry)
        try:
            reply = await self._carry_out(context, step)
        except LedgerDownError as error:
            return _ledger_down(context.words, click, error, not_recorded(error))
        return reply or await self.answer(act, click)

    async def to_decide(self, click: Click) -> tuple[Words, Entry | Reply]:
        """Return the entry that an approver's modal is about, or the reply if there is nothing to decide.

        Permissions are checked when the modal is submitted, as that may outlast the trigger.
        """
        words = await modal_words(self._ports, click.origin, frozenset())
        try:
            entry = await self._find(click)
        except LedgerDownError as error:
            return words, _ledger_down(words, click, error)
        if entry is None:
            return words, Reply(say.refused(words, say.NothingDone.NO_SUCH_REQUEST))
        self._end_twin(click, entry)
        return words, entry if entry.state is State.WAITING else late(words, click, entry)

    def _end_twin(self, click: Click, entry: Entry) -> None:
        """Have a request's messages looked at if the clicked one is none that the ledger records."""
        if is_unrecorded(click, entry):
            self._ledger.rechecks.soon(click.request_id)

    async def _decide(self, act: Act, click: Click) -> tuple[ClickContext, ClickStep] | None:
        """Return what a click does now; None if there is no such request."""
        entry = await self._find(click)
        if entry is None:
            return None
        failed = await self._failed_receivers(entry) if act is Act.RETRY else ()
        own = click.origin.user_id == entry.request.origin.user_id
        # These need no permission, so the cached groups will do: Slack returns them some twenty times a minute.
        fresh = not (act is Act.STEPS or (act is Act.CANCEL and own))
        context = await self._read_context(click, entry, fresh=fresh)
        return context, step_of(act, replace(context, failed=failed))

    async def _find(self, click: Click) -> Entry | None:
        """Return the entry of a button's request; None if unknown, or from where the app is not installed.

        A request whose time is over counts as expired, even if that is not recorded yet.
        """
        entry = await self._ledger.find(click.request_id)
        if entry is None or not self._is_ours(click, entry):
            return None
        if entry.state not in _WAITED_FOR or not entry.overdue:
            return entry
        return replace(entry, state=State.ANSWERED, outcome=Expired(_WAITED_FOR[entry.state]))

    def _is_ours(self, click: Click, entry: Entry) -> bool:
        """Tell whether a click and a request come from where the app is installed: its workspace, or its organisation."""
        home = self._ports.installation
        by = click.organisation if home.is_wide else click.origin.team_id
        return by == home.id and home.serves(entry.request.origin.team_id)

    async def _failed_receivers(self, entry: Entry) -> tuple[str, ...]:
        """Return the receivers that a retry would be for."""
        if not isinstance(entry.outcome, Finished):
            return entry.request.receivers  # a batch that ended otherwise did so before any item
        items = await self._ledger.batches.items(entry.request)
        return tuple(item.appid for item in items if isinstance(item.outcome, Failed | Unknown))

    async def _read_context(self, click: Click, entry: Entry, *, fresh: bool) -> ClickContext:
        """Return the context of a click, with the people read; `fresh` bypasses the cache."""
        request = entry.request
        others = [replace(click.origin, user_id=each.by) for each in entry.agreed]
        origins = [click.origin, request.origin, *others]
        clicker, requester, *agreed = await self._judge.askers(origins, fresh=fresh)
        return ClickContext(
            click=click,
            entry=entry,
            words=self._ports.languages.to(clicker.person),
            clicker=clicker,
            requester=requester,
            agreed=tuple(agreed),
            decisions=requester.decisions(request.receivers, request.env, request.reason),
        )

    async def _carry_out(self, context: ClickContext, step: ClickStep) -> Reply | None:
        """Return the reply; None if the click has to be decided again, since another approver agreed meanwhile."""
        match step:
            case Reply():
                if step.refused:
                    click, request = context.click, context.entry.request
                    who = {"user": click.origin.user_id, "channel": click.origin.channel_id}
                    facts = facts_of(request) | who
                    await self._intake.record_event("not an approver", request.origin, facts)
                return step
            case ApplyMove():
                return await self._apply(context, step)
            case CancelRest():
                by = context.click.origin.user_id
                count = await self._ledger.batches.cancel(context.entry.request, by)
                return Reply(say.rest_cancelled(context.words, context.entry.request, count))
            case Resubmit():
                return await self._resubmit(context, step)
            case _:
                assert_never(step)

    async def _apply(self, context: ClickContext, step: ApplyMove) -> Reply | None:
        """Move the request and start processing it, or reply that somebody else was faster, and what they did."""
        words = context.words
        moved = await self._ledger.clicks.move(context.entry, step.move)
        if moved is None:
            now = await self._find(context.click)
            if now is None:
                return Reply(say.refused(words, say.NothingDone.NO_SUCH_REQUEST))
            if now.state is context.entry.state and now.agreed != context.entry.agreed:
                return None
            return late(words, context.click, now)
        self._ports.changed(moved.request)
        if moved.state is not State.ENDED:
            self._ports.start(self._ports.process(moved))
        if isinstance(moved.outcome, Skipped):
            # A requester who confirms gets no other answer.
            told = answer if moved.state is State.ENDED else say.too_late
            return Reply(told(words, moved.request, moved.outcome), step.replaces)
        return Reply(step.message, step.replaces)

    async def _resubmit(self, context: ClickContext, step: Resubmit) -> Reply:
        message = await self._intake.submit(
            step.asker, step.origin, step.share, retry=step.retry, words=context.words
        )
        now: Entry | None = None
        if step.retry:
            with suppress(LedgerDownError):
                now = await self._find(context.click)
        return Reply(message, step.replaces, spent=now is not None and now.retried_by is not None)

    async def _words(self, click: Click) -> Words:
        """Return the words in the language of the user who clicked."""
        read, team_id = self._ports.people.person, click.origin.team_id
        return self._ports.languages.to(await read(team_id, click.origin.user_id, frozenset()))


def _ledger_down(
    words: Words,
    click: Click,
    error: LedgerDownError,
    why: say.NothingDone = say.NothingDone.LEDGER_DOWN,
) -> Reply:
    """Log that the ledger is down, and return the reply that says so."""
    facts = {"request": click.request_id, "reason": str(error)}
    _log.error("the ledger does not take a click", extra=facts)
    return Reply(say.refused(words, why))
