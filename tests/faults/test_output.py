"""A bot whose output cannot be written."""

import os
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.faults.recovery import assert_survives
from tests.faults.rig import start_rig
from tests.faults.table import WORKED, Fault

pytestmark = pytest.mark.slow

OUTPUTS = {
    Fault("The bot itself", "standard output is closed", WORKED): ("stdout", None),
    Fault("The bot itself", "standard output is full", WORKED): ("stdout", "/dev/full"),
    Fault("The bot itself", "the log is closed", WORKED): ("stderr", None),
    Fault("The bot itself", "the log is full", WORKED): ("stderr", "/dev/full"),
}
FAULTS = tuple(OUTPUTS)


@pytest.mark.parametrize("fault", OUTPUTS, ids=str)
async def test_the_bot_works_and_exits_properly_while_its_output_cannot_be_written(
    fault: Fault, tmp_path: Path
) -> None:
    which, path = OUTPUTS[fault]
    async with start_rig(tmp_path) as rig:
        await rig.bot.end(SIGTERM)
        end = os.open(path, os.O_WRONLY) if path else closed_pipe()
        try:
            await rig.bot.launch(**{which: end})
        finally:
            os.close(end)
        await rig.slack.until(lambda slack: slack.sockets.connections > 0)
        await assert_survives(rig, fault, lambda rig: rig.answer())


def closed_pipe() -> int:
    """Return the writing end of a pipe that is never read."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing
