import asyncio
from contextlib import suppress

import pytest

from bot.runtime.turns import AcksFirst

A_WHILE = 3600.0


@pytest.fixture
def acks(monkeypatch: pytest.MonkeyPatch) -> AcksFirst:
    monkeypatch.setattr("bot.runtime.turns._LONGEST", A_WHILE)
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
    monkeypatch.setattr("bot.runtime.turns._LONGEST", 0.01)
    acks = AcksFirst()
    with acks:
        started, tasks = start_steps(acks, 3)
        await asyncio.gather(*tasks)
        assert sorted(started) == [0, 1, 2]
        monkeypatch.setattr("bot.runtime.turns._LONGEST", A_WHILE)
        started, tasks = start_steps(acks, 3)
        await pass_turns(1)
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)  # those whose time was over stand in nobody's way
    assert started == [0, 1, 2]


async def test_an_ack_that_fails_is_no_longer_pending(acks: AcksFirst) -> None:
    with suppress(ValueError), acks:
        raise ValueError
    assert_starts_at_once(acks)
