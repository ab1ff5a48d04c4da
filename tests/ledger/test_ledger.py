import asyncio
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from bot.domain.language import Language
from bot.domain.link import Link
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Rejected,
    Said,
    Shared,
    Skipped,
    SkipReason,
    Step,
    Stopped,
    Tally,
    Unknown,
)
from bot.domain.request import MOVES, Approval, Request, Retry, State
from bot.guidance import Trouble, all_guidance
from bot.ledger.acceptance import (
    Acceptance,
    Accepted,
    AlreadyRetried,
    Duplicate,
    SharedBefore,
    SharedLongAgo,
    TooManyBatches,
    Undelivered,
    UnderWay,
)
from bot.ledger.click_moves import Move
from bot.ledger.database import open_database
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError
from bot.runtime.clock import Runtime
from tests.conftest import examples
from tests.databases import Database, ledger_of
from tests.ledger.conftest import accepted, all_requests, current, new_request

KINDS = get_args(Outcome)
FAILED = Failed(all_guidance()[0], Said(40014, "invalid access_token", "5f3a-1"), 2)
FIRST_STATES = (State.CONFIRMING, State.WAITING, State.ACCEPTED, State.QUEUED)
LATER_STATES = [State.PLACED, State.ANSWERED, State.ENDED]
STEPS = [
    Step("renewal", 0.25, "renewed"),
    Step("call", 0.5, "refused", Said(40014, "invalid access_token", "5f3a-1")),
]


async def move(ledger: Ledger, entry: Entry, to: State, outcome: Outcome = FAILED) -> bool:
    match to:
        case State.PLACED:
            return await ledger.place(entry, "C1/1.5")
        case State.ANSWERED:
            return await ledger.record_outcome(entry, outcome, 1.5, STEPS) is not None
        case _:
            return await ledger.end(entry, "delivered")


async def carry_out(ledger: Ledger, request: Request, outcome: Outcome) -> Entry:
    """Record a request and take it to its end."""
    entry = await accepted(ledger, request)
    for to in LATER_STATES:
        assert await move(ledger, entry, to, outcome)
    return await current(ledger, entry)


def entry_in(found: Acceptance) -> Entry:
    assert not isinstance(found, AlreadyRetried | SharedLongAgo | TooManyBatches)
    return found.entry


async def request_in(ledger: Ledger, to: State) -> Entry:
    """Return a new request in this state."""
    begun = to if to in FIRST_STATES else State.ACCEPTED
    entry = await accepted(ledger, state=begun)
    for state in LATER_STATES[: LATER_STATES.index(to) + 1 if to in LATER_STATES else 0]:
        assert await move(ledger, entry, state)
    return entry


async def test_a_request_is_recorded_completely(database: Database, ledger: Ledger) -> None:
    request = new_request()
    before = database.now()
    entry = await accepted(ledger, request)
    assert entry == Entry(request, State.ACCEPTED, 1, entry.created)
    assert before - 0.1 < entry.created < database.now() + 0.1
    assert await all_requests(ledger) == [entry]
    (event,) = database.rows("SELECT * FROM events")
    assert event == {
        "id": event["id"],
        "at": pytest.approx(entry.created, abs=60),
        "kind": "accepted",
        "request": request.id,
        "team": "T1",
        "user": "U1",
        "channel": "C1",
        "env": request.env,
        "appid": request.appid,
        "rule": "platform team",
        **dict.fromkeys(["outcome", "errcode", "rid", "seconds", "detail"]),
    }


async def test_a_ledger_is_opened_by_its_url(sqlite: Database) -> None:
    ledger = ledger_of(open_database(sqlite.url, Runtime()), "a")
    assert ledger.exclusive
    await ledger.start()
    entry = await accepted(ledger)
    await ledger.close()
    ledger = ledger_of(open_database(sqlite.url, Runtime()), "a")
    assert await all_requests(ledger) == [entry]
    await ledger.close()
    await ledger.close()  # has no effect


async def test_one_trigger_or_id_makes_one_request_whatever_its_outcome(ledger: Ledger) -> None:
    entry = await carry_out(ledger, new_request(trigger="once"), Shared())
    for again in (False, True):
        for same in ({"trigger": "once"}, {"id": entry.request.id}):
            assert await ledger.accept(new_request(again=again, **same)) == Duplicate(entry)


