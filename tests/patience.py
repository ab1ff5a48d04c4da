"""How long the bot waits in the tests: what takes two seconds at most may take more on a busy machine."""

from importlib import import_module

from bot.ledger.database import POSTGRESQL, REACHING
from bot.ledger.writer import PATIENCE, Writer

PATIENT = 30.0

_SETTINGS = {name: int(value) for name, value in POSTGRESQL.items() if value.isdigit()}
_ANSWERS = {
    ("bot.workflow.deadline", "_LEDGER_SECONDS"): 2.0,
    ("bot.workflow.slash_command", "_ACK_SECONDS"): 2.6,
    ("bot.slack.forms", "_ACK_SECONDS"): 2.3,
    ("bot.workflow.form", "_WECHAT_SECONDS"): 1.5,
}
"""What bounds an answer, of the three seconds that Slack waits for it."""


def let_the_ledger_take(seconds: float) -> None:
    """Let whoever uses the ledger in this process wait so long for it, and PostgreSQL give up as much later."""
    _, *others = Writer.__init__.__defaults__ or ()
    Writer.__init__.__defaults__ = (seconds, *others)
    REACHING["connect_timeout"] = round(seconds)
    for name, milliseconds in _SETTINGS.items():
        POSTGRESQL[name] = str(round(milliseconds * seconds / PATIENCE))


def let_answers_take(times: float) -> None:
    """Let an answer of the bot's in this process take so many times as long as Slack lets it."""
    for (module, name), seconds in _ANSWERS.items():
        setattr(import_module(module), name, seconds * times)
