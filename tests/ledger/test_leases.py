import asyncio
import sys
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import Connection, event, text

from bot.domain.outcome import Failed, Shared
from bot.domain.request import Retry, State
from bot.guidance import all_guidance
from bot.ledger.click_moves import Move
from bot.ledger.entries import Entry
from bot.ledger.lease import LEASE
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError
from bot.runtime.clock import since_boot
from tests.conftest import no_room, soon
from tests.databases import Database, PostgreSQL, ledger_of, writes
from tests.ledger.conftest import (
    SOON,
    FullOnce,
    accepted,
    cancel_at_commit,
    current,
    new_request,
    within,
)

SHORT = 0.05
"""Seconds of a short lease."""


def ids(entries: list[Entry]) -> list[str]:
    return [entry.request.id for entry in entries]


@pytest.fixture
async def gone(database: Database, ledger: Ledger) -> Ledger:
    """The ledger of a replica that renews its lease once and never again."""
    del ledger  # it has to start first
    gone = database.ledger("gone", SHORT)
    await gone.replica.heartbeat()
    return gone


async def test_requests_are_taken_over_only_after_the_lease_has_expired(
    database: Database, ledger: Ledger, other: Ledger, gone: Ledger
) -> None:
    await accepted(ledger)
    await accepted(other)
    entry = await accepted(gone)
    await database.lease_over("gone")
    taken = await ledger.replica.take_over(9)
    assert taken == [replace(entry, fence=2, taken_over=1)]
    assert await ledger.replica.take_over(9) == await other.replica.take_over(9) == []
    assert database.kinds() == ["accepted"] * 3 + ["taken over"]
    (event,) = database.rows("SELECT request, env, detail FROM events WHERE kind = 'taken over'")
    assert [*event.values()] == [entry.request.id, entry.request.env, "number 1"]


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


SILENT = [
    pytest.param([0.0, 2.0, 4.0, LEASE], [False, False, False, True], id="for a lease"),
    pytest.param([0.0, LEASE - 0.1], [False, False], id="for less"),
    pytest.param(
        [0.0, 60.0, 64.0, 60.0 + LEASE],
        [False, False, False, True],
        id="while this one slept, or the database was down",
    ),
]


@pytest.mark.parametrize(("looks", "taken"), SILENT)
async def test_a_replica_counts_as_silent_by_the_clock_of_the_one_that_takes_over(
    on_postgresql: Database, looks: list[float], taken: list[bool]
) -> None:
    clock = Clock()
    taker = on_postgresql.ledger("taker", clock=clock, silence=LEASE)
    gone = on_postgresql.ledger("gone")
    await gone.start()
    await accepted(gone)
    on_postgresql.execute("UPDATE replicas SET lease_until = 1")  # the database's clock jumped
    found = list[bool]()
    for look in looks:
        clock.now = 1000.0 + look
        found.append(bool(await taker.replica.take_over(9)))
    assert found == taken


async def test_no_live_replica_is_taken_over_from_after_a_jump_of_the_databases_clock(
    on_postgresql: Database,
) -> None:
    clock = Clock()
    taker = on_postgresql.ledger("taker", clock=clock, silence=LEASE)
    alive = on_postgresql.ledger("alive", clock=clock, silence=LEASE)
    await alive.start()
    await accepted(alive)
    for _ in range(9):
        await alive.replica.heartbeat()
        on_postgresql.execute("UPDATE replicas SET lease_until = lease_until - 300")
        clock.now += LEASE / 2
        assert await taker.replica.take_over(9) == []


@pytest.mark.parametrize("leap", [60.0, -3600.0])
async def test_a_replica_that_is_cut_off_is_taken_over_from_as_its_own_lease_ends_wherever_the_databases_clock_leaps(
    on_postgresql: Database, leap: float
) -> None:
    clock = Clock()
    opened, cut_off = on_postgresql.open(), on_postgresql.ledger("cut off", clock=clock)
    taker = ledger_of(opened, "taker", clock=clock)  # with the silence of a real one
    on_postgresql.ledgers.append(taker)
    await cut_off.start()
    entry = await accepted(cut_off)
    on_postgresql.execute("UPDATE replicas SET lease_until = lease_until - :leap", leap=leap)
    looks, taken = 0, await taker.replica.take_over(9)
    while not taken and looks < 20:
        looks += 1
        clock.now += 0.5
        taken = await taker.replica.take_over(9)
        assert not (taken and cut_off.lease.covers(entry))
    assert looks * 0.5 == LEASE


