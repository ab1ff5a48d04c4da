"""Writes the ledger's events to the log once they are committed: one line each, with the request's id."""

import logging

from bot.ledger import Event

_log = logging.getLogger("bot.events")


def log_event(event: Event) -> None:
    """Log one event: its kind and the facts that it has."""
    facts = {name: fact for name, fact in event.facts.items() if fact is not None and fact != ""}
    if isinstance(seconds := facts.get("seconds"), float):
        facts["seconds"] = round(seconds, 3)
    _log.info(event.kind, extra=facts)