async def test_the_same_share_is_under_way_only_once(ledger: Ledger) -> None:
    first = await accepted(ledger)
    for again in (False, True):
        found = await ledger.accept(new_request(env=first.request.env, again=again))
        assert found == UnderWay(first)
    await move(ledger, first, State.PLACED)
    found = await ledger.accept(new_request(env=first.request.env))
    assert found == UnderWay(replace(first, state=State.PLACED, place="C1/1.5"))


async def test_a_request_that_ends_during_the_check_does_not_block_the_new_one(
    on_postgresql: Database,
) -> None:
    ledger = on_postgresql.ledger("a")
    await ledger.start()
    first = await accepted(ledger)

    def end_it(*arguments: Any) -> None:
        # The insert was blocked by it; now the ledger looks for the reason.
        if arguments[2].startswith("SELECT requests.id") and not ended:
            ended.append(True)
            with on_postgresql.engine.begin() as connection:
                connection.execute(
                    text("UPDATE requests SET state = 'ended', outcome = 'shared', ended = 1")
                )

    ended = list[bool]()
    event.listen(on_postgresql.opened[0].engine, "before_cursor_execute", end_it)
    await accepted(ledger, new_request(env=first.request.env, again=True))
    assert ended


async def test_a_request_that_the_database_keeps_ignoring_is_given_up(sqlite: Database) -> None:
    ledger = sqlite.ledger("a")
    await ledger.start()
    with sqlite.engine.begin() as on:
        on.execute(
            text("CREATE TRIGGER deaf BEFORE INSERT ON requests BEGIN SELECT RAISE(IGNORE); END")
        )
    with pytest.raises(LedgerDownError, match="neither recorded"):
        await ledger.accept(new_request())
    with sqlite.engine.begin() as on:
        on.execute(text("DROP TRIGGER deaf"))
    assert isinstance(await ledger.accept(new_request()), Accepted)


async def test_an_earlier_share_is_reported_and_repeated_on_demand(ledger: Ledger) -> None:
    first = await carry_out(ledger, new_request(), Shared())
    request = new_request(env=first.request.env)
    assert await ledger.accept(request) == SharedBefore(first)
    second = await carry_out(ledger, replace(request, again=True), Shared(3))
    found = await ledger.accept(new_request(env=first.request.env))
    assert found == SharedBefore(second)  # the newest
    assert second.ended is not None
    assert first.ended is not None
    assert second.ended >= first.ended


@pytest.mark.parametrize("outcome", [Shared(), FAILED], ids=["shared", "failed"])
async def test_an_outcome_that_is_not_delivered_yet_is_reported_to_a_new_request(
    ledger: Ledger, outcome: Outcome
) -> None:
    for _ in range(2):
        entry = await accepted(ledger, new_request(env="prod-1", again=True))
        await move(ledger, entry, State.ANSWERED, outcome)
    found = await ledger.accept(new_request(env="prod-1"))
    assert found == Undelivered(await current(ledger, entry))  # the newest


async def test_a_failure_that_is_not_delivered_yet_may_be_retried(ledger: Ledger) -> None:
    entry = await accepted(ledger)
    await move(ledger, entry, State.ANSWERED, FAILED)
    again = new_request(env=entry.request.env)
    found = await ledger.accept(again, retry=Retry(entry.request.id, "U1"))
    assert isinstance(found, Accepted)
    await move(ledger, found.entry, State.ANSWERED, FAILED)
    await accepted(ledger, new_request(env=entry.request.env, again=True))


@pytest.mark.parametrize("outcome", [FAILED, Unknown(all_guidance()[0])], ids=["failed", "unknown"])
async def test_a_request_without_a_certain_success_may_be_requested_again(
    ledger: Ledger, outcome: Outcome
) -> None:
    first = await carry_out(ledger, new_request(), outcome)
    await accepted(ledger, new_request(env=first.request.env))


async def test_one_trigger_at_two_replicas_is_one_request(ledger: Ledger, other: Ledger) -> None:
    for number in range(10):
        asked = [new_request(trigger=f"both-{number}", env=f"both-{number}") for _ in range(6)]
        found = await asyncio.gather(
            *(at.accept(each) for at, each in zip([ledger, other] * 3, asked, strict=True))
        )
        assert sorted(type(each).__name__ for each in found) == ["Accepted", *["Duplicate"] * 5]
        assert len({entry_in(each).request.id for each in found}) == 1


