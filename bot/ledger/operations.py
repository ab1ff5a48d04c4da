"""Operations on the ledger: they run in the writer's thread, in one transaction each."""

import asyncio
from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from bot.ledger.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


def operation(
    writer: Writer, work: Callable[Concatenate[Connection, P], T]
) -> Callable[P, asyncio.Future[T]]:
    """Return a function that runs `work`."""
    return partial(writer.run, work)


class Operations:
    """Methods that run in transactions of a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer


Self = TypeVar("Self", bound=Operations)


def in_transaction(
    work: Callable[Concatenate[Self, Connection, P], T],
) -> Callable[Concatenate[Self, P], asyncio.Future[T]]:
    """Make a method run in the writer's thread, within a transaction, and return a future."""

    @wraps(work)
    def run(self: Self, /, *given: P.args, **named: P.kwargs) -> asyncio.Future[T]:
        return self._writer.run(partial(work, self), *given, **named)

    return run
