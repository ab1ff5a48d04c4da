"""The id of the request that the current task works on, for its log lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# The only module state: asyncio has a copy for each task, which a task inherits from its creator.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


@contextmanager
def log_request(request_id: str) -> Iterator[None]:
    """Add this request's id to all log records of the context; an empty id adds none."""
    before = _REQUEST.set(request_id or None)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def current_request_id() -> str | None:
    """Return the id of the request in this context, if any."""
    return _REQUEST.get()
