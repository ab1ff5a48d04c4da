"""For how long the ledger is waited for in the tests: what takes two seconds at most may take more on a busy machine."""

from bot.ledger.database import POSTGRESQL, REACHING
from bot.ledger.writer import PATIENCE, Writer

PATIENT = 30.0

_SETTINGS = {name: int(value) for name, value in POSTGRESQL.items() if value.isdigit()}


def let_the_ledger_take(seconds: float) -> None:
    """Let whoever uses the ledger in this process wait so long for it, and PostgreSQL give up as much later."""
    _, *others = Writer.__init__.__defaults__ or ()
    Writer.__init__.__defaults__ = (seconds, *others)
    REACHING["connect_timeout"] = round(seconds)
    for name, milliseconds in _SETTINGS.items():
        POSTGRESQL[name] = str(round(milliseconds * seconds / PATIENCE))
