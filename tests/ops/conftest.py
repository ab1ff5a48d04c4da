from pathlib import Path

import pytest

from bot.ledger.database import open_database
from bot.runtime.clock import Runtime


@pytest.fixture
def ledger(environ: dict[str, str], database: Path) -> Path:
    """A ledger that no bot is using."""
    opened = open_database(environ["DATABASE_URL"], Runtime())
    opened.engine.dispose()
    opened.release()
    return database
