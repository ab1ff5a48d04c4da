"""A thread that formats and writes log records, so that neither the event loop nor the ledger's thread waits for it.

Records that arrive shortly after each other are written in one call: each write releases the GIL, and getting it back
next to a busy event loop takes milliseconds.
"""

import logging
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TextIO

from bot.ops.logs.lines import message_of
from bot.runtime.tasks import current_request_id

_TOGETHER = 0.02
"""Seconds for which more records are collected before a write; a bot that is killed loses those."""
MOST = 10_000
"""The maximum of queued records; more are dropped and counted."""
_PATIENCE = 1.0
"""Seconds that a flush waits for a blocked stream."""


class LogWriter(logging.Handler):
    """Writes records to a stream from its own thread; what the stream does not accept is dropped."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._records: SimpleQueue[logging.LogRecord | threading.Event | None] = SimpleQueue()
        self._dropped = 0
        self._flushing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, with the request id of the calling task or thread."""
        if self._records.qsize() >= MOST:
            self._dropped += 1
            return
        # Format now: the arguments may have changed by the time the line is written.
        record.msg, record.args = message_of(record), None
        record.request = getattr(record, "request", None) or current_request_id()
        self._records.put(record)

    def flush(self) -> None:
        """Wait until everything logged so far is written, for at most a second."""
        written = threading.Event()
        self._records.put(written)
        self._flushing.set()
        written.wait(_PATIENCE)

    def close(self) -> None:
        """Write the queued records, and end the thread."""
        self._records.put(None)
        self._flushing.set()
        self._thread.join(_PATIENCE)
        super().close()

    def _serve(self) -> None:
        closing = False
        while not closing:
            taken = [self._records.get()]
            self._flushing.wait(_TOGETHER)
            self._flushing.clear()
            while not self._records.empty():
                taken.append(self._records.get())
            self._write([each for each in taken if isinstance(each, logging.LogRecord)])
            for each in taken:
                if isinstance(each, threading.Event):
                    each.set()
            closing = None in taken

    def _write(self, records: list[logging.LogRecord]) -> None:
        if self._dropped:
            records.append(_too_many(self._dropped))
            self._dropped = 0
        # A full disk, a closed stream, no memory: later records may be written.
        with suppress(Exception):
            self._stream.write("".join(f"{self.format(record)}\n" for record in records))
            self._stream.flush()


def _too_many(lines: int) -> logging.LogRecord:
    told = {"levelname": "WARNING", "msg": "lines of the log were dropped", "lines": lines}
    return logging.makeLogRecord({"name": __name__, **told})
