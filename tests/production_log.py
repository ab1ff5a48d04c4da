"""The log as in production: on standard error, as lines, with secrets hidden."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from bot.observe.logs.setup import set_up

_LIBRARIES = ("slack_bolt", "slack_sdk", "aiohttp.access", "aiohttp.server", "alembic", "httpx")


@contextmanager
def logging_as_before() -> Iterator[None]:
    """Undo at the end what the bot does to the process's log, its warnings and its errors that nobody catches."""
    loggers = [logging.getLogger(name) for name in (None, *_LIBRARIES)]
    levels = [logger.level for logger in loggers]
    root, handlers = loggers[0], loggers[0].handlers[:]
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()  # once all is written
        root.handlers[:] = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)


@contextmanager
def logging_as_in_production(
    level: str = "DEBUG", log_format: str = "text", secrets: Iterable[str] = ()
) -> Iterator[Callable[[Iterable[str]], None]]:
    """Log as the bot does; yield what hides more than the `secrets` of the settings, of which there are none by default."""
    with logging_as_before():
        yield set_up(level, log_format, secrets)
