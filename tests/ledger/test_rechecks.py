"""Requests in doubt: which of them a replica looks at once more, and how often."""

import pytest

from bot.ledger.ledger import Ledger
from tests.databases import Database
from tests.ledger.conftest import accepted

DUE = "UPDATE requests SET recheck = 1, doubted = :doubted"


@pytest.mark.parametrize(("days", "again"), [(0.5, True), (1.5, False)])
async def test_a_look_that_fails_is_repeated_for_a_day_after_the_doubt(
    database: Database, ledger: Ledger, days: float, again: bool
) -> None:
    entry = await accepted(ledger)
    database.execute(DUE, doubted=database.now() - days * 86_400)
    taken = await ledger.rechecks.due()
    assert taken is not None
    assert taken[0].request == entry.request
    assert await ledger.rechecks.due() is None
    (row,) = database.rows("SELECT recheck FROM requests")
    assert (row["recheck"] is not None) is again


@pytest.mark.parametrize("days", [0.5, 1.5])
async def test_a_look_that_succeeds_is_the_last_unless_a_later_call_ends_in_doubt(
    database: Database, ledger: Ledger, days: float
) -> None:
    entry = await accepted(ledger)
    for doubted_since in (False, True):
        database.execute(DUE, doubted=database.now() - days * 86_400)
        taken = await ledger.rechecks.due()
        assert taken is not None
        if doubted_since:
            ledger.rechecks.in_doubt(entry.request.id)
        await ledger.rechecks.done(*taken)
        (row,) = database.rows("SELECT recheck FROM requests")
        assert (row["recheck"] is not None) is doubted_since


async def test_a_look_asked_for_is_repeated_for_a_day_after_it_was(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    database.execute("UPDATE requests SET created = :long_ago", long_ago=database.now() - 3e6)
    ledger.rechecks.soon(entry.request.id)
    taken = await ledger.rechecks.due()
    (row,) = database.rows("SELECT recheck FROM requests")
    assert row["recheck"] is not None, "a failed look is due again"
    assert taken is not None
    await ledger.rechecks.done(*taken)
    (row,) = database.rows("SELECT recheck FROM requests")
    assert row["recheck"] is None, "a look that succeeds is the last: there was no call to wait for"


async def test_a_look_asked_for_after_a_call_in_doubt_is_not_the_last(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    ledger.rechecks.in_doubt(entry.request.id)
    ledger.rechecks.soon(entry.request.id)
    taken = await ledger.rechecks.due()
    assert taken is not None
    await ledger.rechecks.done(*taken)
    (row,) = database.rows("SELECT recheck - doubted AS after FROM requests")
    assert row["after"] == pytest.approx(ledger.rechecks.after)


async def test_a_look_is_due_at_once_if_the_clock_was_set_back_and_once_more_after_it(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    later = database.now() + 7200
    setting = "UPDATE requests SET recheck = :later + 45, doubted = :later"
    database.execute(setting, later=later)
    taken = await ledger.rechecks.due()
    assert taken is not None
    assert taken[0].request == entry.request
    assert await ledger.rechecks.due() is None
    await ledger.rechecks.done(*taken)
    (row,) = database.rows("SELECT recheck FROM requests")
    assert row["recheck"] == pytest.approx(database.now() + ledger.rechecks.after, abs=9)
