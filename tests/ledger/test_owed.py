"""Owed messages: they wait in the ledger until a replica posts them."""

import pytest

from bot.domain.outcome import Expired, Outcome, Shared
from bot.domain.request import State
from bot.ledger.engine import parse
from bot.ledger.entries import Entry
from bot.ledger.events import Event
from bot.ledger.inspection import open_read_only, owed
from bot.ledger.ledger import Ledger
from bot.ledger.replica import _FIRST_PAUSE, _LONGEST_PAUSE
from tests.conftest import soon
from tests.databases import Database
from tests.ledger.conftest import accepted, current


async def answered(ledger: Ledger, outcome: Outcome | None = None) -> Entry:
    entry = await accepted(ledger)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.record_outcome(await current(ledger, entry), outcome or Shared(), 0.1, ())
    return await current(ledger, entry)


@pytest.mark.parametrize(
    ("outcome", "past"),
    [
        (Shared(), {"created": 100.0}),
        (Shared(), {"created": 900.0, "decided": 100.0}),  # by a click
        (Expired("approval"), {"created": 900.0, "decided": 800.0, "until": 100.0}),
    ],
)
async def test_whoever_delivers_an_answer_tells_how_long_it_took_apart_from_the_wait_for_people(
    database: Database, ledger: Ledger, outcome: Outcome, past: dict[str, float]
) -> None:
    told = list[Event]()
    other = database.ledger("b", listeners=[told.append])
    await other.start()
    entry = await answered(ledger, outcome)
    began = database.now()
    for column, ago in past.items():
        database.execute(f"UPDATE requests SET {column} = :at", at=began - ago)  # noqa: S608  # the names above
    await ledger.replica.owe(entry, "HTTP 503", 0.0)
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await other.replica.take_over(9)
    assert await other.end(taken, "delivered")
    await soon(lambda: told)
    assert told[-1].facts["answer"] == type(outcome).__name__.lower()
    seconds = told[-1].facts["answer_seconds"]
    assert isinstance(seconds, float)
    assert 99.9 < seconds < 100.1 + database.now() - began


async def test_an_owed_message_has_no_holder_until_it_is_due_and_then_the_first_replica_takes_it(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await answered(ledger)
    await ledger.replica.owe(entry, "HTTP 503", 3600.0)
    assert await other.replica.take_over(9) == await ledger.replica.take_over(9) == []
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await other.replica.take_over(9)
    assert (taken.state, taken.outcome) == (State.ANSWERED, Shared())
    assert taken.owed_since == pytest.approx(database.now(), abs=60)
    assert taken.taken_over == 0  # no replica has crashed
    assert "taken over" not in database.kinds()
    assert await other.end(taken, "delivered")


async def test_the_pauses_grow_within_limits_and_are_at_least_as_long_as_slack_asks(
    database: Database, ledger: Ledger
) -> None:
    entry = await answered(ledger)
    for since, at_least, wanted in (
        (0.0, 0.0, _FIRST_PAUSE),
        (60.0, 0.0, 20.0),
        (60.0, 500.0, 500.0),
        (1e6, 0.0, _LONGEST_PAUSE),
    ):
        began = database.now()
        database.execute("UPDATE requests SET owed = :at, holder = 'it'", at=began - since)
        await ledger.replica.owe(await current(ledger, entry), "HTTP 503", at_least)
        (row,) = database.rows("SELECT wake, owed FROM requests")
        took = database.now() - began
        assert wanted - 0.1 <= row["wake"] - began <= wanted + 2 * took + 0.1
        assert row["owed"] == pytest.approx(began - since, abs=0.01)


async def test_an_owed_message_does_not_wait_for_a_clock_that_was_set_back(
    database: Database, ledger: Ledger
) -> None:
    entry = await answered(ledger)
    await ledger.replica.owe(entry, "HTTP 503")
    database.execute("UPDATE requests SET owed = owed + 172800, wake = wake + 172800")
    (taken,) = await ledger.replica.take_over(9)
    await ledger.replica.owe(taken, "HTTP 503", 3600.0)
    assert await ledger.replica.take_over(9) == []
    again = await current(ledger, entry)
    assert again.owed_since == pytest.approx(database.now(), abs=60)


async def test_the_reason_of_an_owed_message_is_recorded_once(
    database: Database, ledger: Ledger
) -> None:
    entry = await answered(ledger)
    await ledger.replica.owe(entry, "not sent")
    await ledger.replica.owe(entry, "not sent")  # as after a commit in doubt
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await ledger.replica.take_over(9)
    await ledger.replica.owe(taken, "HTTP 503")
    (event,) = database.rows("SELECT request, detail FROM events WHERE kind = 'owed'")
    assert event == {"request": entry.request.id, "detail": "not sent"}


@pytest.mark.parametrize(
    ("state", "to"), [(State.ACCEPTED, State.PLACED), (State.WAITING, State.WAITING)]
)
async def test_no_earlier_message_is_owed_once_a_request_has_moved_on(
    database: Database, ledger: Ledger, state: State, to: State
) -> None:
    entry = await accepted(ledger, state=state)
    await ledger.replica.owe(entry, "HTTP 503")
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await ledger.replica.take_over(9)
    assert await ledger.place(taken, "C1/1.5")
    now = await current(ledger, entry)
    assert (now.state, now.owed_since, now.wake) == (to, None, None)


async def test_a_question_is_owed_no_more_once_it_is_asked(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.WAITING, patience=60.0)
    await ledger.replica.owe(entry, "HTTP 503")
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await ledger.replica.take_over(9)
    assert await ledger.asked(taken, "C2/1.5", taken.half_time)
    assert (await current(ledger, entry)).owed_since is None


async def test_every_replica_knows_the_age_of_the_oldest_owed_message(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await answered(ledger)
    await ledger.replica.owe(entry, "HTTP 503")
    database.execute("UPDATE requests SET owed = :at", at=database.now() - 400.0)
    await other.replica.heartbeat()
    assert other.replica.owed_seconds == pytest.approx(400.0, abs=60)
    database.execute("UPDATE requests SET wake = 1")
    (taken,) = await other.replica.take_over(9)
    assert await other.end(taken, "delivered")
    await other.replica.heartbeat()
    assert other.replica.owed_seconds == 0.0


async def test_a_clock_that_was_set_back_makes_no_negative_age(
    database: Database, ledger: Ledger
) -> None:
    await ledger.replica.owe(await answered(ledger), "HTTP 503")
    database.execute("UPDATE requests SET owed = owed + 3600")
    with open_read_only(parse(database.url)) as engine:
        assert owed(engine) == (1, 0.0)