async def test_what_a_replica_released_is_taken_over_at_the_first_look(
    on_postgresql: Database,
) -> None:
    taker, leaving = on_postgresql.ledger("taker", silence=LEASE), on_postgresql.ledger("b")
    await leaving.start()
    entry = await accepted(leaving)
    await leaving.close()
    assert ids(await taker.replica.take_over(9)) == ids([entry])


async def test_the_oldest_are_taken_over_first_and_no_more_than_asked(
    database: Database, ledger: Ledger, gone: Ledger
) -> None:
    entries = [await accepted(gone) for _ in range(7)]
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE requests SET created = :at WHERE id = :id"),
            [{"at": -number, "id": entry.request.id} for number, entry in enumerate(entries)],
        )
    entries.reverse()
    await database.lease_over("gone")
    assert await ledger.replica.take_over(0) == await ledger.replica.take_over(-1) == []
    assert ids(await ledger.replica.take_over(3)) == ids(entries[:3])
    assert ids(await ledger.replica.take_over(3)) == ids(entries[3:6])
    assert ids(await ledger.replica.take_over(3)) == ids(entries[6:])


async def test_ended_requests_are_not_taken_over(
    database: Database, ledger: Ledger, gone: Ledger
) -> None:
    ended, answered = await accepted(gone), await accepted(gone)
    await gone.end(ended, "withdrawn")
    await gone.place(answered, "C1/1.5")
    await gone.record_outcome(answered, Shared(2), 1.5, [])
    await database.lease_over("gone")
    (entry,) = await ledger.replica.take_over(9)
    assert entry == replace(
        answered,
        state=State.ANSWERED,
        place="C1/1.5",
        outcome=Shared(2),
        fence=2,
        taken_over=1,
    )


async def test_all_take_overs_after_clean_stops_count_as_one_and_each_after_a_crash_counts(
    database: Database, gone: Ledger
) -> None:
    await accepted(gone)
    leaving = gone
    for number in range(4):
        await leaving.replica.stop()
        leaving = database.ledger(f"deploy-{number}", SHORT)
        await leaving.replica.heartbeat()
        (entry,) = await leaving.replica.take_over(9)
        assert (entry.taken_over, entry.fence) == (1, number + 2)
    await database.lease_over("deploy-3")
    last = database.ledger("last")
    await last.replica.heartbeat()
    assert [entry.taken_over for entry in await last.replica.take_over(9)] == [2]


async def test_a_replica_does_not_take_over_its_own_requests(
    database: Database, gone: Ledger
) -> None:
    entry = await accepted(gone)
    await database.lease_over("gone")
    assert await gone.replica.take_over(9) == []
    assert await gone.place(entry, "C1/1.5")


async def test_two_replicas_that_take_over_at_once_get_different_requests(
    database: Database, ledger: Ledger, other: Ledger, gone: Ledger
) -> None:
    entries = [await accepted(gone) for _ in range(40)]
    await database.lease_over("gone")
    taken = await asyncio.gather(*(at.replica.take_over(7) for at in [ledger, other] * 4))
    assert sorted(each for some in taken for each in ids(some)) == sorted(ids(entries))


async def test_a_take_over_does_not_wait_for_rows_that_another_replica_is_taking(
    on_postgresql: Database,
) -> None:
    ledger, gone = on_postgresql.ledger("a"), on_postgresql.ledger("gone", SHORT)
    await ledger.start()
    await gone.start()
    first, second = await accepted(gone), await accepted(gone)
    await on_postgresql.lease_over("gone")
    with on_postgresql.engine.begin() as connection:
        connection.execute(
            text("SELECT id FROM requests WHERE id = :id FOR UPDATE"), {"id": first.request.id}
        )
        assert ids(await ledger.replica.take_over(9)) == ids([second])
    assert ids(await ledger.replica.take_over(9)) == ids([first])


# Waiting requests.