async def test_one_share_at_two_replicas_is_under_way_once(ledger: Ledger, other: Ledger) -> None:
    for number in range(10):
        found = await asyncio.gather(
            *(
                at.accept(new_request(env=f"both-{number}", again=bool(number % 2)))
                for at in [ledger, other] * 3
            )
        )
        assert sorted(type(each).__name__ for each in found) == ["Accepted", *["UnderWay"] * 5]
        assert len({entry_in(each).request.id for each in found}) == 1


async def test_replicas_whose_transactions_deadlock_both_succeed(
    ledger: Ledger, other: Ledger
) -> None:
    # Each commits many rows together, and so holds some that the other waits for.
    envs = [f"crossing-{number}" for number in range(40)]
    found = await asyncio.gather(
        *(ledger.accept(new_request(env=env)) for env in envs),
        *(other.accept(new_request(env=env)) for env in reversed(envs)),
    )
    taken = [each.entry.request.env for each in found if isinstance(each, Accepted)]
    assert sorted(taken) == sorted(envs)
    assert sum(isinstance(each, UnderWay) for each in found) == len(envs)


async def test_a_move_is_recorded_exactly_if_it_is_lawful(
    database: Database, ledger: Ledger
) -> None:
    for start, to in product(State, LATER_STATES):
        if (start, to) == (State.WAITING, State.PLACED):
            continue
        entry = await request_in(ledger, start)
        before, kinds = await current(ledger, entry), database.kinds()
        moved = await move(ledger, entry, to)
        if to in MOVES[start]:
            assert moved, (start, to)
            assert (await current(ledger, entry)).state is to
            assert len(database.kinds()) > len(kinds)
        else:
            # A repeated move, after a lost answer, is confirmed.
            assert moved == (start is to), (start, to)
            after = await current(ledger, entry)
            assert (replace(after, at=before.at), database.kinds()) == (before, kinds)


async def test_a_place_that_is_recorded_for_a_waiting_request_does_not_change_its_state(
    database: Database, ledger: Ledger
) -> None:
    entry = await request_in(ledger, State.WAITING)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.asked(entry, "C2/2.5", entry.half_time)
    now = await current(ledger, entry)
    told = replace(entry, place="C1/1.5", asked="C2/2.5", all_asked=True)
    assert now == replace(told, until=now.until, wake=now.wake)
    assert database.kinds() == ["accepted"]


async def test_the_place_of_a_question_is_recorded_only_while_it_is_open(ledger: Ledger) -> None:
    for state in State:
        entry = await request_in(ledger, state)
        assert await ledger.asked(entry, "C2/2.5", entry.half_time) is (state is State.WAITING)
        assert (await current(ledger, entry)).asked == (
            "C2/2.5" if state is State.WAITING else None
        )


# Waiting requests, and retries.


def by(user_id: str, **changes: Any) -> Request:
    """Return a request of another person."""
    request = new_request(**changes)
    return replace(request, origin=replace(request.origin, user_id=user_id))


@pytest.mark.parametrize("state", [State.CONFIRMING, State.WAITING])
async def test_a_waiting_request_does_not_block_others(ledger: Ledger, state: State) -> None:
    entry = await accepted(ledger, state=state)
    await accepted(ledger, by("U2", env=entry.request.env))


@pytest.mark.parametrize("outcome", [Rejected("U9", "no"), FAILED], ids=["rejected", "failed"])
async def test_another_persons_owed_answer_does_not_block_a_request(
    ledger: Ledger, outcome: Outcome
) -> None:
    entry = await accepted(ledger)
    await move(ledger, entry, State.ANSWERED, outcome)
    await accepted(ledger, by("U2", env=entry.request.env))


@pytest.mark.parametrize("state", [State.CONFIRMING, State.WAITING])
async def test_no_approval_is_requested_for_a_share_that_is_under_way(
    ledger: Ledger, state: State
) -> None:
    entry = await accepted(ledger)
    found = await ledger.accept(by("U2", env=entry.request.env), state)
    assert isinstance(found, UnderWay)


