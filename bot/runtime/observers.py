"""The callbacks by which the rooms report what they did, to whoever counts it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


def nobody(*_: object) -> None:
    """Tell nobody."""


Acked = Callable[[str, float], None]
"""Hears which kind of payload Slack got its ack for, and after how many seconds."""

CalledSlack = Callable[[str, str], None]
"""Hears which method of Slack's Web API was called, and how that ended."""

CalledWeChat = Callable[[str, str, float], None]
"""Hears which call WeChat got, its answer (an errcode, or the trouble that stood in for one), and the seconds it took."""

Refused = Callable[[str, Enum], None]
"""Hears at which path a post was refused, and why: the name is for whoever counts, the value for whoever reads."""

Renewed = Callable[[str, str], None]
"""Hears which link of the token chain was renewed or read, and how that ended."""

Transacted = Callable[[float, bool], None]
"""Hears how many seconds the ledger took for one piece of work, waiting included, and whether it took it."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who hears of what; each returns at once and never raises, and by default nobody listens.

    `connected` and `parted` are about Socket Mode, the second with Slack's reason; `reloaded` hears whether a newer
    policy file was taken; `unheard` hears which kind of payload nobody listens to; `lagged` hears how many seconds late the loop came to what was due.
    """

    acked: Acked = nobody
    unheard: Callable[[str], None] = nobody
    called_slack: CalledSlack = nobody
    connected: Callable[[], None] = nobody
    parted: Callable[[str], None] = nobody
    called_wechat: CalledWeChat = nobody
    refused: Refused = nobody
    renewed: Renewed = nobody
    transacted: Transacted = nobody
    reloaded: Callable[[bool], None] = nobody
    lagged: Callable[[float], None] = nobody
