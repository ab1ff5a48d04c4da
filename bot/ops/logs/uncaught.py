"""What nobody caught and what Python warns of go through the log: by themselves they would stand on standard error as they are."""

import logging
import sys
import threading
from types import TracebackType

_log = logging.getLogger(__name__)


def log_uncaught() -> None:
    """Log, from now on, what ends the process, a thread or an object's life, and each warning."""
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
