"""The items of batches, and the lane in which one batch runs at a time, on both kinds of database."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from bot.domain.outcome import (
    Cancelled,
    Failed,
    Finished,
    Outcome,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Step,
    Tally,
    Unknown,
)
from bot.domain.request import Request, Retry, State, item_ids, item_of
from bot.guidance import Trouble, for_code
from bot.ledger.acceptance import Accepted, Duplicate, SharedBefore, TooManyBatches, UnderWay
from bot.ledger.batches import ItemEnded
from bot.ledger.click_moves import Move
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError
from tests.databases import Database
from tests.ledger.conftest import accepted, all_requests, current, new_request

GIVEN_UP = Unknown(Trouble.GIVEN_UP.value, tries=0)
FAILED = Failed(for_code(85088), Said(85088, "no rid: a-b", "a-b"), tries=2)
SHORT = 0.05  # seconds of a short lease


def appids(count: int) -> tuple[str, ...]:
    return tuple(f"wx{number:016x}" for number in range(1, count + 1))


def new_batch(count: int = 3, **changes: object) -> Request:
    return new_request(appid="", appids=appids(count), **changes)


async def placed(ledger: Ledger, request: Request) -> Entry:
    """Return a batch whose items may begin."""
    entry = await accepted(ledger, request)
    assert await ledger.place(entry, "C1/1.1")
    return replace(entry, state=State.PLACED, place="C1/1.1")


async def queued(ledger: Ledger, count: int = 3, **changes: object) -> Entry:
    """Return a batch whose items wait."""
    batch = await placed(ledger, new_batch(count, **changes))
    assert await ledger.batches.queue(batch)
    return batch


def items_of(batch: Request) -> list[Request]:
    """Return the requests of all items of a batch."""
    return [item_of(batch, id_, appid) for id_, appid in item_ids(batch).items()]


def answered(item: Request, outcome: Outcome | None = None) -> ItemEnded:
    return ItemEnded(item, outcome or Shared(), 0.5, [Step("call", 0.5, "done")])


async def taken_over(database: Database, ledger: Ledger, holder: str) -> None:
    """Let another replica take over the requests of a holder whose lease has expired."""
    database.execute("UPDATE replicas SET lease_until = 0 WHERE id = :id", id=holder)
    assert await ledger.replica.take_over(99)


async def ends(ledger: Ledger, batch: Entry) -> list[Outcome | None]:
    return [item.outcome for item in await ledger.batches.items(batch.request)]


# Recording.


async def test_items_wait_in_the_order_of_the_request(database: Database, ledger: Ledger) -> None:
    batch = await queued(ledger, 12)
    found = await ledger.batches.items(batch.request)
    assert [entry.appid for entry in found] == list(appids(12))
    assert not any(entry.outcome for entry in found)
    assert not any(entry.begun for entry in found)
    assert [entry.id for entry in found] == [*item_ids(batch.request)]
    assert database.kinds() == ["accepted", "placed"]


async def test_a_large_batch_is_recorded_in_parts_also_by_whoever_takes_it_over(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    batch = await placed(ledger, new_batch(250))
    assert await ledger.batches.queue(batch) is False
    assert len(await ledger.batches.items(batch.request)) == 100
    await taken_over(database, other, "a")
    assert await ledger.batches.queue(batch) is None
    batch = replace(batch, fence=batch.fence + 1)
    assert [await other.batches.queue(batch) for _ in range(3)] == [False, True, True]
    found = await other.batches.items(batch.request)
    assert [item.appid for item in found] == list(appids(250))


async def test_items_that_the_database_keeps_ignoring_are_given_up(sqlite: Database) -> None:
    ledger = sqlite.ledger("a")
    await ledger.start()
    batch = await placed(ledger, new_batch(3))
    sqlite.execute("CREATE TRIGGER deaf BEFORE INSERT ON requests BEGIN SELECT RAISE(IGNORE); END")
    with pytest.raises(LedgerDownError, match="neither recorded"):
        await ledger.batches.queue(batch)
    sqlite.execute("DROP TRIGGER deaf")
    assert await ledger.batches.queue(batch)


async def test_an_item_has_no_response_url_and_no_holder(
    database: Database, ledger: Ledger
) -> None:
    batch = await queued(ledger)
    query = f"SELECT holder, response_url FROM requests WHERE batch = '{batch.request.id}'"  # noqa: S608
    assert {tuple(row.values()) for row in database.rows(query)} == {(None, "")}


async def test_recorded_items_are_not_recorded_again(ledger: Ledger) -> None:
    batch = await placed(ledger, new_batch(4))
    items = items_of(batch.request)
    await ledger.batches.queue(batch)
    await ledger.batches.advance(batch, None, items[0].id)
    await ledger.batches.advance(batch, answered(items[0]), items[1].id)
    assert await ledger.batches.queue(batch)
    found = await ledger.batches.items(batch.request)
    assert [(entry.outcome, entry.begun) for entry in found] == [
        (Shared(), True),
        (None, True),
        (None, False),
        (None, False),
    ]


async def test_items_that_were_shared_before_are_skipped_with_that_reason(
    database: Database, ledger: Ledger
) -> None:
    earlier = await accepted(ledger, new_request(env="env", appid=appids(2)[1]))
    await ledger.record_outcome(earlier, Shared(), 0.1, [])
    await ledger.end(replace(earlier, state=State.ANSWERED), "delivered")
    batch = await queued(ledger, 3, env="env")
    assert await ends(ledger, batch) == [None, Skipped(SkipReason.SHARED_BEFORE), None]
    (left,) = database.rows("SELECT appid, detail FROM events WHERE kind = 'left out'")
    assert [*left.values()] == [appids(2)[1], "shared-before"]


OWNER, ANOTHER = "wx0123456789abcdef", "wxffffffffffffffff"


@pytest.mark.parametrize(
    ("owners", "how", "seen"),
    [
        ((OWNER,), "delivered", False),
        ((OWNER, ANOTHER), "delivered", False),
        ((OWNER, OWNER), "not delivered", False),
        ((OWNER, OWNER), "delivered", True),
    ],
    ids=["of one receiver", "of another owner", "not told", "of each receiver"],
)
async def test_a_batch_has_seen_the_steps_once_other_answers_of_its_owner_told_each_receiver(
    ledger: Ledger, owners: tuple[str, ...], how: str, seen: bool
) -> None:
    batch = await queued(ledger, 3)
    outcomes: list[Outcome] = [Shared(), Shared(), FAILED]
    for item, outcome in zip(items_of(batch.request), outcomes, strict=True):
        await ledger.batches.advance(batch, answered(item, outcome), None)
    unanswered = await queued(ledger, 3, env="another")
    for item in items_of(unanswered.request):
        await ledger.batches.advance(unanswered, answered(item), None)
    for appid, owner in zip(appids(2), owners, strict=False):
        other = await accepted(ledger, new_request(appid=appid, owner=owner, env="other"))
        await ledger.record_outcome(other, Shared(), 0.1, [])
        await ledger.end(replace(other, state=State.ANSWERED), how)
    answer = await ledger.record_outcome(batch, Finished(Tally(3, shared=2, failed=1)))
    assert answer
    assert answer.told_steps is seen


async def test_items_that_were_shared_before_are_shared_again_on_demand(
    ledger: Ledger,
) -> None:
    first = await queued(ledger, 3, env="env")
    for item in items_of(first.request):
        await ledger.batches.advance(first, answered(item), None)
    again = await queued(ledger, 3, env="env", again=True)
    assert await ends(ledger, again) == [None, None, None]


async def test_items_that_another_request_is_sharing_are_skipped_even_on_demand(
    ledger: Ledger,
) -> None:
    await accepted(ledger, new_request(env="env", appid=appids(1)[0]))
    first = await queued(ledger, 2, env="env")
    assert await ends(ledger, first) == [Skipped(SkipReason.UNDER_WAY), None]
    second = await queued(ledger, 3, env="env", again=True)
    assert await ends(ledger, second) == [
        Skipped(SkipReason.UNDER_WAY),
        Skipped(SkipReason.UNDER_WAY),
        None,
    ]


async def test_a_request_for_a_waiting_item_is_answered_as_under_way(
    ledger: Ledger,
) -> None:
    batch = await queued(ledger, 3)
    item = items_of(batch.request)[2]
    single = new_request(env=item.env, appid=item.appid)
    found = await ledger.accept(replace(single, again=True))
    assert isinstance(found, UnderWay)
    assert found.entry.request == item
    await ledger.batches.advance(batch, answered(item), None)
    assert isinstance(await ledger.accept(single), SharedBefore)


async def test_items_are_taken_over_only_with_their_batch(
    database: Database, ledger: Ledger
) -> None:
    gone = database.ledger("gone", SHORT)
    await gone.replica.heartbeat()
    batch = await queued(gone, 3)
    await database.lease_over("gone")
    (taken,) = await ledger.replica.take_over(99)
    assert taken.request == batch.request


async def test_a_history_has_a_batch_as_one_entry_and_an_item_if_its_appid_is_looked_up(
    ledger: Ledger,
) -> None:
    batch = await queued(ledger, 3, env="env")
    mine = "T1", "U1"
    assert [entry.request for entry in await all_requests(ledger)] == [batch.request]
    assert [e.request for e in await ledger.history(mine, "env", 99)] == [batch.request]
    about = await ledger.history(mine, appids(3)[1], 99)
    assert [entry.request for entry in about] == [items_of(batch.request)[1]]


# Answers.


async def test_an_answer_and_the_beginning_of_the_next_item_are_one_transaction(
    database: Database, ledger: Ledger
) -> None:
    batch = await queued(ledger)
    one, two, _ = items_of(batch.request)
    assert await ledger.batches.advance(batch, None, one.id) is True
    database.commits.clear()
    assert await ledger.batches.advance(batch, answered(one), two.id) is True
    assert len(database.commits) == 1
    found = await ledger.batches.items(batch.request)
    assert [(entry.outcome, entry.begun) for entry in found] == [
        (Shared(), True),
        (None, True),
        (None, False),
    ]


async def test_the_events_of_an_item_have_its_history(database: Database, ledger: Ledger) -> None:
    batch = await queued(ledger)
    item = items_of(batch.request)[1]
    steps = [
        Step("call", 0.1, "-1", Said(-1, "busy", "x")),
        Step("call", 0.2, "85088", FAILED.said),
    ]
    await ledger.batches.advance(batch, ItemEnded(item, FAILED, 0.7, steps), None)
    query = "SELECT kind, outcome, errcode, rid, seconds, detail, appid, env FROM events"
    events = database.rows(f"{query} WHERE request = '{item.id}' ORDER BY id")
    where = item.appid, item.env
    assert [tuple(row.values()) for row in events] == [
        ("call", None, -1, "x", 0.1, "-1", *where),
        ("call", None, 85088, "a-b", 0.2, "85088", *where),
        ("answered", "failed", 85088, "a-b", 0.7, "85088", *where),
    ]


async def test_the_items_with_two_calls_are_known(ledger: Ledger) -> None:
    batch = await queued(ledger, 12)
    for number, item in reversed([*enumerate(items_of(batch.request))]):
        twice = number in {1, 2, 10}
        await ledger.batches.advance(batch, replace(answered(item), called_again=twice), None)
    found = await ledger.batches.items(batch.request)
    again = [item.appid for item in found if item.called_again]
    assert again == [appids(12)[number] for number in (1, 2, 10)]


async def test_an_item_that_waits_for_a_retry_can_be_cancelled_unless_it_may_have_been_shared(
    database: Database, ledger: Ledger
) -> None:
    batch, steps = await queued(ledger), [Step("call", 0.1, "45011", Said(45011, "busy", "x"))]
    for item, doubtful in zip(items_of(batch.request), (True, False, False), strict=True):
        await ledger.batches.advance(batch, None, item.id)
        for _ in range(2):  # as after a lost result
            assert await ledger.batches.put_back(batch, item, steps, begun=doubtful)
    calls = database.rows("SELECT request, errcode, rid FROM events WHERE kind = 'call'")
    about = [item.id for item in items_of(batch.request)]
    assert [tuple(row.values()) for row in calls] == [(each, 45011, "x") for each in about]
    found = await ledger.batches.items(batch.request)
    assert [entry.begun for entry in found] == [True, False, False]
    assert await ledger.batches.cancel(batch.request, "U1") == 2
    assert await ends(ledger, batch) == [None, Cancelled("U1"), Cancelled("U1")]


async def test_an_ended_item_does_not_wait_again(ledger: Ledger) -> None:
    batch = await queued(ledger)
    item = items_of(batch.request)[0]
    await ledger.batches.advance(batch, None, item.id)
    await ledger.batches.advance(batch, answered(item), None)
    assert await ledger.batches.put_back(batch, item, [], begun=False)
    entry = (await ledger.batches.items(batch.request))[0]
    assert (entry.begun, entry.outcome) == (True, Shared())


async def test_a_batch_has_open_items_until_the_last_one_has_ended(ledger: Ledger) -> None:
    batch = await placed(ledger, new_batch(2))
    assert not await ledger.batches.are_left(batch.request)
    await ledger.batches.queue(batch)
    for item in items_of(batch.request):
        assert await ledger.batches.are_left(batch.request)
        await ledger.batches.advance(batch, answered(item), None)
    assert not await ledger.batches.are_left(batch.request)


async def test_a_replica_that_no_longer_holds_the_batch_writes_nothing(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    batch = await queued(ledger)
    one, two, _ = items_of(batch.request)
    await placed(ledger, new_batch())  # by the same person, whose turn must not change either
    await ledger.batches.advance(batch, None, one.id)
    assert await ledger.batches.take_lane(batch)
    await taken_over(database, other, "a")
    before = database.rows("SELECT * FROM requests ORDER BY id"), database.kinds()
    assert await ledger.batches.advance(batch, answered(one), two.id) is None
    assert await ledger.batches.advance(batch, None, two.id) is None
    assert await ledger.batches.queue(batch) is None
    assert not await ledger.batches.put_back(batch, one, [], begun=False)
    assert await ledger.batches.end(batch, GIVEN_UP, GIVEN_UP) is False
    assert await ledger.batches.take_lane(batch) is False
    await ledger.batches.leave_lane(batch)
    assert await ledger.record_outcome(batch, Finished(Tally(3, shared=3))) is None
    assert (database.rows("SELECT * FROM requests ORDER BY id"), database.kinds()) == before


# Cancelled and abandoned batches.


@pytest.mark.parametrize("again", [False, True])
async def test_an_item_that_began_again_after_a_crash_stays_known_as_called_twice_if_it_is_given_up(
    ledger: Ledger, again: bool
) -> None:
    batch = await queued(ledger)
    await ledger.batches.advance(batch, None, items_of(batch.request)[0].id, again=again)
    assert await ledger.batches.end(batch, GIVEN_UP, GIVEN_UP)
    found = await ledger.batches.items(batch.request)
    assert [item.called_again for item in found] == [again, False, False]


@pytest.mark.parametrize("recorded", [False, True])
async def test_a_cancellation_also_ends_items_that_are_not_recorded_yet(
    ledger: Ledger, recorded: bool
) -> None:
    batch = await placed(ledger, new_batch(4))
    if recorded:
        await ledger.batches.queue(batch)
    assert await ledger.batches.cancel(batch.request, "U1") == 4
    assert await ledger.batches.queue(batch) is True
    assert await ends(ledger, batch) == [Cancelled("U1")] * 4


async def test_a_finished_batch_cannot_be_cancelled(database: Database, ledger: Ledger) -> None:
    batch = await queued(ledger, 2)
    for item in items_of(batch.request):
        await ledger.batches.advance(batch, answered(item), None)
    await ledger.record_outcome(batch, Finished(Tally(2, shared=2)), 0.0, ())
    assert await ledger.batches.cancel(batch.request, "U1") == 0
    assert "cancelled" not in database.kinds()


async def test_each_item_is_either_cancelled_or_begun_if_both_happen_at_once(
    ledger: Ledger, other: Ledger
) -> None:
    for _ in range(5):
        batch = await queued(ledger, 40)
        backwards = items_of(batch.request)[::-1]  # each locks a row that the other needs next
        begun, cancelled = await asyncio.gather(
            asyncio.gather(*(ledger.batches.advance(batch, None, item.id) for item in backwards)),
            other.batches.cancel(batch.request, "U1"),
        )
        assert sum(bool(may) for may in begun) + cancelled == 40
        found = (await ledger.batches.items(batch.request))[::-1]
        assert [entry.begun for entry in found] == begun
        assert [entry.outcome is None for entry in found] == begun


async def test_abandoning_a_batch_ends_its_items_that_are_not_recorded_yet_and_frees_their_pairs(
    database: Database, ledger: Ledger
) -> None:
    batch = await placed(ledger, new_batch(4))
    assert await ledger.batches.end(batch, GIVEN_UP, GIVEN_UP) is True
    assert await ends(ledger, batch) == [GIVEN_UP] * 4
    assert Counter(database.kinds())["answered"] == 4
    one, *_ = items_of(batch.request)
    again = await ledger.accept(new_request(env=one.env, appid=one.appid))
    assert isinstance(again, Accepted)


# The lane.


FREED: dict[str, Callable[[Ledger, Entry], Awaitable[object]]] = {
    "is answered": lambda ledger, one: ledger.record_outcome(
        one, Finished(Tally(3, shared=3)), 0.0, ()
    ),
    "ends without an answer": lambda ledger, one: ledger.end(one, "given up"),
    "leaves it": lambda ledger, one: ledger.batches.leave_lane(one),
}


@pytest.mark.parametrize("over", FREED.values(), ids=list(FREED))
async def test_the_lane_is_free_once_its_batch(
    ledger: Ledger, other: Ledger, over: Callable[[Ledger, Entry], Awaitable[object]]
) -> None:
    one, two = await placed(ledger, new_batch()), await placed(other, new_batch())
    assert await ledger.batches.take_lane(one)
    await over(ledger, one)
    assert await other.batches.take_lane(two)
    assert not await ledger.batches.take_lane(one)


async def test_a_replica_that_takes_a_batch_over_has_the_lane(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    one, two = await placed(ledger, new_batch()), await placed(other, new_batch())
    assert await ledger.batches.take_lane(one)
    await taken_over(database, other, "a")
    assert not await other.batches.take_lane(two)
    taken = await current(other, one)
    assert await other.batches.take_lane(taken)
    await other.record_outcome(taken, Finished(Tally(3, shared=3)), 0.0, ())
    assert await other.batches.take_lane(two)


def by(user: str) -> Request:
    """Return a batch of this person, with the same env as all others."""
    request = new_batch(env="prod-1")
    return replace(request, origin=replace(request.origin, user_id=user))


async def order(batches: Sequence[tuple[Ledger, Entry]]) -> list[int]:
    """Return the order in which batches run if they ask for the lane in reverse order."""
    left, ran = dict(enumerate(batches)), list[int]()
    while left:
        got = [at for at in reversed(left) if await left[at][0].batches.take_lane(left[at][1])]
        assert len(got) == 1
        ledger, batch = left.pop(got[0])
        ran += got
        await ledger.record_outcome(batch, Finished(Tally(3, shared=3)), 0.0, ())
    return ran


async def test_batches_run_in_the_order_of_their_requests_across_replicas(
    ledger: Ledger, other: Ledger
) -> None:
    replicas = [ledger, other, other, ledger]
    found = [(each, await placed(each, by(f"U{at}"))) for at, each in enumerate(replicas)]
    assert await order(found) == [0, 1, 2, 3]


async def test_later_batches_wait_until_an_earlier_one_has_its_place(
    ledger: Ledger, other: Ledger
) -> None:
    first = await accepted(ledger, by("U1"))
    second = await placed(other, by("U2"))
    assert not await other.batches.take_lane(second)
    assert await ledger.place(first, "C1/1.1")
    assert await ledger.batches.take_lane(replace(first, state=State.PLACED))


async def test_a_persons_second_batch_runs_after_everybodys_first(ledger: Ledger) -> None:
    asked = ["U1", "U1", "U1", "U2", "U3", "U2"]
    ids = ["f", "e", "d", "c", "b", "a"]  # must not decide
    found = list[tuple[Ledger, Entry]]()
    for user, id_ in zip(asked, ids, strict=True):
        found.append((ledger, await placed(ledger, replace(by(user), id=id_))))
    assert await order(found) == [0, 3, 4, 1, 5, 2]


@pytest.mark.parametrize("team", ["T1", "T2"], ids=["same workspace", "another of their own"])
async def test_a_persons_batches_run_in_order_even_if_a_later_one_queues_since_before(
    database: Database, ledger: Ledger, team: str
) -> None:
    later = by("U1")
    later = replace(later, origin=replace(later.origin, team_id=team))
    first, second = await placed(ledger, by("U1")), await placed(ledger, later)
    # When another ended, the second was not committed yet; or the clock went on between the rows.
    database.execute("UPDATE requests SET turn = created + 9 WHERE id = :id", id=first.request.id)
    assert await order([(ledger, first), (ledger, second)]) == [0, 1]


async def test_the_running_batch_counts_for_its_person(ledger: Ledger) -> None:
    runs, second = await placed(ledger, by("U1")), await placed(ledger, by("U1"))
    assert await ledger.batches.take_lane(runs)
    theirs = await placed(ledger, by("U2"))
    assert not await ledger.batches.take_lane(theirs)
    await ledger.record_outcome(runs, Finished(Tally(3, shared=3)), 0.0, ())
    later = await placed(ledger, by("U3"))
    assert await order([(ledger, second), (ledger, theirs), (ledger, later)]) == [1, 0, 2]


async def test_a_batch_that_ended_in_the_queue_delays_no_other(ledger: Ledger) -> None:
    cancelled, second = await placed(ledger, by("U1")), await placed(ledger, by("U1"))
    theirs = await placed(ledger, by("U2"))
    await ledger.record_outcome(cancelled, Finished(Tally(3, cancelled=3)), 0.0, ())
    assert await order([(ledger, second), (ledger, theirs)]) == [0, 1]


async def test_a_paused_batch_blocks_no_other_and_returns_in_its_turn(
    ledger: Ledger,
) -> None:
    first, second, third = [await placed(ledger, by(f"U{at}")) for at in range(3)]
    assert await ledger.batches.take_lane(first)
    await ledger.batches.leave_lane(first)
    assert await ledger.batches.take_lane(second)
    assert not await ledger.batches.take_lane(first)
    await ledger.record_outcome(second, Finished(Tally(3, shared=3)), 0.0, ())
    assert not await ledger.batches.take_lane(third)
    assert await ledger.batches.take_lane(first)


async def test_a_dead_replicas_batch_blocks_no_other_until_it_is_taken_over(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    first, second = await placed(ledger, by("U1")), await placed(other, by("U2"))
    assert not await other.batches.take_lane(second)
    database.execute("UPDATE replicas SET lease_until = 0 WHERE id = 'a'")
    assert await other.replica.take_over(99)
    assert not await other.batches.take_lane(second)
    database.execute("UPDATE requests SET holder = 'a' WHERE id = :id", id=first.request.id)
    assert await other.batches.take_lane(second)


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        (new_batch(), State.CONFIRMING),
        (new_batch(), State.WAITING),
        (new_request(), State.ACCEPTED),
    ],
    ids=["a batch to confirm", "a batch to approve", "a single request under way"],
)
async def test_what_is_no_batch_under_way_blocks_none(
    ledger: Ledger, request_: Request, state: State
) -> None:
    await accepted(ledger, request_, state)
    assert await ledger.batches.take_lane(await placed(ledger, by("U1")))


async def test_a_person_may_have_five_waiting_batches_besides_a_running_one(
    ledger: Ledger, other: Ledger
) -> None:
    assert await ledger.batches.take_lane(await placed(ledger, by("U1")))
    waits = [await placed(each, by("U1")) for each in (ledger, other, ledger)]
    await accepted(ledger, by("U1"), State.WAITING)
    known = by("U1")
    confirming = await accepted(ledger, known, State.CONFIRMING)
    single = new_request()
    assert await other.accept(by("U1")) == TooManyBatches()
    assert isinstance(await ledger.accept(known), Duplicate)  # the same command, delivered twice
    await accepted(ledger, by("U2"))
    await accepted(ledger, replace(single, origin=replace(single.origin, user_id="U1")))
    await other.record_outcome(waits[1], Finished(Tally(3, shared=3)), 0.0, ())
    await accepted(other, by("U1"))
    assert await ledger.accept(by("U1")) == TooManyBatches()
    await ledger.clicks.move(confirming, Move(State.ENDED, "U1", "cancelled"))
    await accepted(ledger, by("U1"))


async def test_a_refused_batch_does_not_use_up_the_retry_of_an_earlier_one(
    ledger: Ledger,
) -> None:
    earlier = await placed(ledger, by("U1"))
    await ledger.record_outcome(earlier, Finished(Tally(3, failed=3)), 0.0, ())
    for _ in range(5):
        waits = await placed(ledger, by("U1"))
    retry = Retry(earlier.request.id, "U1")
    assert await ledger.accept(by("U1"), retry=retry) == TooManyBatches()
    assert (await current(ledger, earlier)).retried_by is None
    await ledger.record_outcome(waits, Finished(Tally(3)), 0.0, ())
    assert isinstance(await ledger.accept(by("U1"), retry=retry), Accepted)


async def test_of_concurrent_requests_for_the_lane_one_gets_it(
    ledger: Ledger, other: Ledger
) -> None:
    for _ in range(10):
        one, two = await placed(ledger, new_batch()), await placed(other, new_batch())
        got = await asyncio.gather(ledger.batches.take_lane(one), other.batches.take_lane(two))
        assert sorted(got) == [False, True]
        for replica, entry in ((ledger, one), (other, two)):
            await replica.record_outcome(entry, Finished(Tally(3)), 0.0, ())
