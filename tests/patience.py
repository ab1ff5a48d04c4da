"""Longer timeouts of the bot for the tests: a busy machine needs more than the real ones."""

from importlib import import_module

from bot.ledger.engine import POSTGRESQL, REACHING
from bot.ledger.thread import WriterThread
from bot.ledger.writer import PATIENCE

PATIENT = 30.0

_SETTINGS = {name: int(value) for name, value in POSTGRESQL.items() if value.isdigit()}
_ANSWERS = {
    ("bot.workflow.slash_command", "_ACK_SECONDS"): 2.6,
    ("bot.slack.forms", "_ACK_SECONDS"): 2.3,
    ("bot.workflow.form", "_WECHAT_SECONDS"): 1.5,
}
"""The limits within Slack's three seconds for an ack."""


def let_the_ledger_take(seconds: float) -> None:
    """Set how long this process waits for the ledger, and lengthen PostgreSQL's timeouts in proportion."""
    defaults = WriterThread.__init__.__kwdefaults__ or {}
    WriterThread.__init__.__kwdefaults__ = defaults | {"patience": seconds}
    REACHING["connect_timeout"] = round(seconds)
    for name, milliseconds in _SETTINGS.items():
        POSTGRESQL[name] = str(round(milliseconds * seconds / PATIENCE))


def let_answers_take(times: float) -> None:
    """Multiply the limits for answers of a bot in this process."""
    for (module, name), seconds in _ANSWERS.items():
        setattr(import_module(module), name, seconds * times)