async def test_an_unconfirmed_request_has_no_holder_until_its_deadline(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await accepted(ledger, state=State.CONFIRMING, patience=60)
    (row,) = database.rows("SELECT holder, until, wake, created FROM requests")
    at = pytest.approx(row["created"] + 60, abs=0.01)
    assert (row["holder"], row["until"], row["wake"]) == (None, at, at)
    assert await ledger.replica.take_over(9) == await other.replica.take_over(9) == []
    database.execute("UPDATE requests SET until = 1, wake = 1")
    (taken,) = await ledger.replica.take_over(9)
    assert taken == replace(entry, fence=2, until=1, wake=1)  # and no replica has crashed
    assert taken.at > taken.created
    assert await other.replica.take_over(9) == []


async def test_a_replica_whose_lease_has_expired_may_finish_requests_that_no_other_took(
    database: Database, gone: Ledger
) -> None:
    entry = await accepted(gone)
    await database.lease_over("gone")
    assert await gone.end(entry, "withdrawn")


async def test_a_request_under_a_valid_lease_is_held_without_a_query(
    database: Database, ledger: Ledger, gone: Ledger
) -> None:
    entry = await accepted(gone)
    await gone.close()
    (taken,) = await ledger.replica.take_over(9)
    assert taken.request == entry.request
    its_own = await accepted(ledger)
    database.statements.clear()
    assert await ledger.replica.holds(its_own)
    assert await ledger.replica.holds(taken)
    assert database.statements == []


async def test_a_request_that_no_longer_waits_is_not_held(ledger: Ledger) -> None:
    entry = await accepted(ledger, state=State.WAITING, patience=1000.0)
    assert await ledger.place(entry, "C2/1.6")
    assert ledger.lease.covers(entry)
    moved = await ledger.clicks.move(entry, Move(State.PLACED, "U2", "approved"))
    assert moved
    assert not await ledger.place(entry, "C2/1.6")
    ledger.lease.released(entry)
    assert not ledger.lease.covers(entry)
    assert ledger.lease.covers(moved)


async def test_after_a_gap_in_the_lease_the_database_is_queried_for_the_holder(
    on_postgresql: Database,
) -> None:
    ledger, gone = on_postgresql.ledger("a"), on_postgresql.ledger("gone", SHORT)
    await ledger.start()
    await gone.start()
    kept, lost = await accepted(gone), await accepted(gone)
    await on_postgresql.lease_over("gone")
    await gone.end(kept, "withdrawn")
    assert ids(await ledger.replica.take_over(9)) == ids([lost])
    assert not await gone.replica.holds(lost)
    assert await gone.replica.holds(replace(kept, state=State.ENDED))


async def test_work_under_a_lease_is_cancelled_when_the_lease_expires(
    on_postgresql: Database,
) -> None:
    gone = on_postgresql.ledger("gone", SHORT)
    await gone.start()
    with within(SOON), pytest.raises(TimeoutError):
        async with gone.replica.lease.timeout() as lease:
            await asyncio.Event().wait()
    assert lease.expired()


async def test_a_renewed_lease_extends_the_work_in_progress(on_postgresql: Database) -> None:
    gone = on_postgresql.ledger("gone", 30.0)
    await gone.start()
    async with gone.replica.lease.timeout() as lease:
        before = lease.when()
        await gone.replica.heartbeat()
        after = lease.when()
    assert before is not None
    assert after is not None
    assert after > before


class BootTime:
    """A clock that continues while the machine is suspended, unlike the event loop's."""

    def __init__(self) -> None:
        self.suspended = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return since_boot() + self.suspended


async def test_a_lease_counts_from_when_its_heartbeat_was_sent(on_postgresql: Database) -> None:
    clock = BootTime()
    ledger = on_postgresql.ledger("a", clock=clock)
    await ledger.start()
    entry = await accepted(ledger)
    with on_postgresql.holding() as reached:
        beating = asyncio.create_task(ledger.replica.heartbeat())
        await soon(reached)
        clock.suspended = LEASE - 1
    await beating
    clock.suspended += 2
    assert not ledger.lease.covers(entry)


async def test_after_a_suspension_the_lease_counts_as_expired(
    on_postgresql: Database,
) -> None:
    clock = BootTime()
    ledger, woken = on_postgresql.ledger("a"), on_postgresql.ledger("woken", 60, clock=clock)
    await ledger.start()
    await woken.start()
    entry = await accepted(woken)
    assert woken.replica.lease.covers(entry)
    assert woken.replica.writable
    clock.suspended = 61
    on_postgresql.execute("UPDATE replicas SET lease_until = 0 WHERE id = 'woken'")
    assert ids(await ledger.replica.take_over(9)) == ids([entry])
    assert not woken.replica.lease.covers(entry)
    assert not woken.replica.writable
    assert not await woken.replica.holds(entry)
    assert not woken.replica.lease.covers(entry)


async def test_a_heartbeat_that_arrives_after_the_lease_has_expired_does_not_hide_the_gap(
    on_postgresql: Database,
) -> None:
    clock = BootTime()
    ledger, slow = on_postgresql.ledger("a"), on_postgresql.ledger("slow", 60, clock=clock)
    await ledger.start()
    await slow.start()
    lost, kept = await accepted(slow), await accepted(slow)

    def expire(_: Connection) -> None:
        clock.suspended = 65
        on_postgresql.execute(
            "UPDATE requests SET fence = fence + 1, holder = 'a' WHERE id = :id", id=lost.request.id
        )

    clock.suspended = 55
    event.listen(on_postgresql.opened[-1].engine, "commit", expire, once=True)
    await slow.replica.heartbeat()
    assert not await slow.replica.holds(lost)
    assert await slow.replica.holds(kept)


async def test_work_in_progress_is_cancelled_soon_after_a_suspension(
    on_postgresql: Database,
) -> None:
    clock = BootTime()
    woken = on_postgresql.ledger("woken", 60, clock=clock)
    await woken.start()
    leases = list[asyncio.Timeout]()

    async def work() -> None:
        async with woken.replica.lease.timeout() as lease:
            leases.append(lease)
            clock.suspended = 61
            await asyncio.Event().wait()

    errors = await asyncio.gather(work(), work(), return_exceptions=True)
    assert [type(error) for error in errors] == [TimeoutError, TimeoutError]
    assert all(lease.expired() for lease in leases)


async def test_a_heartbeat_right_after_a_suspension_does_not_extend_the_work_in_progress(
    on_postgresql: Database,
) -> None:
    clock = BootTime()
    woken = on_postgresql.ledger("woken", 60, clock=clock)
    await woken.start()

    async def work() -> None:
        async with woken.replica.lease.timeout():
            clock.suspended = 61
            await woken.replica.heartbeat()
            await asyncio.Event().wait()

    with within(SOON), pytest.raises(TimeoutError):
        await work()


async def test_work_in_progress_has_the_rest_of_its_lease(on_postgresql: Database) -> None:
    clock = BootTime()
    woken = on_postgresql.ledger("woken", 60, clock=clock)
    await woken.start()
    async with woken.replica.lease.timeout() as lease:
        clock.suspended = 50
        with within(SOON):
            while (lease.when() or 0) > asyncio.get_running_loop().time() + 10:  # noqa: ASYNC110  # the time passes by itself
                await asyncio.sleep(0)
    assert not lease.expired()


async def test_after_a_freeze_a_task_whose_answer_arrived_meanwhile_does_nothing_more(
    on_postgresql: Database,
) -> None:
    frozen, loop = on_postgresql.ledger("frozen", 0.5), asyncio.get_running_loop()
    await frozen.start()
    arrived, posted = loop.create_future(), list[str]()

    async def work() -> None:
        async with frozen.replica.lease.timeout():
            await arrived
            posted.append("the next message")

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    # As a socket's callback runs: before the timers that are due, in the first iteration after the freeze.
    loop.call_soon(arrived.set_result, None)
    time.sleep(0.6)  # noqa: ASYNC251  # the freeze
    with pytest.raises(TimeoutError):
        await working
    assert posted == []


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has this clock")
def test_the_time_since_boot_includes_the_time_that_the_machine_was_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suspended = {time.CLOCK_MONOTONIC: 5.0, time.CLOCK_BOOTTIME: 65.0}
    monkeypatch.setattr(time, "clock_gettime", suspended.__getitem__)
    assert since_boot() == 65.0


async def test_a_single_bots_lease_never_expires_and_has_no_timer(sqlite: Database) -> None:
    ledger = sqlite.ledger("a", SHORT, alone=True)
    await ledger.start()
    entry = await accepted(ledger)
    await sqlite.lease_over("a")
    running = ledger.replica.lease.timeout
    async with running() as lease, running() as another:
        assert (lease.when(), another.when()) == (None, None)
    assert await ledger.replica.holds(entry)


async def test_a_replica_that_closes_releases_all_requests_at_once(
    ledger: Ledger, other: Ledger, database: Database
) -> None:
    await accepted(ledger)
    entry, ended = await accepted(other), await accepted(other)
    await other.end(ended, "withdrawn")
    await other.close()
    assert len(database.rows("SELECT 1 FROM requests WHERE holder IS NULL")) == 1
    assert ids(await ledger.replica.take_over(9)) == ids([entry])


async def test_a_start_releases_others_requests_only_if_it_is_the_only_replica(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    next_one = database.ledger("b", alone=database.is_sqlite)
    await next_one.start()
    assert ids(await next_one.replica.take_over(9)) == (ids([entry]) if database.is_sqlite else [])


async def test_a_start_deletes_the_leases_of_replicas_that_crashed(
    on_postgresql: Database,
) -> None:
    for name in ("alive", "crashed"):
        await on_postgresql.ledger(name).start()
    on_postgresql.execute("UPDATE replicas SET lease_until = 0 WHERE id = 'crashed'")
    await on_postgresql.ledger("new").start()
    left = on_postgresql.rows("SELECT id FROM replicas ORDER BY id")
    assert [row["id"] for row in left] == ["alive", "new"]


async def test_a_single_bot_writes_at_most_once_in_ten_seconds_to_prove_that_it_can(
    sqlite: Database,
) -> None:
    clock = Clock()
    ledger = sqlite.ledger("a", alone=True, clock=clock)
    await ledger.start()
    with writes(sqlite.url.removeprefix("sqlite:///")) as version:

        async def proof() -> tuple[bool, bool]:
            """Return whether anything was written, and whether that is said to be possible."""
            before = version()
            await ledger.replica.heartbeat()
            assert version() == before
            await ledger.replica.prove_writable()
            return version() != before, ledger.replica.writable

        assert [await proof() for _ in range(3)] == [(True, True), (False, True), (False, True)]
        with no_room():
            clock.now += 9
            assert await proof() == (False, True)
            clock.now += 1
            assert await proof() == (False, False)
        assert await proof() == (False, False)
        clock.now += 10
        assert await proof() == (True, True)


async def test_of_several_replicas_each_proves_by_its_heartbeats_that_it_can_write(
    database: Database, ledger: Ledger
) -> None:
    database.commits.clear()
    await ledger.replica.prove_writable()
    assert database.commits == []
    assert ledger.replica.writable


async def test_a_renewal_extends_the_lease_by_its_length(
    database: Database, ledger: Ledger
) -> None:
    began = database.now()
    await ledger.replica.heartbeat()
    (lease,) = database.rows("SELECT lease_until FROM replicas WHERE id = 'a'")
    assert began + LEASE - 0.1 <= lease["lease_until"] <= database.now() + LEASE + 0.1


async def test_a_retry_that_could_not_be_answered_can_be_requested_again(
    database: Database, ledger: Ledger
) -> None:
    earlier = await accepted(ledger)
    await ledger.record_outcome(earlier, Failed(all_guidance()[0]), 1.5, [])
    await ledger.end(earlier, "delivered")
    retry = new_request(env=earlier.request.env)
    by_them = Retry(earlier.request.id, "U1")
    await cancel_at_commit(database, ledger.accept(retry, retry=by_them))
    await ledger.replica.heartbeat()
    assert database.kinds()[-1] == "withdrawn"
    assert (await current(ledger, earlier)).retried_by is None
    await accepted(ledger, new_request(env=retry.env), retry=by_them)


@pytest.mark.parametrize("state", [State.ACCEPTED, State.CONFIRMING])
async def test_a_request_that_has_continued_is_not_withdrawn(ledger: Ledger, state: State) -> None:
    entry = await accepted(ledger, state=state)
    if state is State.CONFIRMING:
        assert await ledger.clicks.move(entry, Move(State.ACCEPTED, "U1", "confirmed"))
    else:
        assert await ledger.place(entry, "C1/1.5")
    before = await current(ledger, entry)
    for request in (entry.request, new_request(env=entry.request.env)):
        asking = asyncio.create_task(ledger.accept(request))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
    await ledger.replica.heartbeat()
    assert await current(ledger, entry) == before


async def test_a_take_over_whose_caller_is_gone_is_undone(
    database: Database, ledger: Ledger, other: Ledger, gone: Ledger
) -> None:
    entry = await accepted(gone)
    await database.lease_over("gone")
    await cancel_at_commit(database, ledger.replica.take_over(9))
    await ledger.replica.heartbeat()
    assert [(taken.request.id, taken.taken_over) for taken in await other.replica.take_over(9)] == [
        (entry.request.id, 1)
    ]


async def test_a_rolled_back_take_over_releases_no_request_of_another_replica(
    on_postgresql: Database,
) -> None:
    ledger, other, gone = (on_postgresql.ledger(name) for name in ("a", "b", "gone"))
    await other.start()
    await accepted(gone)
    await gone.close()
    full, reached, opened = FullOnce(on_postgresql), threading.Event(), threading.Event()

    def wait(_: Connection) -> None:
        reached.set()
        opened.wait()

    with full.held():
        taking = asyncio.create_task(ledger.replica.take_over(9))
        await soon(full.reached.is_set)
        waiting = ledger.writer.run(wait)  # comes before what undoes the take-over
        taking.cancel()
        await asyncio.wait([taking])
    try:
        await soon(reached.is_set)
        assert await other.replica.take_over(9)
    finally:
        opened.set()
    await asyncio.wait([waiting])
    waiting.exception()
    await ledger.replica.heartbeat()
    assert on_postgresql.rows("SELECT holder FROM requests") == [{"holder": "b"}]


async def test_after_a_restart_of_the_server_the_leases_are_intact(
    postgresql: PostgreSQL, on_postgresql: Database
) -> None:
    ledger = on_postgresql.ledger("a")
    await ledger.start()
    entry, refused = await accepted(ledger), new_request()
    await asyncio.to_thread(postgresql.stop)
    try:
        with within(SOON):
            with pytest.raises(LedgerDownError):
                await ledger.accept(refused)
            with pytest.raises(LedgerDownError):
                await ledger.place(entry, "C1/1.5")
            with pytest.raises(LedgerDownError):
                await ledger.replica.take_over(9)
    finally:
        await asyncio.to_thread(postgresql.start)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.record_outcome(entry, Shared(), 1.5, [])
    assert await ledger.end(entry, "delivered")
    assert on_postgresql.kinds() == ["accepted", "placed", "answered", "delivered"]


async def test_closing_does_not_wait_for_a_database_that_is_down(
    postgresql: PostgreSQL, on_postgresql: Database
) -> None:
    ledger = on_postgresql.ledger("a")
    await ledger.start()
    await asyncio.to_thread(postgresql.stop)
    try:
        with within(SOON):
            await ledger.close()
    finally:
        await asyncio.to_thread(postgresql.start)


@pytest.mark.usefixtures("impatient")
async def test_the_ledger_counts_as_writable_if_the_last_renewal_succeeded(
    database: Database, ledger: Ledger
) -> None:
    assert ledger.replica.writable  # its start was recorded
    await ledger.replica.heartbeat()
    assert ledger.replica.writable
    with database.locked(), pytest.raises(LedgerDownError):
        await ledger.replica.heartbeat()
    assert not ledger.replica.writable
    await ledger.replica.heartbeat()
    assert ledger.replica.writable
    assert ledger.writer.alive
    assert ledger.writer.queued == 0


async def test_a_lease_that_ends_further_ahead_than_one_can_be_given_is_over(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await accepted(other)
    database.execute("UPDATE replicas SET lease_until = :ahead", ahead=database.now() + 3600)
    assert ids(await ledger.replica.take_over(9)) == ids([entry])
    late = database.ledger("late")
    await late.start()
    assert {row["id"] for row in database.rows("SELECT id FROM replicas")} == {"late"}
