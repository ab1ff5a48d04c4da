"""The ledger on both kinds of database: a SQLite file for each test, and a database on a real PostgreSQL."""

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from bot.domain.request import Origin, Request, Retry, State
from bot.ledger.acceptance import Accepted
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from tests.conftest import soon
from tests.databases import Database, PostgreSQL
from tests.patience import PATIENT

SOON = PATIENT - 5.0
"""Seconds within which the ledger reports that it is down, even on a busy machine; less than callers wait for it."""
PATIENCE = 1000.0
"""Seconds for which requests wait for people, unless a test says otherwise."""

_numbers = count(1)


@pytest.fixture
async def ready_on_postgresql(postgresql: PostgreSQL) -> AsyncIterator[Database]:
    """A database that already has the ledger's tables, like the file of `sqlite`."""
    database = Database(postgresql.ready())
    yield database
    await database.close()
    postgresql.give_back(database.url)


@pytest.fixture(params=["sqlite", "ready_on_postgresql"], ids=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Database)
    return found


@pytest.fixture
async def ledger(database: Database) -> Ledger:
    """The ledger of the replica `a`, which has started."""
    ledger = database.ledger("a")
    await ledger.start()
    database.statements.clear()
    database.commits.clear()
    return ledger


@pytest.fixture
async def other(database: Database, ledger: Ledger) -> Ledger:
    """The ledger of the replica `b`, beside `a`."""
    del ledger  # it has to start first
    other = database.ledger("b")
    await other.start()
    return other


def new_request(**changes: Any) -> Request:
    """Return a new request with these changes; `trigger` is its trigger_id."""
    number = next(_numbers)
    trigger = changes.pop("trigger", f"trigger-{number}")
    origin = Origin(
        team_id="T1",
        user_id="U1",
        channel_id="C1",
        channel_name="releases",
        trigger_id=trigger,
        response_url="https://hooks.example/secret",
    )
    request = Request(
        id=f"request-{number}",
        origin=origin,
        appid="wx5fe6bb43205e9e70",
        env=f"env-{number}",
        owner="wx0123456789abcdef",
        rule="platform team",
        reason="for the launch",
    )
    return replace(request, **changes)


async def accepted(
    ledger: Ledger,
    request: Request | None = None,
    state: State = State.ACCEPTED,
    retry: Retry | None = None,
    *,
    patience: float = PATIENCE,
) -> Entry:
    """Record a request, which waits for people this long if its state is to wait."""
    waits = patience if state in {State.CONFIRMING, State.WAITING} else None
    found = await ledger.accept(request or new_request(), state, patience=waits, retry=retry)
    assert isinstance(found, Accepted)
    return found.entry


async def all_requests(ledger: Ledger) -> list[Entry]:
    """Return all requests of `new_request`'s requester, newest first."""
    return await ledger.history(("T1", "U1"), None, 999)


async def current(ledger: Ledger, entry: Entry) -> Entry:
    """Return the request's current entry."""
    found = await ledger.find(entry.request.id)
    assert found is not None
    return found


async def cancel_at_commit(database: Database, call: Awaitable[object]) -> None:
    """Cancel a call just before the commit of its transaction; the ledger then learns that it was committed."""
    with database.holding() as reached:
        calling = asyncio.ensure_future(call)
        await soon(reached)
        calling.cancel()
        await asyncio.wait([calling])
        assert calling.cancelled()


class FullOnce:
    """A disk that is full at the next commit, which waits until the test lets it fail."""

    def __init__(self, database: Database) -> None:
        self.reached, self.may_fail = threading.Event(), threading.Event()
        event.listen(database.opened[0].engine, "commit", self._commit, once=True)

    def _commit(self, _: Connection) -> None:
        self.reached.set()
        self.may_fail.wait()
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let it fail at the end of the context."""
        try:
            yield
        finally:
            self.may_fail.set()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that other users may enter; root's rights are given up during the test, if it has them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ledger-")))
        folder.chmod(0o755)
        if os.geteuid() == 0:
            stack.callback(os.seteuid, 0)
        yield folder


def become_nobody() -> None:
    """Give up root's rights; the fixture `as_nobody` restores them."""
    if os.geteuid() == 0:
        os.seteuid(65534)
