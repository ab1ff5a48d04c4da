"""Which request is being worked on, so that whatever is logged meanwhile, by whomever, can name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# The one state of the whole process: asyncio keeps it apart for each task, and hands it on to what a task starts.
_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


@contextmanager
def about(request_id: str) -> Iterator[None]:
    """Say that what happens in this context is about this request; about none if the id is empty."""
    before = _REQUEST.set(request_id or None)
    try:
        yield
    finally:
        _REQUEST.reset(before)


def request_in_hand() -> str | None:
    """Return the id of the request that is being worked on, if any."""
    return _REQUEST.get()
