"""A bot whose output cannot be written."""

import os
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.faults.endings import survives
from tests.faults.fire import fire
from tests.faults.table import WORKED, Fault

pytestmark = pytest.mark.slow

UNHEARD = {
    Fault("The bot itself", "standard output is closed", WORKED): ("stdout", None),
    Fault("The bot itself", "standard output is full", WORKED): ("stdout", "/dev/full"),
    Fault("The bot itself", "the log is closed", WORKED): ("stderr", None),
    Fault("The bot itself", "the log is full", WORKED): ("stderr", "/dev/full"),
}
FAULTS = tuple(UNHEARD)


@pytest.mark.parametrize("fault", UNHEARD, ids=str)
async def test_the_bot_survives_any_failure_of_its_output(fault: Fault, tmp_path: Path) -> None:
    which, path = UNHEARD[fault]
    async with fire(tmp_path) as burning:
        await burning.bot.end(SIGTERM)
        end = os.open(path, os.O_WRONLY) if path else closed_pipe()
        try:
            await burning.bot.launch(**{which: end})
        finally:
            os.close(end)
        await burning.slack.until(lambda slack: slack.sockets.connections > 0)
        await survives(burning, fault, lambda burning: burning.answer())


def closed_pipe() -> int:
    """Return the writing end of a pipe that is never read."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing
