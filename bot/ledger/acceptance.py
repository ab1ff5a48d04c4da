"""What can become of a request that is handed to the ledger."""

from dataclasses import dataclass

from bot.ledger.entries import Entry


@dataclass(frozen=True, slots=True)
class Accepted:
    """Recorded, and held by this replica."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Known:
    """The same trigger was recorded before."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The same env is being shared with the same appid."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class SharedBefore:
    """The same env was shared with the same appid."""

    entry: Entry


Acceptance = Accepted | Known | UnderWay | SharedBefore
