"""Shift the wall clock of a Python process with this folder on its path: CLOCK names a file with the offset in seconds.

SQLite asks the system for the time itself, so its function is shifted, too. Monotonic clocks are not, nor is
`datetime.now`, which the bot uses only for log lines without a time of their own.
"""

import os
import sqlite3.dbapi2
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_true_time: Callable[[], float] = time.time
_true_connect: Callable[..., sqlite3.Connection] = sqlite3.dbapi2.connect
_UNIX_EPOCH = 2440587.5  # a Julian day


def _shifted_time() -> float:
    return _true_time() + float(Path(os.environ["CLOCK"]).read_text(encoding="ascii"))


def _shifted_connect(*arguments: Any, **more: Any) -> sqlite3.Connection:
    connection = _true_connect(*arguments, **more)
    connection.create_function("julianday", 1, lambda _now: _UNIX_EPOCH + _shifted_time() / 86400.0)
    return connection


time.time = _shifted_time
sqlite3.dbapi2.connect = _shifted_connect  # type: ignore[assignment]  # that has several signatures
