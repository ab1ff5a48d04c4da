"""What is old is deleted, also beside other replicas and by some that are killed; that something was shared is kept."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from bot.domain.kept import KeptShare
from bot.domain.outcome import Failed, Finished, Outcome, Shared, SkipReason, Tally, Unknown
from bot.domain.request import Request, State
from bot.guidance import all_guidance
from bot.ledger.acceptance import Accepted, SharedLongAgo
from bot.ledger.click_moves import Move
from bot.ledger.collector import key_of
from bot.ledger.deletion import DAY, Busy, Deleted, Unsendable, delete_old
from bot.ledger.entries import Entry
from bot.ledger.events import record_event
from bot.ledger.ledger import Ledger
from tests.databases import Database
from tests.ledger.conftest import accepted, new_request
from tests.ledger.test_events import ORIGIN

URL = "https://collector.example/events"
NOW = 4_000_000_000.0  # later than the database's clock, which counts then
DAYS = 30
APPID = "wx5fe6bb43205e9e70"
PAIR = (APPID, "wx00000000000000aa")


async def ended(ledger: Ledger, request: Request, outcome: Outcome) -> Entry:
    entry = await accepted(ledger, request)
    if request.appids:
        assert await ledger.place(entry, "C1/1.1")
        assert await ledger.batches.end(entry, Shared(), Shared())
    answered = await ledger.record_outcome(entry, outcome)
    assert answered
    assert await ledger.end(answered, "delivered")
    return answered


def age(database: Database, days: float) -> None:
    """Let all that was happen so many days earlier."""
    seconds = days * DAY
    database.execute("UPDATE requests SET created = created - :s, ended = ended - :s", s=seconds)
    database.execute("UPDATE events SET at = at - :s", s=seconds)


async def delete_all(ledger: Ledger, url: str | None = None) -> Deleted:
    """Delete until nothing is left; return how much."""
    requests = events = 0
    while True:
        done = await ledger.delete_old(NOW, DAYS, url)
        assert isinstance(done, Deleted)
        if not done:
            return Deleted(requests, events)
        requests, events = requests + done.requests, events + done.events


def there(database: Database) -> set[str]:
    return {str(row["id"]) for row in database.rows("SELECT id FROM requests")}


def told(database: Database) -> list[object]:
    return [
        row["detail"] for row in database.rows("SELECT detail FROM events WHERE kind = 'deleted'")
    ]


async def test_only_what_ended_long_ago_and_is_done_with_goes_with_its_events(
    database: Database, ledger: Ledger
) -> None:
    gone = [
        await ended(ledger, new_request(), Shared()),
        await ended(ledger, new_request(), Failed(all_guidance()[0])),
        await ended(ledger, new_request(), Unknown(all_guidance()[0])),
        await ended(ledger, new_request(appid="", appids=PAIR), Finished(Tally(total=2))),
    ]
    waiting = await accepted(ledger, state=State.WAITING)
    owed = await accepted(ledger)
    assert await ledger.record_outcome(owed, Shared())
    doubted = await ended(ledger, new_request(), Shared())
    open_batch = await accepted(ledger, new_request(appid="", appids=PAIR))
    assert await ledger.place(open_batch, "C1/1.1")
    assert await ledger.batches.end(open_batch, Shared(), Shared())
    retried = await ended(ledger, new_request(), Failed(all_guidance()[0]))
    await ledger.writer.run(record_event, "mistake", ORIGIN, {})
    age(database, 3)
    new = await ended(ledger, new_request(), Shared())
    age(database, DAYS - 1)
    database.execute("UPDATE requests SET recheck = 1 WHERE id = :id", id=doubted.request.id)
    await ledger.writer.run(record_event, "retried", ORIGIN, {"request": retried.request.id})
    await ledger.writer.run(record_event, "denied", ORIGIN, {})
    before = there(database)
    assert len(before) == 14
    done = await delete_all(ledger)
    ids = {entry.request.id for entry in gone}
    batch = gone[-1].request.id
    assert before - there(database) == ids | {f"{batch}-1", f"{batch}-2"}
    assert done.requests == 6
    of = {row["request"] for row in database.rows("SELECT request FROM events")}
    assert of == there(database) | {None}
    assert {waiting.request.id, owed.request.id, new.request.id} < of
    kinds = [row["kind"] for row in database.rows("SELECT kind FROM events WHERE request IS NULL")]
    assert sorted(kinds) == ["deleted", "denied"]
    assert len(told(database)) == 1
    assert str(told(database)[0]).startswith(f"6 requests and {done.events} events from before 20")


async def test_a_day_on_which_nothing_is_old_has_no_event(
    database: Database, ledger: Ledger
) -> None:
    await ended(ledger, new_request(), Shared())
    age(database, DAYS - 1)
    assert await delete_all(ledger) == Deleted()
    assert told(database) == []


async def test_nothing_goes_by_a_clock_that_is_ahead(database: Database, ledger: Ledger) -> None:
    await ended(ledger, new_request(), Shared())
    assert await ledger.delete_old(NOW, DAYS, None) == Deleted()  # this machine's
    age(database, DAYS + 2)
    assert await ledger.delete_old(0.0, DAYS, None) == Deleted()  # the database's


async def test_what_was_shared_counts_as_shared_before_for_ever_and_names_nobody(
    database: Database, ledger: Ledger
) -> None:
    single = await ended(ledger, new_request(env="one"), Shared())
    failed = await ended(ledger, new_request(env="none"), Failed(all_guidance()[0]))
    batch = await ended(
        ledger, new_request(env="two", appid="", appids=PAIR), Finished(Tally(total=2))
    )
    age(database, DAYS + 2)
    await delete_all(ledger)
    assert there(database) == set()
    found = await ledger.accept(new_request(env="one"))
    assert isinstance(found, SharedLongAgo)
    assert (found.share.request, found.share.owner) == (single.request.id, single.request.owner)
    assert isinstance(await ledger.accept(new_request(env="two", appid=PAIR[1])), SharedLongAgo)
    assert isinstance(await ledger.find_told(f"{batch.request.id}-2"), KeptShare)
    assert await ledger.find_told(failed.request.id) is None
    assert await ledger.find_told("\0") is None
    about = await ledger.past_requests(("T1", "U1"), PAIR[0], 9)
    assert [share.env for share in about if isinstance(share, KeptShare)] == ["two", "one"]
    assert await ledger.past_requests(("T1", "U1"), None, 9) == []
    assert len(await ledger.past_shares("two", 9)) == 2
    assert await ledger.past_shares("none", 9) == []
    assert sorted(await ledger.envs(9)) == ["one", "two"]
    columns = database.rows("SELECT * FROM kept_shares")[0].keys()
    assert set(columns) == {"request", "env", "appid", "owner", "ended"}
    # All the same, it can be shared again, and what was not shared can be shared.
    assert isinstance(await ledger.accept(new_request(env="one", again=True)), Accepted)
    assert isinstance(await ledger.accept(new_request(env="none")), Accepted)
    items = await accepted(
        ledger, new_request(env="two", appid="", appids=(*PAIR, "wx00000000000000ab"))
    )
    assert await ledger.place(items, "C1/1.1")
    assert await ledger.batches.queue(items)
    left_out = database.rows("SELECT detail FROM events WHERE kind = 'left out'")
    assert [row["detail"] for row in left_out] == [SkipReason.SHARED_BEFORE.value] * 2


@pytest.mark.parametrize("again", [False, True])
async def test_a_click_finds_a_share_that_was_made_and_deleted_while_the_request_waited(
    database: Database, ledger: Ledger, again: bool
) -> None:
    if again:  # shared before it was asked for, and known then
        await ended(ledger, new_request(env="one"), Shared())
    waits = await accepted(ledger, new_request(env="one", again=again), State.WAITING)
    if not again:
        somebody = replace(new_request().origin, user_id="U9", trigger_id="another")
        await ended(ledger, new_request(env="one", origin=somebody), Shared())
    age(database, DAYS + 2)
    await delete_all(ledger)
    moved = await ledger.clicks.move(waits, Move(State.ACCEPTED, "U2", "approved"))
    assert moved
    assert (moved.outcome is None) is again


async def test_nothing_goes_that_the_collector_does_not_have(
    database: Database, ledger: Ledger
) -> None:
    collector = ledger.collector(URL)
    await collector.due(9)
    await ended(ledger, new_request(), Shared())
    age(database, DAYS + 2)
    left = await collector.due(9)
    assert len(left.rows) == 3
    assert await ledger.delete_old(NOW, DAYS, URL) == Unsendable(3)
    await collector.took(left, int(str(left.rows[1]["id"])))
    assert await ledger.delete_old(NOW, DAYS, URL) == Unsendable(1)
    await collector.took(await collector.due(9), int(str(left.rows[2]["id"])))
    assert await delete_all(ledger, URL) == Deleted(1, 3)
    after = await collector.due(9)
    assert [row["kind"] for row in after.rows] == ["deleted"]
    (row,) = database.rows("SELECT key FROM collectors")
    assert row["key"] == key_of(URL)


async def test_a_large_batch_goes_whole_and_many_requests_in_several_transactions(
    database: Database, ledger: Ledger
) -> None:
    appids = tuple(f"wx{number:016x}" for number in range(150))
    await ended(ledger, new_request(appid="", appids=appids), Finished(Tally(total=150)))
    for _ in range(3):
        await ended(ledger, new_request(), Shared())
    age(database, DAYS + 2)
    first = await ledger.delete_old(NOW, DAYS, None)
    second = await ledger.delete_old(NOW, DAYS, None)
    assert isinstance(first, Deleted)
    assert isinstance(second, Deleted)
    assert {first.requests, second.requests} == {151, 3}


async def test_replicas_at_once_delete_once_and_tell_once(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    for _ in range(5):
        await ended(ledger, new_request(), Shared())
    age(database, DAYS + 2)

    async def work(one: Ledger) -> int:
        total = 0
        while done := await one.delete_old(NOW, DAYS, None):
            total += done.requests if isinstance(done, Deleted) else 0
            await asyncio.sleep(0)
        return total

    assert sum(await asyncio.gather(work(ledger), work(other))) == 5
    assert told(database) == [told(database)[0]]
    assert len(database.rows("SELECT * FROM kept_shares")) == 5


async def test_while_one_replica_deletes_another_does_not_wait_for_it(
    on_postgresql: Database,
) -> None:
    ledger = on_postgresql.ledger("a")
    await ledger.start()
    await ledger.delete_old(NOW, DAYS, None)  # which makes the row
    with on_postgresql.engine.begin() as held:
        held.execute(text("SELECT * FROM deletions FOR UPDATE"))
        assert isinstance(await ledger.delete_old(NOW, DAYS, None), Busy)


async def test_after_a_death_in_the_midst_another_replica_deletes_the_rest_and_tells_of_all(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    for _ in range(3):
        await ended(ledger, new_request(), Shared())
    age(database, DAYS + 2)
    before = there(database)

    def half(on: Connection) -> None:
        assert delete_old(on, NOW, DAYS, None) == Deleted(3, 9)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ledger.writer.run(half)
    assert there(database) == before
    assert database.rows("SELECT * FROM kept_shares") == []
    assert await ledger.delete_old(NOW, DAYS, None) == Deleted(3, 9)  # and dies before it tells
    assert told(database) == []
    assert await other.delete_old(NOW, DAYS, None) == Deleted()
    assert [str(each)[:25] for each in told(database)] == ["3 requests and 9 events f"]
