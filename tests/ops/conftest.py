from pathlib import Path

import pytest

from bot.ledger.database import open_database


@pytest.fixture
def ledger(environ: dict[str, str], database: Path) -> Path:
    """A ledger that no bot is using."""
    opened = open_database(environ["DATABASE_URL"])
    opened.engine.dispose()
    opened.release()
    return database
