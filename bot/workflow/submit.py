"""Submit a share: decide by the policy, record the request and start the worker, or answer why not.

Commands, forms and buttons all go through here.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from bot.command.grammar import Share
from bot.domain.request import Origin, Request, Retry, State
from bot.ledger.acceptance import (
    MOST_WAITING,
    Accepted,
    AlreadyRetried,
    Duplicate,
    SharedBefore,
    SharedLongAgo,
    TooManyBatches,
    Undelivered,
    UnderWay,
)
from bot.ledger.entries import Entry
from bot.ledger.events import facts_asked, facts_of, who_of
from bot.messages import Message
from bot.messages.answers import accepted, beforehand, would_fail
from bot.messages.approvals import confirmation, no_approver, sent_to_approvers
from bot.messages.batches import too_many_batches
from bot.messages.blocks import message
from bot.messages.click_replies import NothingDone, refused, requester_asked
from bot.messages.conversation import answer
from bot.messages.history import shared_before, shared_long_ago, under_way, untold
from bot.messages.notices import stopping
from bot.messages.rulings import as_dry_run, dry_run
from bot.messages.words import Words
from bot.policy.kinds import ANYONE, NeedsApproval, Permitted
from bot.runtime.tasks import log_request
from bot.workflow.deadline import (
    LOOK_SECONDS,
    in_time,
    look_until,
    readiness_in_time,
    recorded_in_time,
    within,
)
from bot.workflow.judge import Asker
from bot.workflow.look import cause_before
from bot.workflow.ports import AwayError, Ports
from bot.workflow.ruling import Refusal, first_state, ruling

_RECORDING_SECONDS = 0.5  # before the deadline, kept for the ledger
_NOT_READ = "the ledger does not tell whether a command was recorded before"
_NOT_RECORDED = "not recorded"  # the log line that replaces a record


class Intake:
    """Accepts requests until the bot stops; then the answer to each says so."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def submit(  # noqa: PLR0913  # all that makes a request
        self,
        asker: Asker,
        origin: Origin,
        share: Share,
        until: float = math.inf,
        *,
        words: Words,
        retry: Retry | None = None,
    ) -> Message:
        """Record a request and start it, or answer why not; `until` is a deadline of the loop's clock.

        `asker` is the requester. `words` are in the language of the user who typed or clicked. If an approver retries a
        request that needs a confirmation, its requester is asked for it.
        """
        appids = share.appids
        appid = appids[0] if len(appids) == 1 else ""
        decisions = asker.decisions(appids, share.env, share.reason)
        owner = decisions.owner or ""
        own = retry is None or retry.by == origin.user_id  # and nobody for them
        ruled = ruling(words, decisions, share, own=own)
        if isinstance(ruled, NeedsApproval):
            ruled = await self.reachable(words, ruled, origin.user_id, until)
        rule_name = ruled.rule.name if ruled.rule else None
        facts = facts_asked(appid, share.env, rule_name)
        if share.dry_run:
            await self.record_event("dry run", origin, facts, until)
        if isinstance(ruled, Refusal):
            if share.dry_run:
                return as_dry_run(words, ruled.message)
            # Slack may deliver again what was recorded under the rule of before.
            reading = self._ports.ledger.made_by(origin.trigger_id)
            if before := await in_time(reading, _NOT_READ, until=until):
                return _taken_on(words, before, own=own)
            why_not = {"outcome": "denied", "detail": ruled.detail}
            await self.record_event(ruled.kind, origin, facts | why_not, until)
            return ruled.message
        request = Request(
            id=self._ports.new_id(),
            origin=origin,
            appid=appid,
            env=share.env,
            owner=owner,
            rule=ruled.rule.name,
            reason=share.reason,
            language=asker.circumstances.person.language,
            appids=() if appid else appids,
            again=share.again,
        )
        if share.dry_run:
            ready = await self.beforehand(words, asker, owner, share.env, until)
            return dry_run(words, ruled, request) + ready
        if self._ports.stopping():
            return stopping(words)
        with log_request(request.id):
            breakable = decisions.breakable is not None
            return await self._record(
                words, request, ruled, until, retry, own=own, breakable=breakable
            )

    async def beforehand(
        self, words: Words, asker: Asker, owner: str, env: str, until: float
    ) -> Message:
        """Return why a share would fail, else a sentence on the env's readiness; nothing if that is not known in time."""
        ready, cause = await asyncio.gather(
            readiness_in_time(self._ports.readiness, owner, env, until),
            cause_before(self._ports.env_list, asker, owner, env, look_until(until)),
        )
        return message(would_fail(words, env, owner, cause) or beforehand(words, env, ready))

    async def reachable(
        self, words: Words, ruled: NeedsApproval, user_id: str, until: float
    ) -> Refusal | NeedsApproval:
        """Return the ruling, or a refusal if nobody can give this user the approval; if that is not known in time, the ruling."""
        try:
            async with asyncio.timeout_at(min(until - _RECORDING_SECONDS, within(LOOK_SECONDS))):
                anyone = ANYONE in ruled.rule.approvers.users
                if anyone or await self._ports.people.approvers(ruled.rule, user_id, 1):
                    return ruled
        except (TimeoutError, AwayError):
            return ruled
        return Refusal("denied", no_approver(words, ruled.rule), "NoApprover", ruled.rule)

    async def _record(  # noqa: PLR0913  # as `submit`
        self,
        words: Words,
        request: Request,
        ruled: Permitted,
        until: float,
        retry: Retry | None,
        *,
        own: bool,
        breakable: bool,
    ) -> Message:
        """Record the request and return the answer; if the ledger is down, nothing happens."""
        state, patience = first_state(ruled)
        accepting = self._ports.ledger.accept(request, state, patience=patience, retry=retry)
        facts = facts_of(request)
        log_facts = _log_facts("accepted", request.origin, facts)
        found = await recorded_in_time(accepting, _NOT_RECORDED, log_facts, until=until)
        match found:
            case NothingDone():
                return refused(words, found)
            case Accepted(entry):
                self._ports.changed(request)
                if state is not State.CONFIRMING:
                    self._ports.start(self._ports.process(entry))
                elif retry and not own:
                    self._ports.start(self._ask_requester(entry, retry.by))
                return _taken_on(words, entry, own=own, breakable=breakable)
            case Duplicate(entry):
                # An earlier request may happen to have the same id; one that was withdrawn is not recorded.
                same = entry.request.origin.trigger_id == request.origin.trigger_id
                withdrawn = entry.state is State.ENDED and entry.outcome is None
                if same and not withdrawn:
                    return _taken_on(words, entry, own=own, breakable=breakable)
                return refused(words, NothingDone.LEDGER_DOWN)
            case UnderWay() | Undelivered() | SharedBefore() | SharedLongAgo():
                shared = isinstance(found, SharedBefore | SharedLongAgo)
                kind = "shared before" if shared else "under way"
                await self.record_event(kind, request.origin, facts, until)
                return self._why_not(words, found, request, own=own)
            case AlreadyRetried():
                return refused(words, NothingDone.RETRIED_ALREADY)
            case TooManyBatches():
                too_many = {"outcome": "denied", "detail": "TooManyBatches"}
                await self.record_event("denied", request.origin, facts | too_many, until)
                return too_many_batches(words, request, MOST_WAITING)
            case _:
                assert_never(found)

    def _why_not(
        self,
        words: Words,
        found: UnderWay | Undelivered | SharedBefore | SharedLongAgo,
        request: Request,
        *,
        own: bool,
    ) -> Message:
        """Say that `request` was made before; its requester reads that, unless somebody else retries for them."""
        if isinstance(found, SharedLongAgo):
            return shared_long_ago(words, found.share)
        entry = found.entry
        earlier = entry.request
        theirs = own and earlier.origin.user_id == request.origin.user_id
        link = self._ports.link(entry.place, own=theirs)
        if isinstance(found, UnderWay):
            return under_way(words, earlier, link)
        if isinstance(found, Undelivered) and entry.outcome:
            own_answer = earlier if theirs else replace(earlier, approval=None)
            told = answer(words, own_answer, entry.outcome, called_again=entry.called_again)
            return untold(words, earlier, told)
        ended = entry.ended or entry.created
        return shared_before(words, earlier, ended, link, request.reason if own else None)

    async def _ask_requester(self, entry: Entry, by: str) -> None:
        """Ask the requester to confirm a request that somebody else retries for them."""
        request = entry.request
        words = self._ports.languages.of[request.language]
        question = confirmation(words, request, entry.until or 0.0, by)
        # In a direct message: where the button is, Slack would show it only if they are looking there now.
        directly = replace(request.origin, channel_id=request.origin.user_id)
        await self._ports.tell_privately(directly, question)

    async def record_event(
        self, what: str, origin: Origin, facts: Mapping[str, object], until: float = math.inf
    ) -> None:
        """Record an event that changes no request; if the ledger is down, only log it."""
        recording = self._ports.ledger.record_event(what, origin, facts)
        log_facts = _log_facts(what, origin, facts)
        await in_time(recording, _NOT_RECORDED, log_facts, until=until)


def _log_facts(what: str, origin: Origin, facts: Mapping[str, object]) -> dict[str, object]:
    """Return the extras of the log line for an event that the ledger does not take."""
    return {"what": what, **who_of(origin), **facts}


def _taken_on(words: Words, entry: Entry, *, own: bool, breakable: bool = False) -> Message:
    match entry.state:
        case State.CONFIRMING if not own:
            return requester_asked(words, entry.request, entry.until or 0.0)
        case State.CONFIRMING:
            return confirmation(words, entry.request, entry.until or 0.0)
        case State.WAITING:
            return sent_to_approvers(words, entry.request, breakable=breakable and own)
        case _:
            return accepted(words, entry.request)
