"""Set up logging: one line for each event on standard error, including uncaught exceptions, written by a thread.

So neither the event loop nor the ledger's thread waits for it. Records that arrive shortly after each other are written
in one call: each write releases the GIL, and getting it back next to a busy event loop takes milliseconds.
"""

import logging
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import TextIO

from bot.observe.logs.lines import LineFormatter, message_of
from bot.observe.logs.redaction import Redactor
from bot.runtime.tasks import current_request_id

_TOGETHER = 0.02
"""Seconds for which more records are collected before a write; a bot that is killed loses those."""
MOST = 10_000
"""The maximum of queued records; more are dropped and counted."""
_PATIENCE = 1.0
"""Seconds that a flush waits for a blocked stream."""

_log = logging.getLogger(__name__)


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


def set_up(level: str, log_format: str | None, secrets: Iterable[str]) -> None:
    """Send all log records of the process to standard error, redacted; as text on a terminal, else as JSON."""
    as_json = log_format == "json" or (log_format is None and not sys.stderr.isatty())
    handler = LogWriter(_own_stream())
    handler.setFormatter(LineFormatter(Redactor(secrets), as_json=as_json))
    # Not used in any line, so not collected. Source: docs.python.org, howto/logging (Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These log each HTTP request and each reconnect: only useful for debugging.
    quiet = logging.NOTSET if level == "DEBUG" else max(logging.WARNING, logging.root.level)
    for noisy in ("slack_bolt", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(quiet)
    # It logs the URL of each request, also at debug: ours say which call it was.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, logging.root.level))
    # It quotes malformed requests, and anybody can send thousands; our own errors there are logged by `ops.listener`.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def _own_stream() -> TextIO:
    """Return a stream on standard error for the log alone.

    A blocked write holds its stream's lock, and Python flushes `sys.stderr` before it exits: it would wait for that lock.
    """
    try:
        file = sys.stderr.fileno()
    except OSError:  # not a file, such as in a test
        return sys.stderr
    return open(file, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def log_uncaught() -> None:
    """Log uncaught exceptions, of the process, of threads and of destructors, and all warnings."""
    sys.excepthook = _of_process
    threading.excepthook = partial(_log_error, "an error that nobody caught ends a thread")
    sys.unraisablehook = partial(_log_error, "an error that could not be raised")
    logging.captureWarnings(capture=True)


def _of_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _log.critical("an error that nobody caught ends the bot", exc_info=(kind, error, trace))


def _log_error(what: str, args: "threading.ExceptHookArgs | sys.UnraisableHookArgs") -> None:
    _log.error(what, exc_info=args.exc_value or True)