async def test_a_person_cannot_ask_the_approvers_twice_for_one_share(ledger: Ledger) -> None:
    entry = await accepted(ledger, state=State.WAITING)
    found = await ledger.accept(new_request(env=entry.request.env, again=True))
    assert isinstance(found, UnderWay)
    assert found.entry.request == entry.request
    elsewhere = new_request(env=entry.request.env)
    elsewhere = replace(elsewhere, origin=replace(elsewhere.origin, team_id="T2"))
    found = await ledger.accept(elsewhere, State.WAITING, patience=60)  # of the same organisation
    assert isinstance(found, UnderWay)
    await accepted(ledger, new_request(appid="", env=entry.request.env, appids=("wx1", "wx2")))


async def test_a_request_is_retried_once(database: Database, ledger: Ledger) -> None:
    first = await carry_out(ledger, new_request(), FAILED)
    retry = Retry(first.request.id, "U7")
    again = new_request(env=first.request.env)
    assert isinstance(await ledger.accept(again, retry=retry), Accepted)
    assert (await current(ledger, first)).retried_by == "U7"
    kinds = database.kinds()
    assert isinstance(await ledger.accept(again, retry=retry), Duplicate)
    more = new_request(env=first.request.env)
    assert isinstance(await ledger.accept(more, retry=retry), UnderWay)
    await ledger.end((await all_requests(ledger))[0], "given up")
    assert await ledger.accept(more, retry=retry) == AlreadyRetried()
    assert database.kinds() == [*kinds, "given up"]
    assert isinstance(await ledger.accept(more), Accepted)  # as a new request it may


async def test_a_second_retry_is_one_also_after_the_first_has_shared_it(ledger: Ledger) -> None:
    first = await carry_out(ledger, new_request(), FAILED)
    retry, env = Retry(first.request.id, "U7"), first.request.env
    entry = await accepted(ledger, new_request(env=env), retry=retry)
    assert await ledger.record_outcome(entry, Shared())
    assert await ledger.end(entry, "delivered")
    assert await ledger.accept(new_request(env=env), retry=retry) == AlreadyRetried()


async def test_of_many_concurrent_retries_one_succeeds(ledger: Ledger, other: Ledger) -> None:
    for _ in range(5):
        first = await carry_out(ledger, new_request(), FAILED)
        found = await asyncio.gather(
            *(
                at.accept(new_request(), retry=Retry(first.request.id, f"U{number}"))
                for number, at in enumerate([ledger, other] * 3)
            )
        )
        kinds = sorted(type(each).__name__ for each in found)
        assert kinds == ["Accepted", *["AlreadyRetried"] * 5]
        (won,) = (number for number, each in enumerate(found) if isinstance(each, Accepted))
        assert (await current(ledger, first)).retried_by == f"U{won}"


async def test_a_blocked_retry_is_not_used_up(ledger: Ledger) -> None:
    first = await carry_out(ledger, new_request(), FAILED)
    theirs = await accepted(ledger, new_request(env=first.request.env))
    retry = Retry(first.request.id, "U1")
    again = new_request(env=first.request.env)
    assert await ledger.accept(again, retry=retry) == UnderWay(theirs)
    assert (await current(ledger, first)).retried_by is None
    await ledger.end(theirs, "given up")
    assert isinstance(await ledger.accept(again, retry=retry), Accepted)


async def test_a_retry_does_not_repeat_what_another_request_has_shared_meanwhile(
    ledger: Ledger,
) -> None:
    first = await carry_out(ledger, new_request(), FAILED)
    theirs = await carry_out(ledger, new_request(env=first.request.env), Shared())
    again, retry = new_request(env=first.request.env), Retry(first.request.id, "U1")
    found = await ledger.accept(again, retry=retry)
    assert isinstance(found, SharedBefore)
    assert found.entry.request == theirs.request
    assert (await current(ledger, first)).retried_by is None


# Batches.


async def test_a_batch_does_not_block_other_requests(ledger: Ledger) -> None:
    batch = new_request(appid="", appids=("wx1", "wx2"))
    entry = await accepted(ledger, batch)
    assert await current(ledger, entry) == entry
    await accepted(ledger, new_request(env=batch.env))
    await accepted(ledger, new_request(env=batch.env, appid="", appids=("wx1", "wx2")))
    assert await ledger.accept(batch) == Duplicate(entry)


