"""Clicks in the ledger: of concurrent clicks exactly one decides, and what a person is told is durable."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Ground,
    Outcome,
    Rejected,
    Shared,
    Skipped,
    SkipReason,
)
from bot.domain.request import Agreement, Approval, Request, State
from bot.guidance import all_guidance
from bot.ledger.acceptance import Accepted
from bot.ledger.click_moves import Move
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.schema import requests
from tests.conftest import soon
from tests.databases import Database
from tests.ledger.conftest import (
    PATIENCE,
    FullOnce,
    accepted,
    cancel_at_commit,
    current,
    new_request,
)

FAILED = Failed(all_guidance()[0])


async def asked(ledger: Ledger, request: Request | None = None) -> Entry:
    """Record a request that waits for its approvers, and has no holder."""
    entry = await accepted(ledger, request, State.WAITING)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.asked(entry, "C2/1.6", entry.half_time)
    return await current(ledger, entry)


async def ended(ledger: Ledger, request: Request, outcome: Outcome) -> Entry:
    """End a request."""
    entry = await accepted(ledger, request)
    assert await ledger.record_outcome(entry, outcome, 0.1, ())
    assert await ledger.end(entry, "delivered")
    return await current(ledger, entry)


def only(database: Database, columns: str = "*") -> dict[str, object]:
    """Return these columns of the only request."""
    (row,) = database.rows(f"SELECT {columns} FROM requests")  # noqa: S608  # columns named by the tests
    return row


# Decisions.


async def test_an_approval_is_recorded_with_its_person_time_and_comment(
    database: Database, ledger: Ledger
) -> None:
    entry = await asked(ledger)
    moved = await ledger.clicks.move(entry, Move(State.PLACED, "U2", "approved", comment="go on"))
    assert moved == await current(ledger, entry)
    assert (moved.state, moved.fence) == (State.PLACED, entry.fence + 1)
    assert moved.request.approval == Approval("U2", "go on")
    assert (moved.place, moved.asked) == ("C1/1.5", "C2/1.6")
    assert (moved.wake, moved.until, moved.ended) == (None, None, None)
    assert moved.decided == pytest.approx(database.now(), abs=60)
    assert only(database, "holder") == {"holder": "a"}
    (event,) = database.rows("SELECT * FROM events WHERE kind = 'approved'")
    assert (event["user"], event["detail"], event["request"]) == ("U2", "go on", entry.request.id)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("rejected", Rejected("U2", "no")),
        ("cancelled", Cancelled("U2")),
        ("denied", Denied()),
        ("denied", Denied(Ground.SEVERAL_RULES)),
        ("denied", Denied(Ground.OTHER_OWNER)),
    ],
)
async def test_a_rejection_is_the_requests_outcome(
    database: Database, ledger: Ledger, kind: str, outcome: Outcome
) -> None:
    entry = await asked(ledger)
    comment = outcome.comment if isinstance(outcome, Rejected) else None
    moved = await ledger.clicks.move(
        entry, Move(State.ANSWERED, "U2", kind, comment=comment, outcome=outcome)
    )
    assert moved
    assert (moved.state, moved.outcome, moved.request.approval) == (State.ANSWERED, outcome, None)
    assert only(database, "decided_by") == {"decided_by": "U2"}
    (event,) = database.rows(f"SELECT outcome FROM events WHERE kind = '{kind}'")  # noqa: S608
    assert event == {"outcome": kind}


async def test_a_request_that_a_click_ends_loses_its_response_url(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.CONFIRMING)
    cancelled = Cancelled("U1")
    moved = await ledger.clicks.move(entry, Move(State.ENDED, "U1", "cancelled", outcome=cancelled))
    assert moved
    assert not ledger.lease.covers(moved)
    assert moved.ended == pytest.approx(database.now(), abs=60)
    assert only(database, "response_url, state") == {"response_url": None, "state": "ended"}
    await accepted(ledger, new_request(env=entry.request.env))


async def test_a_confirmation_with_nothing_left_to_do_ends_the_request_at_once(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.CONFIRMING)
    await ended(ledger, theirs(env=entry.request.env), Shared())
    moved = await ledger.clicks.move(entry, Move(State.ACCEPTED, "U1", "confirmed"))
    assert moved
    assert (moved.state, moved.outcome) == (State.ENDED, Skipped(SkipReason.SHARED_BEFORE))
    assert not [row for row in database.rows("SELECT * FROM requests") if row["response_url"]]


async def test_a_confirmed_request_may_continue_to_wait_by_another_rule(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.CONFIRMING)
    database.execute("UPDATE requests SET created = created - 500")
    moved = await ledger.clicks.move(
        entry, Move(State.WAITING, "U1", "confirmed", patience=500.0, rule="four eyes")
    )
    assert moved
    assert (moved.state, moved.wake, moved.request.rule) == (State.WAITING, None, "four eyes")
    assert moved.until == pytest.approx(database.now() + 500, abs=60)
    assert moved.decided == pytest.approx(database.now(), abs=60)
    assert only(database, "decided_by") == {"decided_by": None}


async def test_a_click_does_not_overwrite_a_known_place(ledger: Ledger) -> None:
    for entry, place in (
        (await asked(ledger), "C1/1.5"),
        (await accepted(ledger, state=State.WAITING), "C9/9.9"),
    ):
        moved = await ledger.clicks.move(
            entry, Move(State.ACCEPTED, "U2", "approved", place="C9/9.9")
        )
        assert moved
        assert moved.place == place


async def test_an_expiry_is_recorded_without_a_person(ledger: Ledger) -> None:
    entry = await asked(ledger)
    assert await ledger.record_outcome(entry, Expired("approval"), 0.0, ())
    found = await current(ledger, entry)
    assert (found.outcome, found.decided) == (Expired("approval"), None)


# Late clicks.


async def test_of_concurrent_clicks_at_two_replicas_one_decides(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    for _ in range(5):
        entry = await asked(ledger)
        moved = await asyncio.gather(
            *(
                at.clicks.move(entry, Move(State.PLACED, f"U{number}", "approved"))
                for number, at in enumerate([ledger, other] * 5)
            )
        )
        (won,) = (each for each in moved if each)
        assert (await current(other, entry)).request.approval == won.request.approval
    assert database.kinds().count("approved") == 5


@pytest.mark.parametrize("state", [State.CONFIRMING, State.WAITING])
async def test_a_click_that_reaches_the_ledger_after_the_deadline_changes_nothing(
    database: Database, ledger: Ledger, state: State
) -> None:
    entry = await accepted(ledger, state=state)
    database.execute("UPDATE requests SET until = 1")
    assert await ledger.clicks.move(entry, Move(State.ACCEPTED, "U1", "late")) is None
    assert (await current(ledger, entry)).state is state
    assert "late" not in database.kinds()


@pytest.mark.parametrize(("left", "overdue"), [(30, False), (-1, True)])
async def test_a_request_is_overdue_from_its_deadline_on(
    database: Database, ledger: Ledger, left: int, *, overdue: bool
) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    database.execute(f"UPDATE requests SET until = {database.now() + left}")  # noqa: S608  # ours
    assert (await current(ledger, entry)).overdue is overdue


async def test_the_previous_holder_writes_nothing_after_a_click(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    moved = await other.clicks.move(entry, Move(State.PLACED, "U2", "approved", asked="C2/1.6"))
    assert moved
    assert not await ledger.place(entry, "elsewhere")
    assert not await ledger.asked(entry, "elsewhere", entry.half_time)
    assert not await ledger.record_outcome(entry, Expired("approval"), 0.0, ())
    await ledger.replica.release_waiting(entry, 1.0)
    assert not await ledger.end(entry, "delivered")
    assert moved == replace(await current(ledger, entry), at=moved.at)
    assert only(database, "holder, wake") == {"holder": "b", "wake": None}
    assert await other.record_outcome(moved, Shared(), 0.1, ())


# Waiting requests.


async def test_a_request_is_held_until_its_approvers_are_asked(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    assert entry.until == pytest.approx(database.now() + PATIENCE, abs=60)
    assert only(database, "holder, wake") == {"holder": "a", "wake": None}
    assert await other.replica.take_over(9) == []


async def test_a_waiting_request_is_due_at_half_time_and_then_at_its_deadline(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await asked(ledger)
    assert entry.wake == pytest.approx(database.now() + PATIENCE / 2, abs=60)
    assert await other.replica.take_over(9) == []
    for at in (ledger, other):
        database.execute("UPDATE requests SET wake = 1")
        (taken,) = await at.replica.take_over(9)
        assert taken.taken_over == 0
        await at.replica.release_waiting(taken, taken.until or 0.0)
        assert (await current(at, taken)).wake == entry.until
    assert await ledger.replica.take_over(9) == await other.replica.take_over(9) == []


async def test_a_request_escalates_once_and_only_for_its_holder(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    assert await ledger.asked(entry, "C2/1.6", 1.0)
    (taken,) = await other.replica.take_over(9)
    assert not await ledger.escalate(entry, "C2/1.6 C4/")
    assert await other.escalate(taken, "C2/1.6 C3/")
    assert await other.escalate(taken, "C2/1.6 C3/")  # its first result was lost
    now = await current(ledger, entry)
    assert (now.asked, now.all_asked, now.request.escalated) == ("C2/1.6 C3/", False, True)
    assert now.wake is None  # so that after a crash it is looked for what was posted
    assert database.kinds().count("escalated") == 1


async def test_requests_that_can_be_cancelled_are_listed_for_operators_and_approvers(
    ledger: Ledger,
) -> None:
    confirming = await accepted(ledger, state=State.CONFIRMING)
    waiting = await asked(ledger)
    await accepted(ledger, state=State.WAITING)  # its approvers have not been asked yet
    await accepted(ledger, state=State.ACCEPTED)  # ends in a moment
    many = new_request(appid="", appids=("wx1", "wx2"))
    batch = await accepted(ledger, many)
    assert await ledger.place(batch, "C1/1.7")
    await ledger.batches.queue(batch)
    await ended(ledger, new_request(), Shared())
    gone = await asked(ledger)
    await ledger.clicks.move(gone, Move(State.PLACED, "U2", "approved"))
    listed = [entry.request.id for entry in await ledger.stoppable("T1")]
    assert [entry.request.id for entry in await ledger.stoppable(None)] == listed
    assert await ledger.stoppable("T2") == []
    assert listed == [entry.request.id for entry in (confirming, waiting, batch)]


async def test_of_very_many_that_wait_the_oldest_are_listed(
    database: Database, ledger: Ledger
) -> None:
    first = await asked(ledger)
    own = ("id", "trigger_id", "env")
    ids = [dict.fromkeys(own, f"copy-{n}") for n in range(1000)]
    with database.engine.begin() as connection:
        row = connection.execute(select(requests)).mappings().one()
        connection.execute(
            insert(requests), [{**row, **id_, "created": first.created + 1} for id_ in ids]
        )
    listed = await ledger.stoppable("T1")
    assert (len(listed), listed[0].request.id) == (1000, first.request.id)


@pytest.mark.parametrize("no_id", ["nothing", "", "\ud800", "\0", "请求"])
async def test_an_unknown_id_is_not_found(ledger: Ledger, no_id: str) -> None:
    assert await ledger.find(no_id) is None


# Clicks that may or may not have been recorded.


@pytest.mark.parametrize(
    ("state", "to", "outcome"),
    [
        (State.WAITING, State.PLACED, None),
        (State.WAITING, State.ANSWERED, Rejected("U2", "no")),
        (State.CONFIRMING, State.ENDED, Cancelled("U2")),
        (State.CONFIRMING, State.WAITING, None),
        (State.WAITING, State.WAITING, None),
    ],
)
async def test_a_click_that_could_not_be_answered_is_undone(
    database: Database, ledger: Ledger, state: State, to: State, outcome: Outcome | None
) -> None:
    entry = await asked(ledger) if state is State.WAITING else await accepted(ledger, state=state)
    database.execute("UPDATE requests SET owed = 1")
    entry = await current(ledger, entry)
    before = only(database)
    change = Move(
        to,
        "U2",
        "approved",
        comment="no",
        outcome=outcome,
        patience=5.0,
        rule="another",
        asked="C9/9.8",
        place="C9/9.9",
        agreed=(Agreement("U2", "no"),),
        broke_glass=True,
    )
    await cancel_at_commit(database, ledger.clicks.move(entry, change))
    await ledger.replica.heartbeat()
    after = only(database)
    assert database.kinds()[-2:] == ["approved", "taken back"]
    assert after.pop("fence") == entry.fence + 1
    assert before.pop("fence") == entry.fence
    messages = {"asked": "C9/9.8", "place": before["place"] or "C9/9.9"}
    assert after == before | messages  # they stand, whatever becomes of the click
    assert await ledger.replica.take_over(9) == []
    again = await current(ledger, entry)
    assert await ledger.clicks.move(again, Move(to, "U2", "approved", outcome=outcome))


async def test_what_was_posted_while_a_click_was_under_way_stays_recorded_if_that_is_undone(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.asking(entry, "C9/9.8")
    cancelled = Move(State.ANSWERED, "U1", "cancelled", outcome=Cancelled("U1"))
    await cancel_at_commit(database, ledger.clicks.move(entry, cancelled))
    await ledger.replica.heartbeat()
    now = await current(ledger, entry)
    assert (now.state, now.place, now.asked) == (State.WAITING, "C1/1.5", "C9/9.8")


async def test_a_click_is_undone_even_if_the_same_share_was_requested_since(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger, state=State.CONFIRMING)
    with database.holding() as reached:
        cancelled = Cancelled("U1")
        clicking = asyncio.create_task(
            ledger.clicks.move(entry, Move(State.ENDED, "U1", "cancelled", outcome=cancelled))
        )
        await soon(reached)
        asking = asyncio.create_task(ledger.accept(new_request(env=entry.request.env)))
        await asyncio.sleep(0)  # its first step, the queueing, is done
        clicking.cancel()
        await asyncio.wait([clicking])
    found = await asking
    assert isinstance(found, Accepted)
    await ledger.replica.heartbeat()
    now = await current(ledger, entry)
    assert (now.state, now.outcome) == (State.CONFIRMING, None)
    assert database.kinds().count("taken back") == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (None, SkipReason.UNDER_WAY),
        (Shared(), SkipReason.SHARED_BEFORE),
        (FAILED, None),
    ],
    ids=["it is under way", "it was shared", "it was not shared"],
)
async def test_a_waiting_request_is_carried_out_unless_another_is_making_or_has_made_the_same_share(
    database: Database,
    ledger: Ledger,
    again: bool,
    ends: Outcome | None,
    why: SkipReason | None,
) -> None:
    first = await ended(ledger, new_request(), Shared()) if again else None
    env = first.request.env if first else "prod-1"
    entry = await asked(ledger, new_request(env=env, again=again))
    other = theirs(env=env, again=again)
    if ends:
        await ended(ledger, other, ends)
    else:
        await accepted(ledger, other)
    moved = await ledger.clicks.move(entry, Move(State.PLACED, "U2", "approved"))
    assert moved
    assert moved.outcome == (Skipped(why) if why else None)
    assert moved.state is (State.ANSWERED if why else State.PLACED)
    (event,) = database.rows("SELECT outcome FROM events WHERE kind = 'approved'")
    assert event["outcome"] == ("skipped" if why else None)


async def test_a_request_can_be_rejected_although_another_made_the_same_share_meanwhile(
    ledger: Ledger,
) -> None:
    entry = await asked(ledger)
    await ended(ledger, theirs(env=entry.request.env), Shared())
    rejected = Rejected("U2", "no")
    moved = await ledger.clicks.move(
        entry, Move(State.ANSWERED, "U2", "rejected", outcome=rejected)
    )
    assert moved
    assert moved.outcome == rejected


async def test_an_earlier_share_whose_answer_is_owed_does_not_prevent_sharing_again(
    ledger: Ledger,
) -> None:
    older = await accepted(ledger, theirs(env="prod-1"))
    answered = await ledger.record_outcome(older, Shared(), 0.1, ())
    assert answered
    entry = await asked(ledger, new_request(env="prod-1", again=True))
    await ledger.end(answered, "delivered")
    moved = await ledger.clicks.move(entry, Move(State.PLACED, "U2", "approved"))
    assert moved
    assert (moved.state, moved.outcome) == (State.PLACED, None)


async def test_of_two_equal_requests_that_are_approved_at_once_one_is_carried_out(
    ledger: Ledger, other: Ledger
) -> None:
    for number in range(10):
        env = f"both-{number}"
        waiting = [
            await asked(ledger, request) for request in (new_request(env=env), theirs(env=env))
        ]
        moved = await asyncio.gather(
            *(
                at.clicks.move(entry, Move(State.PLACED, "U3", "approved"))
                for at, entry in zip((ledger, other), waiting, strict=True)
            )
        )
        outcomes = [entry.outcome for entry in moved if entry]
        assert sorted(map(str, outcomes)) == sorted(map(str, (None, Skipped(SkipReason.UNDER_WAY))))


async def test_of_a_persons_equal_requests_that_are_confirmed_at_once_one_waits(
    ledger: Ledger, other: Ledger
) -> None:
    to_approvers = Move(State.WAITING, "U1", "confirmed", patience=PATIENCE)
    for number in range(10):
        same = [new_request(env=f"both-{number}") for _ in range(2)]
        entries = [await accepted(ledger, request, State.CONFIRMING) for request in same]
        moved = await asyncio.gather(
            *(
                at.clicks.move(entry, to_approvers)
                for at, entry in zip((ledger, other), entries, strict=True)
            )
        )
        ends = {str(entry.outcome): entry.state for entry in moved if entry}
        skipped = str(Skipped(SkipReason.UNDER_WAY))
        assert ends == {"None": State.WAITING, skipped: State.ENDED}


async def test_a_rejection_that_was_not_told_stands_if_the_requester_asked_again_meanwhile(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    entry = await asked(ledger)
    again = new_request(env=entry.request.env, again=True)
    rejected = Move(State.ANSWERED, "U2", "rejected", outcome=Rejected("U2"))
    with database.holding() as reached:
        clicking = asyncio.create_task(ledger.clicks.move(entry, rejected))
        await soon(reached)
        asking = asyncio.create_task(ledger.accept(again, State.WAITING, patience=PATIENCE))
        await asyncio.sleep(0)  # its first step, the queueing, is done
        clicking.cancel()
        await asyncio.wait([clicking])
    assert isinstance(await asking, Accepted)
    await ledger.replica.heartbeat()
    taken = [(each.request.id, each.outcome) for each in await other.replica.take_over(9)]
    assert taken == [(entry.request.id, Rejected("U2"))]


def theirs(**changes: object) -> Request:
    """Return a request of another person."""
    request = new_request(**changes)
    return replace(request, origin=replace(request.origin, user_id="U9"))


@pytest.mark.parametrize(
    ("state", "to"), [(State.WAITING, State.PLACED), (State.CONFIRMING, State.WAITING)]
)
async def test_a_rolled_back_click_undoes_no_other(
    database: Database, ledger: Ledger, state: State, to: State
) -> None:
    entry, full = await accepted(ledger, state=state), FullOnce(database)
    patience = PATIENCE if to is State.WAITING else None
    with full.held():
        first = asyncio.create_task(
            ledger.clicks.move(entry, Move(to, "U2", "decided", patience=patience))
        )
        await soon(full.reached.is_set)
        second = asyncio.create_task(
            ledger.clicks.move(entry, Move(to, "U3", "decided", patience=patience))
        )
        await asyncio.sleep(0)  # its first step, the queueing, is done
        first.cancel()
        await asyncio.wait([first])
    moved = await second
    await ledger.replica.heartbeat()
    assert moved == await current(ledger, entry)
    assert "taken back" not in database.kinds()


async def test_a_rolled_back_take_over_releases_no_clicked_request(
    database: Database, ledger: Ledger
) -> None:
    entry = await asked(ledger)
    database.execute("UPDATE requests SET wake = 1")
    full = FullOnce(database)
    with full.held():
        taking = asyncio.create_task(ledger.replica.take_over(9))
        await soon(full.reached.is_set)
        clicking = asyncio.create_task(
            ledger.clicks.move(entry, Move(State.PLACED, "U2", "approved"))
        )
        await asyncio.sleep(0)  # the click is queued
        taking.cancel()
        await asyncio.wait([taking])
    assert await clicking
    await ledger.replica.heartbeat()
    assert only(database, "holder") == {"holder": "a"}


async def test_of_two_agreements_at_once_on_two_replicas_the_second_is_decided_again(
    database: Database, ledger: Ledger
) -> None:
    entry, other = await asked(ledger), database.ledger("other")
    await other.start()
    one, two = Agreement("U1"), Agreement("U2", "fine")
    first = Move(State.WAITING, "U1", "agreed", agreed=(one,))
    second = Move(State.WAITING, "U2", "agreed", agreed=(two,))
    moved = await asyncio.gather(ledger.clicks.move(entry, first), other.clicks.move(entry, second))
    assert [each is None for each in moved].count(True) == 1
    now = await current(ledger, entry)
    assert (now.state, now.until, now.all_asked) == (State.WAITING, entry.until, False)
    approval = Move(State.PLACED, "U3", "approved", agreed=now.agreed)
    assert await other.clicks.move(entry, approval) is None
    approved = await other.clicks.move(now, approval)
    assert approved
    assert approved.request.approval == Approval("U3")
    assert approved.request.agreed == now.agreed != ()
