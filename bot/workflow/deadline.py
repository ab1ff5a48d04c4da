"""How long an answer waits for the ledger, and for whether an env can be used; it goes on without what is not told."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from bot.domain.outcome import AfterShare, Finished, Outcome, Readiness, Shared
from bot.ledger import Entry, Ledger, LedgerDownError
from bot.workflow.ports import ReadinessCheck

PATIENCE = 20.0
"""Seconds for what goes on behind an ack: a click, a form."""

_LEDGER_SECONDS = 2.0
_LOOK_SECONDS = 2.0
_SPARE = 0.4  # seconds of an ack, for the answer itself

_Answer = TypeVar("_Answer")

_log = logging.getLogger(__name__)


def within(seconds: float) -> float:
    """Return when an answer has to be there that may take so long from now, by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def in_time(
    asking: Awaitable[_Answer],
    missing: str,
    facts: Callable[[], Mapping[str, object]] = dict,
    *,
    until: float = math.inf,
) -> _Answer | None:
    """Return what the ledger answers; None if it does not in time, which is logged as `missing`, with what `facts` returns.

    In time for an answer that has to be there by `until` of the loop's clock.
    """
    try:
        async with asyncio.timeout_at(min(until, within(_LEDGER_SECONDS))):
            return await asking
    except (TimeoutError, LedgerDownError) as error:
        reason = str(error) or "no answer in time"
        _log.error(missing, extra={**facts(), "reason": reason})  # a trace would say no more
        return None


async def readiness_in_time(
    look: ReadinessCheck, owner: str, env: str, until: float = math.inf
) -> Readiness:
    """Return what `look` tells within two seconds, and for an answer that has to be there by `until`; never raises."""
    try:
        async with asyncio.timeout_at(min(until - _SPARE, within(_LOOK_SECONDS))):
            return await look(owner, env)
    except TimeoutError:
        return Readiness.UNKNOWN
    except Exception:  # noqa: BLE001  # an answer does not fail for want of this
        _log.exception("unforeseen error")
        return Readiness.UNKNOWN


async def after_share(
    look: ReadinessCheck, ledger: Ledger, entry: Entry, outcome: Outcome
) -> AfterShare:
    """Return what the answer to a request, or to a batch, has to say of a share beyond that."""
    if not (
        isinstance(outcome, Shared) or (isinstance(outcome, Finished) and outcome.tally.shared)
    ):
        return AfterShare()
    request, told = entry.request, entry.told_steps
    readiness = await readiness_in_time(look, request.owner, request.env)
    if readiness is Readiness.READY:
        return AfterShare(readiness)  # nothing is left to do
    if told is None:
        asking = ledger.told_steps(request, outcome)
        told = await in_time(asking, "the ledger does not tell of earlier shares")
    return AfterShare(readiness, told_before=bool(told))
