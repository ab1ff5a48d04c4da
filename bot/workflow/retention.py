"""Delete what is older than the ledger is to keep it, once a day, whichever replica comes first."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

from bot.ledger.deletion import Busy, Deleted, Unsendable
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError

_PAUSE = 0.25  # seconds between two transactions, in which acks are sent

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Deletes what ended more than `days` ago, and what the collector at `url`, if there is one, has.

    `now` is Unix time, `idle` sleeps, `every` is how many seconds are between two looks.
    """

    ledger: Ledger
    days: int
    url: str | None
    now: Callable[[], float]
    idle: Callable[[float], Awaitable[None]]
    every: float

    async def run(self) -> None:
        """Delete until cancelled: most at the first look after midnight, in UTC, and nothing at the others."""
        while True:
            await self.idle(_PAUSE if await self._some() else self.every)

    async def _some(self) -> bool:
        """Delete a few; return whether there may be more."""
        try:
            done = await self.ledger.delete_old(self.now(), self.days, self.url)
        except LedgerDownError as error:
            _log.warning("what is old was not deleted", extra={"reason": str(error)})
            return False
        except Exception:  # noqa: BLE001  # the next look is due too
            _log.exception("unforeseen error")
            return False
        match done:
            case Deleted():
                return bool(done)
            case Unsendable(count):
                _log.warning("what is old is kept until AUDIT_URL has it", extra={"unsent": count})
                return False
            case Busy():  # another replica goes on
                return False
            case _:
                assert_never(done)
