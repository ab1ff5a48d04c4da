"""Deadlines: how long an answer waits for the ledger, a person or an env's readiness, before it goes on without them."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from bot.domain.outcome import AfterCall, Finished, Outcome, Readiness, Shared
from bot.domain.request import Origin, State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.writer import PATIENCE as LEDGER_PATIENCE
from bot.ledger.writer import InDoubtError, LedgerDownError
from bot.messages.click_replies import NothingDone
from bot.messages.words import Words
from bot.workflow.ports import Ports, ReadinessCheck

LOOK_SECONDS = 2.0
"""Seconds that an answer waits for Slack or WeChat to tell what it can do without."""

_MODAL_SECONDS = 0.5  # of the three for which a trigger opens a modal
_SPARE = 0.4  # seconds before the deadline, kept for the answer itself

_Answer = TypeVar("_Answer")
_Other = TypeVar("_Other")

_log = logging.getLogger(__name__)


def within(seconds: float) -> float:
    """Return the deadline `seconds` from now, by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def in_time(
    work: Awaitable[_Answer],
    missing: str,
    facts: Mapping[str, object] | None = None,
    *,
    until: float = math.inf,
) -> _Answer | None:
    """Return the ledger's answer if it comes within the ledger's own limit and by `until`, a deadline of the loop's clock.

    None if it is down or too slow, which is logged as `missing`, with `facts` as extras.
    """
    answered = await recorded_in_time(work, missing, facts, until=until)
    return None if isinstance(answered, NothingDone) else answered


async def recorded_in_time(
    work: Awaitable[_Answer],
    missing: str,
    facts: Mapping[str, object] | None = None,
    *,
    until: float = math.inf,
) -> _Answer | NothingDone:
    """Do as `in_time`, but return what the user reads if the ledger did not take it, or may not have."""
    try:
        if until > within(LEDGER_PATIENCE):  # a second timeout would end nothing sooner
            return await work
        async with asyncio.timeout_at(until):
            return await work
    except (TimeoutError, LedgerDownError) as error:
        reason = str(error) or "no answer in time"
        _log.error(missing, extra={**(facts or {}), "reason": reason})  # a trace would say no more
        return not_recorded(error)


def not_recorded(error: TimeoutError | LedgerDownError) -> NothingDone:
    """Return what the user reads after this error of something that was to be recorded."""
    in_doubt = isinstance(error, TimeoutError | InDoubtError)
    return NothingDone.IN_DOUBT if in_doubt else NothingDone.LEDGER_DOWN


async def answer_by(until: float, work: Awaitable[_Answer], otherwise: _Other) -> _Answer | _Other:
    """Return what Slack or WeChat answer by `until`, a deadline of the loop's clock, else `otherwise`."""
    try:
        async with asyncio.timeout_at(until):
            return await work
    except TimeoutError:
        return otherwise


async def modal_words(ports: Ports, origin: Origin, groups: frozenset[str]) -> Words:
    """Return the words in the language of the user of a modal, or the channel's if Slack does not answer at once who they are."""
    person = ports.people.person(origin.team_id, origin.user_id, groups)
    return ports.languages.to(await answer_by(within(_MODAL_SECONDS), person, None))


def look_until(until: float = math.inf) -> float:
    """Return until when an answer that is due `until` then waits for what it can do without."""
    return min(until - _SPARE, within(LOOK_SECONDS))


async def readiness_in_time(
    readiness: ReadinessCheck, owner: str, env: str, until: float = math.inf
) -> Readiness:
    """Return an env's readiness if it is known within two seconds and before `until`, else UNKNOWN; never raises."""
    try:
        return await answer_by(look_until(until), readiness(owner, env), Readiness.UNKNOWN)
    except Exception:  # noqa: BLE001  # the answer does not depend on it
        _log.exception("unforeseen error")
        return Readiness.UNKNOWN


async def has_ended(ledger: Ledger, request_id: str) -> bool:
    """Tell whether a request has an outcome; False if the ledger does not answer."""
    finding = ledger.find(request_id)
    entry = await in_time(finding, "the ledger does not tell whether a request has ended")
    return entry is not None and entry.state in {State.ANSWERED, State.ENDED}


async def after_share(
    readiness: ReadinessCheck, ledger: Ledger, entry: Entry, outcome: Outcome
) -> AfterCall:
    """Return what else the answer to a share or a batch says: the env's readiness, and whether the steps are known."""
    if not (
        isinstance(outcome, Shared) or (isinstance(outcome, Finished) and outcome.tally.shared)
    ):
        return AfterCall()
    found = await readiness_in_time(readiness, entry.request.owner, entry.request.env)
    left, told = found is not Readiness.READY, entry.told_steps
    if left and told is None:  # the answer was owed, or another replica's
        reading = ledger.told_steps(entry.request)
        told = await in_time(reading, "the ledger does not tell of earlier shares")
    return AfterCall(found, told_before=left and bool(told))
