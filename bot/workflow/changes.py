"""Tell whoever listens that a request has moved, without knowing who that is."""

import logging
from collections.abc import Callable

from bot.domain.request import Request

Changed = Callable[[Request], None]
"""Hears of a request that has moved; returns at once, whatever it begins."""

_log = logging.getLogger(__name__)


def unheard(_: Request) -> None:
    """Tell nobody."""


class Changes:
    """Passes each change on to all who listen."""

    def __init__(self) -> None:
        self._listeners: list[Changed] = []

    def hear(self, listener: Changed) -> None:
        """Tell `listener` of all that changes from now on."""
        self._listeners.append(listener)

    def tell(self, request: Request) -> None:
        """Say that a request has moved, once that is in the ledger; no listener can get in its way."""
        for listener in self._listeners:
            try:
                listener(request)
            except Exception:  # noqa: BLE001  # whoever looks on must not stop who works
                _log.exception("unforeseen error", extra={"request": request.id})
