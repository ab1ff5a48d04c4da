"""The log as in production: on standard error, as lines, with secrets hidden."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from bot.observe.logs.setup import set_up


@contextmanager
def logging_as_in_production(
    level: str = "DEBUG", log_format: str = "text", secrets: Iterable[str] = ()
) -> Iterator[Callable[[Iterable[str]], None]]:
    """Log as the bot does; yield what hides more than the `secrets` of the settings, of which there are none by default."""
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    hide = set_up(level, log_format, secrets)
    try:
        yield hide
    finally:
        root.handlers[0].close()  # once all is written
        root.handlers[:] = handlers
        root.setLevel(before)