async def test_a_requests_life_is_recorded_in_events(database: Database, ledger: Ledger) -> None:
    entry = await carry_out(ledger, new_request(), FAILED)
    found = database.rows(
        "SELECT kind, outcome, errcode, rid, seconds, detail FROM events ORDER BY id"
    )
    key = all_guidance()[0].key
    assert [tuple(event.values()) for event in found] == [
        ("accepted", None, None, None, None, None),
        ("placed", None, None, None, None, None),
        ("renewal", None, None, None, 0.25, "renewed"),
        ("call", None, 40014, "5f3a-1", 0.5, "refused"),
        ("answered", "failed", 40014, "5f3a-1", 1.5, key),
        ("delivered", None, None, None, None, None),
    ]
    requests = {row["request"] for row in database.rows("SELECT request FROM events")}
    assert requests == {entry.request.id}


async def test_the_answer_to_the_first_share_with_a_receiver_has_the_next_steps(
    ledger: Ledger,
) -> None:
    ready, owed, first, second = [
        await accepted(ledger, new_request(env=f"env-{n}", appid="wx5fe6bb43205e9e70"))
        for n in range(4)
    ]
    mentioned_before = list[bool | None]()
    for entry, why in (
        (ready, "ready"),  # whose answer has no next steps
        (owed, None),
        (first, None),
        (second, None),
    ):
        answer = await ledger.record_outcome(entry, Shared())
        assert answer
        mentioned_before.append(answer.told_steps)
        if entry is not owed:
            await ledger.end(entry, "delivered", why)
    assert mentioned_before == [False, False, False, True]


async def test_the_envs_of_past_requests_are_listed_once_with_the_latest_first(
    database: Database, ledger: Ledger
) -> None:
    assert await ledger.envs(9) == []
    for number, env in enumerate(["b", "a", "c", "b"]):
        entry = await accepted(ledger, new_request(env=env, appid=f"wx{number:016x}"))
        when = {"at": float(number), "id": entry.request.id}
        database.execute("UPDATE requests SET created = :at WHERE id = :id", **when)
    assert await ledger.envs(9) == ["b", "c", "a"]
    assert await ledger.envs(2) == ["b", "c"]


async def test_an_ended_request_has_no_response_url(database: Database, ledger: Ledger) -> None:
    entry = await request_in(ledger, State.ANSWERED)
    assert (await current(ledger, entry)).request == entry.request
    await move(ledger, entry, State.ENDED)
    assert database.rows("SELECT response_url FROM requests") == [{"response_url": None}]
    rows = database.rows("SELECT * FROM requests") + database.rows("SELECT * FROM events")
    assert "hooks.example" not in str(rows)


async def test_all_times_come_from_the_databases_clock(database: Database, ledger: Ledger) -> None:
    await carry_out(ledger, new_request(), FAILED)
    waiting = await accepted(ledger, state=State.WAITING)
    await ledger.clicks.move(waiting, Move(State.PLACED, "U2", "approved"))
    await ledger.record_event("denied", new_request().origin, {})
    await ledger.replica.heartbeat()
    await ledger.replica.take_over(9)
    numbers = [
        value
        for _, parameters in database.statements
        for value in dict(parameters).values()
        if isinstance(value, int | float)
    ]
    assert numbers
    assert max(numbers) < 1e6
    now = database.now()
    for column in ("at FROM events", "created FROM requests", "ended FROM requests"):
        assert [*database.rows(f"SELECT {column}")[0].values()] == [pytest.approx(now, abs=60)]


async def test_a_command_that_is_no_request_is_recorded_as_an_event(
    database: Database, ledger: Ledger
) -> None:
    await ledger.record_event(
        "denied", new_request().origin, {"env": "prod-1", "detail": "no rule"}
    )
    (event,) = database.rows("SELECT kind, team, channel, env, detail, request FROM events")
    assert [*event.values()] == ["denied", "T1", "C1", "prod-1", "no rule", None]


async def test_a_persons_history_is_newest_first(ledger: Ledger) -> None:
    entries = [await accepted(ledger) for _ in range(3)]
    theirs = replace(new_request().origin, user_id="U2")
    await accepted(ledger, new_request(origin=theirs))
    assert await ledger.history(("T1", "U1"), None, 9) == entries[::-1]
    assert await ledger.history(("T1", "U1"), None, 2) == entries[:0:-1]
    assert await ledger.history(("T2", "U1"), None, 9) == []


