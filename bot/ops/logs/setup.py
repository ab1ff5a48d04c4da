"""Set up logging: one line for each event on standard error, including uncaught exceptions."""

import logging
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import TextIO

from bot.ops.logs.lines import LineFormatter
from bot.ops.logs.redaction import Redactor
from bot.ops.logs.writer import LogWriter

_log = logging.getLogger(__name__)


def _untraced(record: logging.LogRecord) -> bool:
    """Reduce errors of aiohttp's server to their type and place: their texts quote strangers' requests."""
    error = record.exc_info[1] if record.exc_info else None
    record.exc_info = record.exc_text = record.stack_info = None
    if error is not None:
        where = [f"{Path(f.f_code.co_filename).name}:{n}" for f, n in walk_tb(error.__traceback__)]
        vars(record).update(error=type(error).__name__, at=where[-1] if where else None)
    return True


def set_up(level: str, log_format: str | None, secrets: Iterable[str]) -> None:
    """Send all log records of the process to standard error, redacted; as text on a terminal, else as JSON."""
    as_json = log_format == "json" or (log_format is None and not sys.stderr.isatty())
    handler = LogWriter(_own_stream())
    handler.setFormatter(LineFormatter(Redactor(secrets), as_json=as_json))
    # Not used in any line, so not collected. Source: docs.python.org, howto/logging (Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_untraced)
    # These log each HTTP request and each reconnect: only useful for debugging.
    quiet = logging.NOTSET if level == "DEBUG" else max(logging.WARNING, logging.root.level)
    for noisy in ("slack_bolt", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(quiet)


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
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_object
    logging.captureWarnings(capture=True)


def _of_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _log.critical("an error that nobody caught ends the bot", exc_info=(kind, error, trace))


def _of_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else None
    _log.critical(
        "an error that nobody caught ends a thread",
        exc_info=args.exc_value or True,
        extra={"thread_name": name},
    )


def _of_object(args: "sys.UnraisableHookArgs") -> None:
    told = {"doing": args.err_msg, "object": repr(args.object)}
    _log.error("an error that could not be raised", exc_info=args.exc_value or True, extra=told)
