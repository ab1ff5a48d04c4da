"""Set up logging: one line for each event on standard error, including uncaught exceptions, written by a thread.

So neither the event loop nor the ledger's thread waits for it.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from types import TracebackType
from typing import TextIO

from bot.observe.logs.lines import LineFormatter
from bot.observe.logs.redaction import Redactor

MOST = 10_000
"""The maximum of queued lines; more are dropped and counted."""
_PATIENCE = 1.0
"""Seconds that a flush waits for a blocked stream."""
_REACHED = "reached"
"""The field of a record that is no line, but has the event that a flush waits for."""

_log = logging.getLogger(__name__)


class LogQueue(QueueHandler):
    """Formats each record where it is logged, and queues the line for the thread that writes it to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = SimpleQueue[logging.LogRecord]()
        super().__init__(self._lines)
        self._dropped = 0
        self._blocked = False
        self._writer = _Writer(self._lines, stream)
        self._writer.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return a record of the line alone."""
        return logging.makeLogRecord({"msg": self.format(record)})

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a line, after one that tells how many were dropped before it, if any."""
        if self._lines.qsize() >= MOST:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.put(self.prepare(_too_many(self._dropped)))
            self._dropped = 0
        self._lines.put(record)

    def flush(self) -> None:
        """Wait until everything logged so far is written, for at most a second."""
        reached = threading.Event()
        self._lines.put(logging.makeLogRecord({_REACHED: reached}))
        self._blocked = not reached.wait(_PATIENCE)

    def close(self) -> None:
        """Flush, so that no line of the handler that follows overtakes one of these, and let the thread end.

        At exit logging has just flushed: if the stream is blocked, that second was enough.
        """
        if not self._blocked:
            self.flush()
        self._writer.enqueue_sentinel()
        super().close()


class _Writer(QueueListener):
    """Writes lines from its own thread; what the stream does not accept is lost.

    It has no handler for that: at exit, logging waits for the lock of each, which one with a blocked stream would hold.
    """

    def __init__(self, lines: SimpleQueue[logging.LogRecord], stream: TextIO) -> None:
        super().__init__(lines)
        self._stream = stream

    def handle(self, record: logging.LogRecord) -> None:
        """Write a line, or tell a flush that all before it are written."""
        if reached := getattr(record, _REACHED, None):
            reached.set()
            return
        # A full disk, a closed stream, no memory: later lines may be written.
        with suppress(Exception):
            self._stream.write(f"{record.getMessage()}\n")
            self._stream.flush()


def _too_many(lines: int) -> logging.LogRecord:
    told = {"levelname": "WARNING", "msg": "lines of the log were dropped", "lines": lines}
    return logging.makeLogRecord({"name": __name__, **told})


def set_up(
    level: str, log_format: str | None, secrets: Iterable[str]
) -> Callable[[Iterable[str]], None]:
    """Send all log records of the process to standard error, redacted; as text on a terminal, else as JSON.

    Returns what hides more secrets besides, from the next record on.
    """
    as_json = log_format == "json" or (log_format is None and not sys.stderr.isatty())
    handler = LogQueue(_own_stream())
    known = set[str]()

    def hide(more: Iterable[str]) -> None:
        known.update(more)
        handler.setFormatter(LineFormatter(Redactor(known), as_json=as_json))

    hide(secrets)
    # Not used in any line, so not collected. Source: docs.python.org, howto/logging (Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # These log each HTTP request and each reconnect: only useful for debugging.
    quiet = logging.NOTSET if level == "DEBUG" else max(logging.WARNING, logging.root.level)
    for noisy in ("slack_bolt", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(quiet)
    # It logs the URL of each request, also at debug: ours say which call it was.
    logging.getLogger("httpx").setLevel(max(logging.WARNING, logging.root.level))
    # It quotes malformed requests, and anybody can send thousands; our own errors there are logged by `runtime.listener`.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    return hide


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
