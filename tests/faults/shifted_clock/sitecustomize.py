"""Shift the wall clock of a Python process with this folder on its path: CLOCK names a file with the offset in seconds.

SQLite's clock is the process's. Monotonic clocks are not shifted, nor is `datetime.now`, which the bot uses only for
log lines without a time of their own.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

_true_time: Callable[[], float] = time.time


def _shifted_time() -> float:
    return _true_time() + float(Path(os.environ["CLOCK"]).read_text(encoding="ascii"))


time.time = _shifted_time
