"""Pass news on to all who listen, without knowing who that is."""

import logging
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


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
