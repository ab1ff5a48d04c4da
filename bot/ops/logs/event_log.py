"""The ledger's events in the log: one line for each, written once it is committed, with the request's id."""

import logging

from bot.ledger import Event

_log = logging.getLogger("bot.events")


def log_event(event: Event) -> None:
    """Write one line for one event: its kind, and those of its facts that there are."""
    facts = {name: fact for name, fact in event.facts.items() if fact is not None and fact != ""}
    if isinstance(seconds := facts.get("seconds"), float):
        facts["seconds"] = round(seconds, 3)
    _log.info(event.kind, extra=facts)
