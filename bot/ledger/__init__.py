"""The ledger: the durable record of requests, their events and tokens; written before anybody is told anything."""

from bot.ledger.acceptance import (
    Acceptance,
    Accepted,
    AlreadyRetried,
    Duplicate,
    SharedBefore,
    TooManyBatches,
    UnderWay,
)
from bot.ledger.database import open_database
from bot.ledger.entries import Entry
from bot.ledger.events import Event
from bot.ledger.lease import LEASE
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError

__all__ = [
    "LEASE",
    "Acceptance",
    "Accepted",
    "AlreadyRetried",
    "Duplicate",
    "Entry",
    "Event",
    "Ledger",
    "LedgerDownError",
    "SharedBefore",
    "TooManyBatches",
    "UnderWay",
    "open_database",
]
