"""Find out whether a shared env can be used: soon or not at all, since no answer waits for it long."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial

from bot.domain.outcome import Finished, Outcome, Shared
from bot.domain.readiness import AfterShare, Readiness
from bot.domain.request import Request
from bot.ledger import Ledger
from bot.workflow.deadline import in_time, within

MOST_SECONDS = 2.0
_SPARE = 0.4  # seconds of an ack, for the answer itself

Look = Callable[[str, str], Awaitable[Readiness]]
"""Tells whether an owner's env can be used by others."""

_log = logging.getLogger(__name__)


async def unknown(owner: str, env: str) -> Readiness:
    """Look at nothing."""
    del owner, env
    return Readiness.UNKNOWN


async def looked(look: Look, owner: str, env: str, until: float = math.inf) -> Readiness:
    """Return what `look` tells within MOST_SECONDS, and for an answer that has to be there by `until`; never raises."""
    try:
        async with asyncio.timeout_at(min(until - _SPARE, within(MOST_SECONDS))):
            return await look(owner, env)
    except TimeoutError:
        return Readiness.UNKNOWN
    except Exception:  # noqa: BLE001  # an answer does not fail for want of this
        _log.exception("unforeseen error")
        return Readiness.UNKNOWN


async def after_share(look: Look, ledger: Ledger, request: Request, outcome: Outcome) -> AfterShare:
    """Return what the answer to a request, or to a batch, has to say of a share beyond that."""
    match outcome:
        case Shared():
            told = partial(ledger.shared_to, request.owner, request.appid, request.id)
        case Finished(tally) if tally.shared:
            told = partial(ledger.batches.shared_to_all, request.id)
        case _:
            return AfterShare()
    readiness = await looked(look, request.owner, request.env)
    if readiness is Readiness.READY:
        return AfterShare(readiness)  # nothing is left to do
    before = await in_time(told(), "the ledger does not tell of earlier shares")
    return AfterShare(readiness, told_before=bool(before))
