"""The links of WeChat's token chain, each obtained with the one before, and the state of each.

A token that others keep, a fixed one or a token server's, has the state of an owner's token too.
"""

from dataclasses import KW_ONLY, dataclass
from enum import Enum

from bot.guidance import Guidance


class Link(Enum):
    """One link; the value is its name in the ledger and in the log."""

    TICKET = "ticket"
    """component_verify_ticket, which WeChat pushes to the platform every ten minutes."""
    PLATFORM = "platform"
    """component_access_token, the platform's own."""
    OWNER = "owner"
    """authorizer_access_token, an owner's."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """The state of one link; times in Unix seconds. `owner` is the appid of the token's owner, for Link.OWNER only."""

    link: Link
    owner: str | None
    _: KW_ONLY
    good_until: float | None
    renewed: float | None
    trouble: Guidance | None = None
    """Why the last renewal failed, if none has succeeded since."""
    trouble_at: float | None = None
    address: str | None = None
    """The bot's address, as WeChat saw it, if it refused that."""
    left: float = 0.0
    """For how many seconds it is still good, whatever this machine's clock says: the times are by the database's."""
