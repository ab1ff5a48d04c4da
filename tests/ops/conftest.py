from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.app.running import running
from bot.ledger.database import open_database
from bot.playground.loopback import free_port
from bot.runtime.clock import Runtime
from tests.conftest import settings_of
from tests.ops.served import Served


@pytest.fixture
def ledger(environ: dict[str, str], database: Path) -> Path:
    """A ledger that no bot is using."""
    opened = open_database(environ["DATABASE_URL"])
    opened.engine.dispose()
    opened.release()
    return database


@pytest.fixture
def served(http: aiohttp.ClientSession) -> Served:
    """The listener of a bot to be started."""
    return Served(http, free_port())


@pytest.fixture
def listening(environ: dict[str, str], served: Served) -> dict[str, str]:
    """The environment of a bot over Socket Mode with an HTTP listener."""
    return environ | {"PORT": str(served.port)}


@pytest.fixture
async def watched(
    listening: dict[str, str], runtime: Runtime, served: Served
) -> AsyncIterator[Served]:
    """The listener of a bot that runs over Socket Mode and is ready."""
    async with running(settings_of(listening), runtime):
        await served.becomes(200, {})
        yield served
