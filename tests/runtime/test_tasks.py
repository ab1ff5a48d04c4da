"""Background work: acks go first, failures are logged, and a stop waits for what has begun."""

import asyncio
import logging
from contextlib import suppress

import pytest

from bot.runtime.tasks import AcksFirst, Tasks, current_request_id, log_request


async def test_background_work_that_fails_is_logged_with_its_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise RuntimeError("made up")

    named, tasks = list[str | None](), Tasks()

    def name(_: logging.LogRecord) -> bool:
        named.append(current_request_id())
        return True

    caplog.handler.addFilter(name)
    with log_request("7kq2mhx4"):
        tasks.start(fails())
    await tasks.drain(5)
    assert (caplog.messages, named) == (["unforeseen error"], ["7kq2mhx4"])


async def test_no_background_work_starts_after_the_stop() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")

    tasks = Tasks()
    await tasks.drain(0)
    tasks.start(work())
    await tasks.drain(0)
    assert seen == []


async def test_background_work_that_starts_during_the_stop_is_awaited_too() -> None:
    seen: list[str] = []
    tasks = Tasks()

    async def work(more: int) -> None:
        await asyncio.sleep(0)
        seen.append(f"done {more}")
        if more:
            tasks.start(work(more - 1))

    tasks.start(work(2))
    await tasks.drain(5)
    assert seen == ["done 2", "done 1", "done 0"]


async def test_background_work_is_not_cancelled_before_it_has_begun() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            seen.append("begun")
            await asyncio.sleep(30)
        finally:
            seen.append("cut short")

    tasks = Tasks()
    tasks.start(work())
    await tasks.drain(0)
    assert seen == ["begun", "cut short"]


async def test_background_work_that_ignores_its_cancellation_is_abandoned_in_the_end() -> None:
    going = asyncio.Event()

    async def stubborn() -> None:
        for _ in range(2):
            try:
                going.set()
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                continue

    tasks = Tasks()
    tasks.start(stubborn())
    await going.wait()
    began = asyncio.get_running_loop().time()
    await tasks.drain(0)
    assert asyncio.get_running_loop().time() - began < 20


async def test_the_number_of_pieces_of_work_is_that_of_those_under_way() -> None:
    tasks, end = Tasks(), asyncio.Event()

    async def work() -> None:
        await end.wait()

    for _ in range(2):
        tasks.start(work())
    assert len(tasks) == 2
    end.set()
    await tasks.drain(5)
    assert len(tasks) == 0


async def test_what_only_waits_is_told_of_the_stop_while_it_is_waited_for() -> None:
    tasks, seen = Tasks(), list[bool]()

    async def work() -> None:
        seen.append(tasks.stopping())

    tasks.start(work())
    assert not tasks.stopping()
    await tasks.drain(5)
    assert seen == [True]


async def test_work_that_goes_on_until_the_stop_is_kept_and_not_waited_for() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    tasks = Tasks()
    task = tasks.keep(work())
    await tasks.drain(5)
    assert tasks.kept == [task]
    assert not task.done()
    task.cancel()


def test_log_lines_have_the_request_of_the_innermost_context_only() -> None:
    with log_request("outer"):
        with log_request("inner"):
            assert current_request_id() == "inner"
        with log_request(""):
            assert current_request_id() is None
        assert current_request_id() == "outer"
    assert current_request_id() is None


A_WHILE = 3600.0


@pytest.fixture
def acks(monkeypatch: pytest.MonkeyPatch) -> AcksFirst:
    monkeypatch.setattr("bot.runtime.tasks._LONGEST", A_WHILE)
    return AcksFirst()


def start_steps(acks: AcksFirst, count: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    """Create tasks that each take a step; return a list that fills with the numbers of those that started, and the tasks."""
    started: list[int] = []

    async def step(number: int) -> None:
        await acks.step()
        started.append(number)

    return started, [asyncio.create_task(step(number)) for number in range(count)]


async def pass_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def assert_starts_at_once(acks: AcksFirst) -> None:
    """Check that a step starts without a turn of the loop."""
    with pytest.raises(StopIteration):
        acks.step().send(None)


async def test_without_a_pending_ack_a_step_starts_at_once(acks: AcksFirst) -> None:
    assert_starts_at_once(acks)
    with acks:
        pass
    assert_starts_at_once(acks)


async def test_while_an_ack_is_pending_every_step_waits(acks: AcksFirst) -> None:
    with acks:
        with acks:
            started, tasks = start_steps(acks, 3)
            await pass_turns(9)
        await pass_turns(9)
        assert started == []
    await asyncio.gather(*tasks)
    assert started == [0, 1, 2]


async def test_after_the_ack_one_step_starts_at_each_turn_of_the_loop(acks: AcksFirst) -> None:
    with acks, acks:
        started, tasks = start_steps(acks, 3)
        await pass_turns(1)
    per_turn = []
    while len(started) < len(tasks):
        before = len(started)
        await pass_turns(1)
        per_turn.append(len(started) - before)
    assert max(per_turn) == 1
    assert started == [0, 1, 2]


async def test_a_step_that_comes_while_others_wait_goes_behind_them(acks: AcksFirst) -> None:
    with acks:
        started, _ = start_steps(acks, 3)
        await pass_turns(1)
    await acks.step()
    assert started == [0, 1, 2]


async def test_an_ack_that_comes_between_steps_goes_first(acks: AcksFirst) -> None:
    with acks:
        started, tasks = start_steps(acks, 3)
        await pass_turns(1)
    while not started:
        await pass_turns(1)
    with acks:
        await pass_turns(2)  # a step that already has its turn starts
        before = len(started)
        await pass_turns(9)
        assert len(started) == before < len(tasks)
    await asyncio.gather(*tasks)
    assert started == [0, 1, 2]


async def test_a_cancelled_step_does_not_use_up_a_turn(acks: AcksFirst) -> None:
    with acks:
        started, (first, second) = start_steps(acks, 2)
        await pass_turns(1)
        first.cancel()
    await pass_turns(2)  # in the first its turn comes, in the second it starts
    assert started == [1]
    await second
    assert first.cancelled()


async def test_a_step_waits_for_a_limited_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.runtime.tasks._LONGEST", 0.01)
    acks = AcksFirst()
    with acks:
        started, tasks = start_steps(acks, 3)
        await asyncio.gather(*tasks)
        assert sorted(started) == [0, 1, 2]
        monkeypatch.setattr("bot.runtime.tasks._LONGEST", A_WHILE)
        started, tasks = start_steps(acks, 3)
        await pass_turns(1)
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)  # those whose time was over stand in nobody's way
    assert started == [0, 1, 2]


async def test_an_ack_that_fails_is_no_longer_pending(acks: AcksFirst) -> None:
    with suppress(ValueError), acks:
        raise ValueError
    assert_starts_at_once(acks)