async def test_the_history_of_an_env_or_appid_has_everybodys_requests(ledger: Ledger) -> None:
    mine = await accepted(ledger)
    origin = replace(new_request().origin, user_id="U2")
    other_appid = "wx00000000000000aa"
    theirs = await accepted(
        ledger, new_request(origin=origin, env=mine.request.env, appid=other_appid)
    )
    assert await ledger.history(("T1", "U1"), mine.request.env, 9) == [theirs, mine]
    assert await ledger.history(("T1", "U1"), other_appid, 9) == [theirs]
    assert await ledger.history(("T1", "U1"), "nothing", 9) == []


async def test_an_earlier_share_of_an_env_is_found_behind_any_number_of_failures(
    ledger: Ledger,
) -> None:
    shared = await carry_out(ledger, new_request(env="e"), Shared())
    for number in range(3):
        await carry_out(ledger, new_request(env="e", appid=f"wx{number:016x}"), FAILED)
    found = await ledger.past_shares("e", 1)
    assert found == [shared]
    assert await ledger.past_shares("another", 1) == []


@pytest.mark.parametrize("shared", [0, 1])
async def test_a_batch_is_an_earlier_share_of_its_env_if_it_shared_any(
    ledger: Ledger, shared: int
) -> None:
    request = new_request(env="e", appid="", appids=("wx1", "wx2"))
    batch = await carry_out(ledger, request, Finished(Tally(2, shared=shared, failed=2 - shared)))
    assert await ledger.past_shares("e", 9) == [batch][:shared]


async def test_a_text_that_no_database_stores_is_refused_and_stops_nobody(
    database: Database, ledger: Ledger
) -> None:
    with pytest.raises(LedgerDownError):
        await ledger.accept(new_request(reason="a\ud800b"))
    entry = await accepted(ledger)
    assert database.rows("SELECT id FROM requests") == [{"id": entry.request.id}]


async def test_an_answer_that_a_column_cannot_hold_is_kept_as_json(
    database: Database, ledger: Ledger
) -> None:
    entry = await accepted(ledger)
    said = Said(10**30, "a\0b\ud800c", None)
    failed = Failed(all_guidance()[0], said)
    assert await ledger.record_outcome(entry, failed, 1.5, [Step("call", 1, "refused", said)])
    assert (await current(ledger, entry)).outcome == failed
    (event,) = database.rows("SELECT errcode FROM events WHERE kind = 'call'")
    assert event == {"errcode": 2**63 - 1}


STORABLE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SAID = st.builds(
    Said,
    st.integers(-(2**63), 2**63 - 1),
    STORABLE,
    st.none() | st.text(st.characters(max_codepoint=127, exclude_characters="\0"), max_size=64),
)
USERS = st.text(st.characters(max_codepoint=127, exclude_characters="\0"), min_size=1, max_size=32)
ROWS = st.sampled_from(all_guidance())
TRIES = st.integers(0, 99)
OUTCOMES = st.one_of(
    st.builds(Shared, TRIES),
    st.builds(Failed, ROWS, st.none() | SAID, TRIES, st.none() | st.sampled_from(Link)),
    st.builds(Unknown, ROWS, st.none() | SAID, TRIES),
    st.builds(Rejected, USERS, st.none() | STORABLE),
    st.builds(Cancelled, USERS),
    st.builds(Expired, st.sampled_from(["confirmation", "approval"])),
    st.builds(Denied, st.sampled_from(Ground)),
    st.builds(Stopped),
    st.builds(Skipped, st.sampled_from(SkipReason)),
    st.builds(
        Finished,
        st.builds(Tally, *[st.integers(0, 500)] * len(Tally.__slots__)),
        left_to_others=st.booleans(),
    ),
)
REQUESTS = st.builds(
    new_request,
    reason=st.none() | STORABLE,
    language=st.sampled_from(Language),
    appids=st.lists(st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True), unique=True).map(tuple),
    again=st.booleans(),
    batch=st.none() | USERS,
    origin=st.builds(
        lambda name, thread_ts: replace(
            new_request().origin, channel_name=name, thread_ts=thread_ts
        ),
        st.text(st.characters(max_codepoint=127, exclude_characters="\0"), max_size=80),
        st.sampled_from(["", "1700000000.000100"]),
    ),
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outcome=OUTCOMES)
async def test_an_outcome_is_read_back_unchanged(ledger: Ledger, outcome: Outcome) -> None:
    entry = await accepted(ledger)
    assert await ledger.record_outcome(entry, outcome, 1.5, [])
    assert await current(ledger, entry) == replace(entry, state=State.ANSWERED, outcome=outcome)


