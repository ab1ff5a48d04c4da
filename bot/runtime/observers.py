"""How news is passed on: the callbacks by which the rooms report what they did, and a topic with many listeners."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


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
"""Hears how many seconds the ledger took for one piece of work, waiting included, and whether it took it; in any thread."""


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


def _nothing(_: object) -> Mapping[str, object]:
    return {}


class Topic(Generic[T]):
    """Tells its listeners in the order in which they came; each returns at once, whatever it begins."""

    def __init__(self, facts: Callable[[T], Mapping[str, object]] = _nothing) -> None:
        """Take `facts`, which returns what the log says of the news over which a listener broke."""
        self._facts = facts
        self._listeners: list[Callable[[T], None]] = []

    def hear(self, listener: Callable[[T], None]) -> None:
        """Tell `listener` of all news from now on."""
        self._listeners.append(listener)

    def tell(self, news: T) -> None:
        """Tell all who listen; one that breaks is logged, and stops neither the others nor whoever tells."""
        for listener in self._listeners:
            try:
                listener(news)
            except Exception:  # noqa: BLE001  # whoever looks on must not stop who works
                _log.exception("unforeseen error", extra=self._facts(news))
