"""How long an answer waits for the ledger, and that it goes on without what the ledger does not tell or take."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from bot.ledger import LedgerDownError

PATIENCE = 20.0
"""Seconds for what goes on behind an ack: a click, a form."""

_LEDGER_SECONDS = 2.0

_Answer = TypeVar("_Answer")

_log = logging.getLogger(__name__)


def within(seconds: float) -> float:
    """Return when an answer has to be there that may take so long from now, by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds


async def in_time(
    asking: Awaitable[_Answer],
    missing: str,
    facts: Mapping[str, object] | None = None,
    *,
    until: float = math.inf,
) -> _Answer | None:
    """Return what the ledger answers; None if it does not in time, which is logged as `missing`, with these facts.

    In time for an answer that has to be there by `until` of the loop's clock.
    """
    try:
        async with asyncio.timeout_at(min(until, within(_LEDGER_SECONDS))):
            return await asking
    except (TimeoutError, LedgerDownError) as error:
        reason = str(error) or "no answer in time"
        _log.error(missing, extra={**(facts or {}), "reason": reason})  # a trace would say no more
        return None