@pytest.mark.parametrize("kind", KINDS)
def test_the_properties_have_every_kind_of_outcome(kind: type[Outcome]) -> None:
    assert find(
        OUTCOMES,
        lambda outcome: type(outcome) is kind,
        settings=settings(max_examples=2_000, phases=[Phase.generate]),
    )


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=REQUESTS)
async def test_a_request_is_read_back_unchanged(ledger: Ledger, request: Request) -> None:
    request = replace(request, appid="" if request.appids else request.appid)
    request = replace(request, origin=replace(request.origin, user_id=request.id))
    entry = await accepted(ledger, request)
    assert await current(ledger, entry) == entry


async def test_the_approver_of_a_request_that_continued_is_known(
    database: Database, ledger: Ledger
) -> None:
    entry = await request_in(ledger, State.WAITING)
    await ledger.asked(entry, "C2/2.5", entry.half_time)
    moved = await ledger.clicks.move(entry, Move(State.ACCEPTED, "U7", "approved", comment="fine"))
    assert moved is not None
    assert moved.request == replace(entry.request, approval=Approval("U7", "fine"))
    continued = {None, Shared, Failed, Unknown, Stopped, Skipped, Finished}
    for outcome in (None, *KINDS):
        name = outcome and outcome.__name__.lower()
        database.execute("UPDATE requests SET outcome = :name", name=name)
        approved = (await current(ledger, entry)).request.approval is not None
        assert approved is (outcome in continued), name


async def test_a_confirmation_is_not_an_approval(ledger: Ledger) -> None:
    entry = await request_in(ledger, State.CONFIRMING)
    moved = await ledger.clicks.move(entry, Move(State.ACCEPTED, "U1", "confirmed"))
    assert moved is not None
    assert moved.request == entry.request


async def test_an_unknown_language_is_read_as_english(database: Database, ledger: Ledger) -> None:
    entry = await accepted(ledger, new_request(language=Language.CHINESE))
    database.execute("UPDATE requests SET language = 'tlh'")
    assert (await current(ledger, entry)).request.language is Language.ENGLISH


async def test_every_guidance_is_read_back_unchanged(ledger: Ledger) -> None:
    async def round_trip(outcome: Outcome) -> Outcome | None:
        entry = await accepted(ledger)
        assert await ledger.record_outcome(entry, outcome, 1.5, [])
        return (await current(ledger, entry)).outcome

    outcomes = [kind(row) for row in all_guidance() for kind in (Failed, Unknown)]
    assert await asyncio.gather(*map(round_trip, outcomes)) == outcomes


@pytest.mark.parametrize("kind", [Failed, Unknown])
async def test_a_gateways_http_status_is_read_back_unchanged(
    ledger: Ledger, kind: type[Failed | Unknown]
) -> None:
    ended = replace(kind(Trouble.GATEWAY_LENGTH.value), status=412)
    assert (await carry_out(ledger, new_request(), ended)).outcome == ended


async def test_a_request_with_an_unknown_link_is_readable(
    database: Database, ledger: Ledger
) -> None:
    failed = Failed(Trouble.NO_TICKET.value, None, 0, Link.TICKET)
    entry = await carry_out(ledger, new_request(), failed)
    database.execute("""UPDATE requests SET ending = replace(ending, '"ticket"', '"another"')""")
    assert (await current(ledger, entry)).outcome == replace(failed, link=None)


async def test_a_request_with_an_unknown_ground_or_outcome_is_readable(
    database: Database, ledger: Ledger
) -> None:
    entry = await carry_out(ledger, new_request(), Denied(Ground.OTHER_OWNER))
    database.execute("UPDATE requests SET ending = replace(ending, 'other owner', 'the moon')")
    assert (await current(ledger, entry)).outcome == Denied(Ground.NOT_ALLOWED)
    database.execute("UPDATE requests SET ending = replace(ending, 'denied', 'eclipsed')")
    assert (await current(ledger, entry)).outcome is None
