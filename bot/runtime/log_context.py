"""The request that is being worked on, so that every record logged meanwhile can name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# The only state of a module: asyncio keeps it apart for each task, and a task inherits it from whoever starts it.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


@contextmanager
def about(request_id: str) -> Iterator[None]:
    """Let records logged in this context name this request; none if the id is empty."""
    before = _REQUEST.set(request_id or None)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_in_hand() -> str | None:
    """Return the id of the request that is being worked on, if any."""
    return _REQUEST.get()
